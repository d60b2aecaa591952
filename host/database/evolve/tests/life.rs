//! Whole lives on a simulated engine: the ways a mutation goes, crashes at every step, hostile strategies.

use std::collections::BTreeMap;

use polity_evolve::{
    Batch, Built, Catalogue, Class, Decision, Effect, Evolution, Field, History, Index, Inverse,
    Journal, Judge, Life, Mode, Mutation, Origin, Outcome, Policy, Proposal, Quote, Sample, Saved,
    State, Surgery, SurgeryError, Verdict, Why, drive,
};
use serde_json::json;
use uuid::Uuid;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// An engine that does what it is told and remembers what there is.
#[derive(Clone, Default)]
struct Engine {
    hidden: BTreeMap<String, Mutation>,
    visible: Catalogue,
    fails: Option<&'static str>,
    bytes: u64,
}

impl Engine {
    fn step(&mut self, name: &str) -> Result<(), SurgeryError> {
        match self.fails {
            Some(fails) if fails == name => Err(SurgeryError(format!("cannot {name}"))),
            _ => Ok(()),
        }
    }
}

impl Surgery for Engine {
    fn build(&mut self, _: Uuid, mutation: &Mutation) -> Result<Option<Built>, SurgeryError> {
        self.hidden.insert(mutation.subject(), mutation.clone());
        self.step("build")?;
        Ok(Some(Built {
            bytes: self.bytes,
            build_us: 5,
        }))
    }

    fn interleave(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        assert!(
            self.hidden.contains_key(&mutation.subject()),
            "only what is built is tried"
        );
        self.step("interleave")
    }

    fn verify(&mut self, _: Uuid, _: &Mutation) -> Result<(), SurgeryError> {
        self.step("verify")
    }

    fn activate(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        self.step("activate")?;
        self.hidden.remove(&mutation.subject());
        // Told twice, it is there already.
        let _ = self.visible.apply(mutation, Origin::Evolved);
        Ok(())
    }

    fn undo(
        &mut self,
        _: Uuid,
        mutation: &Mutation,
        inverse: &Inverse,
    ) -> Result<(), SurgeryError> {
        self.step("undo")?;
        if self.hidden.remove(&mutation.subject()).is_none() {
            let _ = self.visible.undo(inverse);
        }
        Ok(())
    }
}

struct Rules(Verdict, Vec<Uuid>);

impl Judge for Rules {
    fn judge(&mut self, _: &Life) -> Option<Verdict> {
        Some(self.0.clone())
    }

    fn ask(&mut self, life: &Life) {
        self.1.push(life.id);
    }
}

#[derive(Clone, Default)]
struct Disk(Saved);

impl Journal for Disk {
    fn store(&mut self, batch: &Batch) -> Result<(), String> {
        self.0.store(batch);
        Ok(())
    }
}

struct World {
    evolution: Evolution,
    engine: Engine,
    rules: Rules,
    disk: Disk,
    now: u64,
    ids: u128,
}

