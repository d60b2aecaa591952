//! Whole lives on a simulated engine: the ways a mutation goes, and hostile strategies.

mod world;

use polity_evolve::{
    Class, Decision, Evolution, Mode, Origin, Outcome, Policy, Quote, Saved, State, Verdict, Why,
};
use uuid::Uuid;
use world::*;

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
fn what_somebody_else_has_made_meanwhile_is_asked_about_no_more() {
    let mut world = World::new(Policy::default());
    world.rules.0 = Verdict::Escalate {
        reason: "look".to_owned(),
    };
    world.round(&[proposal(index("a"))]);
    world.round(&[proposal(index("a"))]);
    let id = world.only().id;
    world.tick();
    assert_eq!(world.only().id, id, "it stands as long as it can be made");
    let effects = world
        .evolution
        .declared(Uuid::from_u128(99), index("a"), "person:ada", world.now)
        .unwrap();
    world.carry_out(effects);
    world.tick();
    assert_eq!(world.evolution.lives().count(), 0);
    let last = world.last();
    assert!(
        matches!(&last, Outcome::Refused { by, .. } if by == "catalogue"),
        "{last:?}"
    );
    assert!(
        world
            .evolution
            .answered(id, true, "person:ada", "", world.now)
            .is_err()
    );
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
