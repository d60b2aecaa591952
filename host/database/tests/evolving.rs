//! A database that changes its own schema, on the real engine, with a house that a test plays.

mod world;

use std::sync::atomic::Ordering;

use polity_database::evolve::{Alias, Class, Index, Mode, Mutation, Saved, Verdict};
use polity_database::{BuildState, Document, Durability, Value};
use polity_engine::Mutation as Act;
use uuid::Uuid;
use world::*;

#[test]
fn an_index_is_built_hidden_tried_and_kept() {
    let world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    assert_eq!(world.newest().state, "canary");
    assert_eq!(
        world.parts(),
        [("orders(customer)".to_owned(), BuildState::Hidden)]
    );
    assert!(world.uses(FILTER).is_empty(), "nobody sees it yet");
    world.filter(120);
    world.turn();
    let kept = world.newest();
    assert_eq!(kept.state, "kept", "{}", kept.story);
    let measured = kept.measured.unwrap();
    assert!(
        measured.pairs >= 30 && measured.effect < 0.8,
        "{measured:?}"
    );
    assert_eq!(world.uses(FILTER), ["orders(customer)"]);
    assert!(kept.story.contains("polity db revert"), "{}", kept.story);
    assert!(kept.hash.is_some());
    world.filter(100);
}

#[test]
fn a_rollup_is_kept_and_stays_right_through_writes_during_its_trial() {
    let world = World::new(2_000);
    world.ask(GROUPS, &[]);
    let before = world.ask(GROUPS, &[]);
    world.house.say(rollup());
    world.round();
    for n in 0..140 {
        let rows = world.ask(GROUPS, &[]);
        let documents = [document(n)];
        let engine = world.database.engine();
        engine
            .insert("orders", &documents, Durability::Relaxed)
            .unwrap();
        let sum: i64 = rows
            .iter()
            .map(|row| row[2].to_string().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 2_000 + n);
    }
    world.turn();
    assert_eq!(world.newest().state, "kept", "{}", world.newest().story);
    assert_eq!(
        world.uses(GROUPS),
        ["orders by state: count(*), sum(total)"]
    );
    assert_eq!(before.len(), world.ask(GROUPS, &[]).len());
}

#[test]
fn a_part_that_no_query_uses_is_taken_back_when_its_time_is_over() {
    let world = World::new(500);
    world.house.say(Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["note".to_owned()],
    }));
    world.round();
    assert_eq!(world.newest().state, "canary");
    world.clock.fetch_add(30 * DAY, Ordering::SeqCst);
    world.turn();
    let reverted = world.newest();
    assert_eq!(reverted.state, "reverted");
    assert!(
        reverted.words.contains("hardly any query"),
        "{}",
        reverted.words
    );
    assert!(world.parts().is_empty());
    // It rests: proposed again, it is asked for in vain.
    world.round();
    assert_eq!(world.all().len(), 1);
}

#[test]
fn the_rules_and_the_people_decide_before_anything_is_built() {
    let world = World::new(300);
    *world.house.verdict.lock() = Verdict::Deny {
        reason: "no".to_owned(),
    };
    world.house.say(index());
    world.round();
    assert_eq!(world.newest().state, "refused");
    assert!(world.parts().is_empty());

    *world.house.verdict.lock() = Verdict::Allow;
    world
        .house
        .policy
        .lock()
        .modes
        .insert(Class::Rollup, Mode::Suggest);
    world.house.say(rollup());
    world.round();
    let asked = world.newest();
    assert_eq!(asked.state, "asked", "{}", asked.story);
    assert_eq!(*world.house.asked.lock(), [asked.id]);
    world.turn();
    assert!(
        world.parts().is_empty(),
        "nothing is built before the answer"
    );
    world.house.answers.lock().insert(asked.id, true);
    world.turn();
    let tried = world.newest();
    assert_eq!((tried.id, &*tried.state), (asked.id, "canary"));
    assert_eq!(tried.approved_by.as_deref(), Some("person:ada"));
}

