//! The process ends before, after or within any step of a life.

mod world;

use polity_evolve::{
    Effect, Evolution, Journal, Life, Mutation, Outcome, Policy, Quote, Sample, Surgery, Verdict,
    Why,
};
use uuid::Uuid;
use world::*;

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