impl World {
    fn new(policy: Policy) -> Self {
        World {
            evolution: Evolution::new(policy),
            engine: Engine::default(),
            rules: Rules(Verdict::Allow, Vec::new()),
            disk: Disk::default(),
            now: 10 * DAY,
            ids: 1,
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let World {
            evolution,
            engine,
            rules,
            disk,
            now,
            ..
        } = self;
        drive(evolution, effects, engine, rules, disk, *now).unwrap();
    }

    /// A round of the strategy, an hour after the one before.
    fn round(&mut self, proposals: &[Proposal]) -> Vec<polity_evolve::Admitted> {
        self.now += HOUR;
        let quote = Quote {
            build_us: 1_000,
            collection_age_ms: 30 * DAY,
            collection_bytes: 1 << 30,
        };
        let mut ids = self.ids;
        let (answers, effects) = self.evolution.proposed(
            "hot-query@1",
            proposals.to_vec(),
            |_| Ok(quote),
            || {
                ids += 1;
                Uuid::from_u128(ids)
            },
            self.now,
        );
        self.ids = ids;
        self.carry_out(effects);
        self.tick();
        answers
    }

    fn tick(&mut self) {
        let effects = self.evolution.tick(self.now, 10);
        self.carry_out(effects);
    }

    fn only(&self) -> Life {
        let lives: Vec<_> = self.evolution.lives().cloned().collect();
        assert_eq!(lives.len(), 1, "{lives:?}");
        lives[0].clone()
    }

    /// Runs queries until the trial is over.
    fn try_out(&mut self, with: u64, without: u64) {
        let id = self.only().id;
        for _ in 0..400 {
            let dealt = self.evolution.deal(id, 9);
            let cost = if dealt { with } else { without };
            let effects = self.evolution.sampled(
                id,
                Sample {
                    template: 9,
                    with: dealt,
                    cost,
                },
                self.now,
            );
            self.carry_out(effects);
        }
    }

    fn crash(&mut self) {
        let (evolution, effects) = Evolution::resume(
            self.evolution.policy().clone(),
            self.disk.0.clone(),
            self.now,
        )
        .unwrap();
        self.evolution = evolution;
        self.carry_out(effects);
    }

    fn last(&self) -> Outcome {
        self.evolution
            .history()
            .entries()
            .last()
            .unwrap()
            .outcome
            .clone()
    }

    /// What the machine, the engine, the disk and the history say of the schema is the same.
    #[track_caller]
    fn is_sound(&self) {
        let (_, replayed) = History::verify(self.disk.0.entries.clone()).unwrap();
        assert_eq!(replayed.digest(), self.evolution.catalogue().digest());
        assert_eq!(replayed.digest(), self.engine.visible.digest());
        assert_eq!(
            self.engine.hidden.is_empty(),
            self.evolution.lives().count() == 0
        );
    }
}

fn index(field: &str) -> Mutation {
    Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec![field.to_owned()],
    })
}

fn drop_index(field: &str) -> Mutation {
    Mutation::DropIndex(Index {
        collection: "orders".to_owned(),
        fields: vec![field.to_owned()],
    })
}

fn promote(path: &str) -> Mutation {
    Mutation::PromoteField(Field {
        collection: "orders".to_owned(),
        path: path.to_owned(),
        schema: json!({"type": "string"}),
    })
}

/// Gains a millisecond an hour.
fn proposal(mutation: Mutation) -> Proposal {
    Proposal {
        mutation,
        reason: "it is asked for a thousand times a day".to_owned(),
        evidence: json!({"calls_per_day": 1_000}),
        benefit_us_per_day: 24_000,
        write_cost_us_per_day: 0,
        storage_bytes: 100,
    }
}

#[test]
fn an_index_is_built_when_waiting_has_cost_as_much_and_kept_when_it_helps() {
    let mut world = World::new(Policy::default());
    let proposals = [proposal(index("customer"))];
    assert_eq!(world.round(&proposals), [polity_evolve::Admitted::Waiting]);
    world.round(&proposals);
    assert_eq!(world.only().state, State::Canary);
    assert!(
        world.engine.visible.indexes.is_empty(),
        "it is hidden while it is tried"
    );
    world.try_out(10, 500);
    assert_eq!(world.last(), Outcome::Kept);
    assert_eq!(world.engine.visible.indexes.len(), 1);
    world.is_sound();
    let entry = &world.evolution.history().entries()[0];
    let measured = entry.measured.as_ref().unwrap();
    assert_eq!(measured.pairs, 30);
    assert!(measured.effect < 0.05);
}