#[test]
fn what_was_kept_is_taken_back_when_a_person_says_so() {
    let world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    world.filter(120);
    world.turn();
    let kept = world.newest();
    assert_eq!(kept.state, "kept");
    world.house.says.lock().clear();
    let evolver = world.database.evolver().unwrap();
    evolver.revert(kept.id, "person:ada").unwrap();
    assert!(world.parts().is_empty());
    let all = world.all();
    assert_eq!(all[0].takes_back, Some(kept.id));
    assert_eq!(all[1].taken_back_by, Some(all[0].id));
    let again = evolver.revert(kept.id, "person:ada").unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
    assert!(evolver.revert(Uuid::nil(), "person:ada").is_err());
    world.filter(10);
}

#[test]
fn fields_appear_go_out_of_sight_and_come_back_without_touching_a_document() {
    let world = World::new(100);
    let columns = |world: &World| {
        let summary = world
            .database
            .engine()
            .query("SELECT * FROM orders LIMIT 1", &[]);
        summary.unwrap().summary.columns
    };
    let everything = columns(&world);
    let promote = Mutation::PromoteField(field("note"));
    let archive = Mutation::ArchiveField(field("note"));
    let alias = Mutation::AliasField(Alias {
        collection: "orders".to_owned(),
        path: "total".to_owned(),
        alias: "amount".to_owned(),
    });
    world
        .house
        .policy
        .lock()
        .modes
        .insert(Class::Alias, Mode::Auto);
    for mutation in [promote, archive, alias] {
        world.house.say(mutation);
        world.round();
        assert_eq!(world.newest().state, "kept", "{}", world.newest().story);
    }
    assert!(!columns(&world).contains(&"note".to_owned()));
    let named = world.ask(
        "SELECT note, amount FROM orders WHERE id = $1",
        &[Value::Int(1)],
    );
    assert_eq!(named[0][0].to_string(), "n", "it still answers by name");
    let archived = world
        .all()
        .into_iter()
        .find(|view| view.kind == "archive-field")
        .unwrap();
    world.house.says.lock().clear();
    world
        .database
        .evolver()
        .unwrap()
        .revert(archived.id, "person:ada")
        .unwrap();
    assert_eq!(columns(&world), everything);
}

#[test]
fn a_strategy_that_speaks_nonsense_for_ever_is_muted() {
    let world = World::new(50);
    for nonsense in [
        Mutation::CreateIndex(Index {
            collection: "nowhere".to_owned(),
            fields: vec!["customer".to_owned()],
        }),
        Mutation::CreateIndex(Index {
            collection: "orders".to_owned(),
            fields: vec!["never seen".to_owned()],
        }),
    ] {
        world.house.say(nonsense);
        for _ in 0..10 {
            world.round();
        }
    }
    assert!(world.all().is_empty());
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert!(strategy.standing.muted_until_ms > world.clock.load(Ordering::SeqCst));
    let complaint = strategy.standing.complaint.as_ref().unwrap();
    assert!(complaint.contains("never seen"), "{complaint}");
    world.house.say(index());
    world.round();
    assert!(world.all().is_empty(), "nobody listens");
}

#[test]
fn a_strategy_that_fails_for_ever_is_muted_and_harms_nobody() {
    let world = World::new(50);
    *world.house.fails.lock() = Some("it ran out of fuel".to_owned());
    for _ in 0..20 {
        world.round();
    }
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert_eq!(strategy.standing.mutes, 1);
    assert_eq!(
        world.ask("SELECT count(*) FROM orders", &[])[0][0].to_string(),
        "50"
    );
}

#[test]
fn proposals_without_number_are_read_up_to_a_limit() {
    let world = World::new(50);
    world.house.say(index());
    let mut says = world.house.says.lock().clone();
    for n in 0..5_000 {
        let mut proposal = says[0].clone();
        proposal.mutation = Mutation::PromoteField(field(&format!("f{n}")));
        proposal.reason = "x".repeat(10_000);
        says.push(proposal);
    }
    *world.house.says.lock() = says;
    world.round();
    assert_eq!(world.all().len(), 1);
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert!(
        strategy
            .standing
            .complaint
            .as_ref()
            .unwrap()
            .contains("5001")
    );
}