#[test]
fn a_harmful_index_is_reverted_rests_twice_as_long_each_time_and_then_needs_a_person() {
    let mut world = World::new(Policy::default());
    let proposals = [proposal(index("customer"))];
    for strike in 0..3_u32 {
        while world.evolution.lives().count() == 0 {
            world.round(&proposals);
            world.now += HOUR;
        }
        let begun = world.now;
        world.try_out(900, 500);
        assert!(matches!(
            world.last(),
            Outcome::Reverted {
                why: Why::Trial {
                    decision: Decision::Harmful | Decision::NotHarmless
                }
            }
        ));
        let account = &world.evolution.accounts()["orders(customer)"];
        assert_eq!(account.quarantined_until_ms - begun, (7 * DAY) << strike);
        world.is_sound();
        world.now = account.quarantined_until_ms;
    }
    while world.evolution.lives().count() == 0 {
        world.round(&proposals);
    }
    assert!(matches!(world.only().state, State::Asked { .. }));
}

#[test]
fn what_the_rules_deny_never_begins_and_what_they_escalate_waits_for_a_person() {
    let mut world = World::new(Policy::default());
    world.rules.0 = Verdict::Deny {
        reason: "freeze".to_owned(),
    };
    world.round(&[proposal(promote("note"))]);
    assert_eq!(
        world.last(),
        Outcome::Refused {
            by: "rules".to_owned(),
            reason: "freeze".to_owned()
        }
    );
    world.rules.0 = Verdict::Escalate {
        reason: "look".to_owned(),
    };
    world.round(&[proposal(promote("other"))]);
    let id = world.only().id;
    assert_eq!(world.rules.1, [id]);
    let effects = world
        .evolution
        .answered(id, true, "person:ada", "", world.now)
        .unwrap();
    world.carry_out(effects);
    world.tick();
    assert_eq!(world.last(), Outcome::Kept);
    assert!(
        world
            .evolution
            .answered(id, true, "person:ada", "", world.now)
            .is_err(),
        "decided once"
    );
    world.is_sound();
}

#[test]
fn a_class_that_is_observed_changes_nothing_and_one_that_is_suggested_asks() {
    let mut policy = Policy::default();
    policy.modes.insert(Class::Field, Mode::Observe);
    let mut world = World::new(policy.clone());
    assert_eq!(
        world.round(&[proposal(promote("note"))]),
        [polity_evolve::Admitted::Observed]
    );
    assert_eq!(world.evolution.lives().count(), 0);
    policy.modes.insert(Class::Field, Mode::Suggest);
    world.evolution.set_policy(policy);
    world.round(&[proposal(promote("note"))]);
    assert!(matches!(world.only().state, State::Asked { .. }));
}

#[test]
fn whatever_the_engine_cannot_do_is_taken_back() {
    for step in ["build", "interleave", "activate", "verify"] {
        let mut world = World::new(Policy::default());
        world.engine.fails = Some(step);
        let mutation = if step == "verify" {
            promote("note")
        } else {
            index("customer")
        };
        world.round(&[proposal(mutation.clone())]);
        world.round(&[proposal(mutation)]);
        if step == "activate" {
            world.try_out(1, 500);
        }
        assert!(
            matches!(
                world.last(),
                Outcome::Reverted {
                    why: Why::Failed { .. }
                }
            ),
            "{step}"
        );
        world.is_sound();
    }
}

#[test]
fn an_undoing_that_fails_is_tried_until_it_works() {
    let mut world = World::new(Policy::default());
    world.round(&[proposal(index("a"))]);
    world.round(&[proposal(index("a"))]);
    world.engine.fails = Some("undo");
    world.try_out(900, 10);
    for _ in 0..3 {
        world.now += HOUR;
        world.tick();
        assert!(matches!(world.only().state, State::Undoing { .. }));
    }
    world.engine.fails = None;
    world.now += HOUR;
    world.tick();
    assert!(matches!(world.last(), Outcome::Reverted { .. }));
    world.is_sound();
}

#[test]
fn an_index_that_is_too_large_for_its_collection_is_taken_back() {
    let mut world = World::new(Policy::default());
    world.engine.bytes = 1 << 29;
    world.round(&[proposal(index("a"))]);
    world.round(&[proposal(index("a"))]);
    assert!(matches!(
        world.last(),
        Outcome::Reverted {
            why: Why::TooLarge { .. }
        }
    ));
    world.is_sound();
}

#[test]
fn what_a_person_made_no_strategy_takes_away_and_what_a_strategy_made_a_person_does() {
    let mut world = World::new(Policy::default());
    let effects = world
        .evolution
        .declared(Uuid::from_u128(900), index("mine"), "person:ada", world.now)
        .unwrap();
    world
        .engine
        .visible
        .apply(&index("mine"), Origin::Person)
        .unwrap();
    world.carry_out(effects);
    let answers = world.round(&[proposal(drop_index("mine")), proposal(promote("note"))]);
    assert!(
        matches!(&answers[0], polity_evolve::Admitted::InVain { reason } if reason.contains("by a person"))
    );
    world.is_sound();

    let kept = world.evolution.history().entries().last().unwrap().id;
    let effects = world
        .evolution
        .revert(kept, Uuid::from_u128(901), "person:ada", world.now)
        .unwrap();
    world.carry_out(effects);
    assert!(world.engine.visible.fields.is_empty());
    world.is_sound();
    assert!(
        world
            .evolution
            .revert(kept, Uuid::from_u128(902), "person:ada", world.now)
            .is_err(),
        "once"
    );
}

#[test]
fn each_rebuilding_doubles_what_it_takes_to_give_up() {
    let mut world = World::new(Policy::default());
    let mut waited = Vec::new();
    for _ in 0..3 {
        while world.evolution.lives().count() == 0 {
            world.round(&[proposal(index("a"))]);
        }
        world.try_out(10, 500);
        let mut rounds = 0;
        while world.evolution.lives().count() == 0 {
            world.round(&[proposal(drop_index("a"))]);
            rounds += 1;
        }
        // Nobody asks for it: the trial of the drop ends with its time.
        world.now += 4 * DAY;
        world.tick();
        assert_eq!(world.last(), Outcome::Kept);
        world.is_sound();
        waited.push(rounds);
    }
    assert_eq!(waited, [2, 3, 5], "the first round only starts the count");
}

#[test]
fn a_use_between_two_wishes_to_drop_starts_the_count_again() {
    let mut world = World::new(Policy::default());
    while world.evolution.lives().count() == 0 {
        world.round(&[proposal(index("a"))]);
    }
    world.try_out(10, 500);
    for _ in 0..20 {
        assert_eq!(
            world.round(&[proposal(drop_index("a"))]),
            [polity_evolve::Admitted::Waiting]
        );
        world.round(&[]);
    }
}

#[test]
fn a_strategy_that_proposes_the_same_for_ever_is_muted_longer_each_time() {
    let mut world = World::new(Policy::default());
    world.rules.0 = Verdict::Deny {
        reason: "no".to_owned(),
    };
    let mut unheard = 0;
    for _ in 0..24 * 60 {
        let answers = world.round(&[proposal(promote("note"))]);
        unheard += u32::from(answers == [polity_evolve::Admitted::Unheard]);
    }
    let standing = &world.evolution.standings()["hot-query@1"];
    assert!(standing.mutes >= 3, "{standing:?}");
    assert!(unheard > 24 * 50, "{unheard}");
    assert!(world.evolution.history().entries().len() < 10);
}

#[test]
fn a_flood_of_proposals_is_bounded() {
    let mut world = World::new(Policy::default());
    for round in 0..10 {
        let flood: Vec<_> = (0..5_000)
            .map(|n| proposal(index(&format!("f{round}_{n}"))))
            .collect();
        world.round(&flood);
    }
    assert!(world.evolution.accounts().len() <= 4_096);
    assert!(world.disk.0.accounts.len() <= 4_096);
}