#[test]
fn a_rehearsal_says_what_would_be_and_changes_nothing() {
    let world = World::new(100);
    world.house.say(index());
    let rehearsal = world.database.evolver().unwrap().rehearse().unwrap();
    assert_eq!(rehearsal.proposals.len(), 1);
    let said = serde_json::to_value(&rehearsal.proposals[0]).unwrap();
    assert_eq!(said["admission"], "begun");
    assert_eq!(said["mode"], "auto");
    assert!(world.all().is_empty() && world.parts().is_empty());
    assert_eq!(*world.house.disk.0.lock(), Saved::default());
}

#[test]
fn a_process_that_ends_in_any_state_goes_on_or_undoes() {
    // The journal fails at its nth store: the machine is thrown away there, as in a crash before that step.
    for stores in 0..12 {
        let mut world = World::new(2_000);
        world.filter(40);
        world.house.say(index());
        world.house.stores.store(stores, Ordering::SeqCst);
        world.clock.fetch_add(HOUR, Ordering::SeqCst);
        let evolver = world.database.evolver().unwrap();
        let _ = evolver.turn(true);
        world.filter(130);
        let _ = world.database.evolver().unwrap().turn(false);
        world = world.crash();
        world.turn();
        world.house.say(index());
        for _ in 0..3 {
            world.round();
            world.filter(130);
            world.turn();
        }
        let kept = world.newest();
        assert_eq!(kept.state, "kept", "after {stores} stores: {}", kept.story);
        assert_eq!(
            world.parts(),
            [("orders(customer)".to_owned(), BuildState::Active)]
        );
        assert_eq!(world.all().len(), 1, "nothing was made twice");
        assert_eq!(world.database.engine().count("orders").unwrap(), 2_000);
        world.filter(100);
    }
}

#[test]
fn what_is_kept_and_missing_is_built_again_and_what_is_nobodys_is_dropped() {
    let mut world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    world.filter(130);
    world.turn();
    assert_eq!(world.newest().state, "kept");
    world.house.says.lock().clear();
    let engine = world.database.engine();
    let gone = Act::DropIndex {
        collection: "orders".to_owned(),
        name: "orders(customer)".to_owned(),
    };
    engine.apply(&gone).unwrap();
    let stray = Act::CreateIndex {
        collection: "orders".to_owned(),
        name: "orders(state)".to_owned(),
        fields: vec!["state".to_owned()],
    };
    engine.begin(&stray).unwrap();
    world = world.crash();
    world.turn();
    assert_eq!(
        world.parts(),
        [("orders(customer)".to_owned(), BuildState::Active)]
    );
}

#[test]
fn an_index_that_slows_queries_down_is_taken_back_within_sixty_runs() {
    // All that is rare came last, and the planner cannot know: it reads the order from the index, row by row, and finds
    // what it wants at the very end.
    let world = World::new(0);
    let documents: Vec<Document> = (0..20_000)
        .map(|n| {
            let text = format!(
                r#"{{"placed": {n}, "rare": {}, "note": "n{n}"}}"#,
                n > 19_000
            );
            Document::parse(text.as_bytes()).unwrap()
        })
        .collect();
    let engine = world.database.engine();
    engine
        .insert("orders", &documents, Durability::Relaxed)
        .unwrap();
    world.house.say(Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["placed".to_owned()],
    }));
    world.round();
    assert_eq!(world.newest().state, "canary");
    let sql = "SELECT note FROM orders WHERE rare = true ORDER BY placed LIMIT 5";
    for _ in 0..60 {
        assert_eq!(world.ask(sql, &[])[0][0].to_string(), "n19001");
    }
    world.turn();
    let tried = world.newest();
    assert_eq!(tried.state, "reverted", "{}", tried.story);
    assert!(tried.words.contains("slower"), "{}", tried.words);
    assert!(world.parts().is_empty());
}