#[test]
fn a_build_that_ends_the_process_each_time_is_given_up() {
    let mut world = World::new(Policy::default());
    world.round(&[proposal(index("a"))]);
    // The state is stored, the build begins, the process dies. Three times.
    world.now += HOUR;
    let quote = Quote {
        build_us: 1,
        collection_age_ms: 30 * DAY,
        collection_bytes: 1 << 30,
    };
    let (_, effects) = world.evolution.proposed(
        "s@1",
        vec![proposal(index("a"))],
        |_| Ok(quote),
        || Uuid::from_u128(77),
        world.now,
    );
    world.carry_out(effects);
    for effect in world.evolution.tick(world.now, 0) {
        if let Effect::Persist(batch) = effect {
            world.disk.0.store(&batch);
        }
    }
    for _ in 0..2 {
        let (evolution, effects) =
            Evolution::resume(Policy::default(), world.disk.0.clone(), world.now).unwrap();
        world.evolution = evolution;
        assert!(matches!(effects.last(), Some(Effect::Build(..))));
        for effect in effects {
            if let Effect::Persist(batch) = effect {
                world.disk.0.store(&batch);
            }
        }
    }
    world.crash();
    assert_eq!(world.last(), Outcome::Reverted { why: Why::Crashed });
    world.is_sound();
}

/// One effect at a time, and the process may die before or after any of them.
struct Dying<'a> {
    world: &'a mut World,
    left: u32,
}

impl Dying<'_> {
    /// Carries effects out until none is left or the process dies. Whether it lives.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        let mut queue = std::collections::VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let World {
                evolution,
                engine,
                rules,
                disk,
                now,
                ..
            } = &mut *self.world;
            let id_of = |life: &Life| life.id;
            let facts = match effect {
                Effect::Persist(batch) => {
                    disk.store(&batch).unwrap();
                    Ok(Vec::new())
                }
                Effect::Judge(life) => evolution.judged(id_of(&life), rules.0.clone(), *now),
                Effect::Ask(life) => evolution.answered(life.id, true, "person:ada", "", *now),
                Effect::Build(id, mutation) => {
                    let built = engine.build(id, &mutation).unwrap().unwrap();
                    // Half way: built, and nobody told.
                    if self.left == 0 {
                        return false;
                    }
                    self.left -= 1;
                    evolution.built(id, built, *now)
                }
                Effect::Interleave(id, mutation) => {
                    engine.interleave(id, &mutation).unwrap();
                    Ok(Vec::new())
                }
                Effect::Verify(id, _) => evolution.verified(id, *now),
                Effect::Activate(id, mutation) => {
                    engine.activate(id, &mutation).unwrap();
                    if self.left == 0 {
                        return false;
                    }
                    self.left -= 1;
                    evolution.activated(id, *now)
                }
                Effect::Undo(id, mutation, inverse) => {
                    engine.undo(id, &mutation, &inverse).unwrap();
                    if self.left == 0 {
                        return false;
                    }
                    self.left -= 1;
                    evolution.undone(id, *now)
                }
            };
            queue.extend(facts.unwrap());
        }
        true
    }

    /// The whole life of a mutation. Whether the process lived.
    fn live(&mut self, mutation: &Mutation, with: u64) -> bool {
        for _ in 0..3 {
            self.world.now += HOUR;
            let quote = Quote {
                build_us: 1_000,
                collection_age_ms: 30 * DAY,
                collection_bytes: 1 << 30,
            };
            let now = self.world.now;
            let proposals = vec![proposal(mutation.clone())];
            let (_, effects) = self.world.evolution.proposed(
                "s@1",
                proposals,
                |_| Ok(quote),
                || Uuid::from_u128(now.into()),
                now,
            );
            if !self.carry_out(effects) {
                return false;
            }
            let effects = self.world.evolution.tick(now, 0);
            if !self.carry_out(effects) {
                return false;
            }
            let Some(life) = self.world.evolution.lives().next().cloned() else {
                continue;
            };
            for _ in 0..100 {
                let dealt = self.world.evolution.deal(life.id, 1);
                let cost = if dealt { with } else { 100 };
                let effects = self.world.evolution.sampled(
                    life.id,
                    Sample {
                        template: 1,
                        with: dealt,
                        cost,
                    },
                    now,
                );
                if !self.carry_out(effects) {
                    return false;
                }
            }
        }
        true
    }
}

#[test]
fn a_crash_before_after_or_within_any_step_is_resumed_or_undone() {
    let cases = [(index("a"), 1), (index("a"), 900), (promote("note"), 1)];
    let mut crashes = 0;
    for (mutation, with) in cases {
        for asked in [false, true] {
            for steps in 0..200 {
                let mut world = World::new(Policy::default());
                if asked {
                    world.rules.0 = Verdict::Escalate {
                        reason: "look".to_owned(),
                    };
                }
                let mut dying = Dying {
                    world: &mut world,
                    left: steps,
                };
                if dying.live(&mutation, with) {
                    assert!(steps > 5, "{mutation} did not get far");
                    break;
                }
                crashes += 1;
                // The machine comes up again, and twice, because it may die while it does.
                for left in [1, u32::MAX] {
                    let (evolution, effects) =
                        Evolution::resume(Policy::default(), world.disk.0.clone(), world.now)
                            .unwrap();
                    world.evolution = evolution;
                    Dying {
                        world: &mut world,
                        left,
                    }
                    .carry_out(effects);
                }
                let mut dying = Dying {
                    world: &mut world,
                    left: u32::MAX,
                };
                assert!(dying.live(&mutation, with));
                world.is_sound();
                let kept = world
                    .evolution
                    .history()
                    .entries()
                    .iter()
                    .filter(|e| e.outcome == Outcome::Kept)
                    .count();
                assert_eq!(
                    kept,
                    usize::from(with == 1),
                    "{mutation} after {steps} steps"
                );
            }
        }
    }
    assert!(crashes > 40, "{crashes}");
}

#[test]
fn an_altered_history_is_not_resumed() {
    let mut world = World::new(Policy::default());
    for name in ["a", "b", "c"] {
        world.round(&[proposal(promote(name))]);
    }
    let saved = world.disk.0.clone();
    assert_eq!(saved.entries.len(), 3);
    let refused = |change: &dyn Fn(&mut Saved)| {
        let mut saved = saved.clone();
        change(&mut saved);
        Evolution::resume(Policy::default(), saved, world.now).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|saved| saved.entries[1]
        .proposal
        .benefit_us_per_day += 1));
    assert!(refused(&|saved| saved.entries.swap(0, 1)));
    assert!(refused(&|saved| drop(saved.entries.remove(0))));
    assert!(refused(&|saved| saved.entries[2].outcome =
        Outcome::Refused {
            by: "x".to_owned(),
            reason: String::new()
        }));
}

#[test]
fn history_survives_being_written_down() {
    let mut world = World::new(Policy::default());
    world.round(&[proposal(index("a"))]);
    world.round(&[proposal(index("a"))]);
    world.try_out(7, 313);
    let text = serde_json::to_string(&world.disk.0).unwrap();
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let (evolution, _) = Evolution::resume(Policy::default(), saved, world.now).unwrap();
    assert_eq!(
        evolution.catalogue().digest(),
        world.evolution.catalogue().digest()
    );
}

#[test]
fn a_busy_machine_and_a_young_collection_are_left_alone() {
    let mut world = World::new(Policy::default());
    let young = Quote {
        build_us: 0,
        collection_age_ms: HOUR,
        collection_bytes: 0,
    };
    let (answers, _) = world.evolution.proposed(
        "s@1",
        vec![proposal(promote("a"))],
        |_| Ok(young),
        Uuid::nil,
        world.now,
    );
    assert_eq!(answers, [polity_evolve::Admitted::TooYoung]);
    let old = Quote {
        collection_age_ms: 30 * DAY,
        ..young
    };
    let (_, effects) = world.evolution.proposed(
        "s@1",
        vec![proposal(promote("a"))],
        |_| Ok(old),
        Uuid::nil,
        world.now,
    );
    world.carry_out(effects);
    assert!(world.evolution.tick(world.now, 90).is_empty());
    assert!(!world.evolution.tick(world.now, 20).is_empty());
}
