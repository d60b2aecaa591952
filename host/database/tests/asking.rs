//! The strategy for hot queries on the real engine: it asks the planner what its candidates would do.

mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hot_query::{Config, Nobody, Planner, Told};
use parking_lot::Mutex;
use polity_database::evolve::{Index, Mutation, Proposal};
use polity_database::{Document, Durability, Observations, Value, WhatIf};
use serde::Deserialize;
use world::*;

/// The database's planner, as the contract hands it to a plugin.
struct Asked(Arc<WhatIf>);

impl Planner for Asked {
    fn ask(&self, collection: &str, indexes: &[Vec<String>]) -> Option<Told> {
        let changes = changes(collection, indexes);
        Some(told(self.0.estimate(&changes).ok()?))
    }
}

/// What was seen, and what was said to it.
type Round = (serde_json::Value, Vec<Proposal>);

/// What was told once, told again.
struct Recorded(Vec<polity_database::Asked>);

impl Planner for Recorded {
    fn ask(&self, collection: &str, indexes: &[Vec<String>]) -> Option<Told> {
        let changes = changes(collection, indexes);
        let asked = self.0.iter().find(|asked| asked.changes == changes)?;
        Some(told(asked.told.clone()?))
    }
}

fn changes(collection: &str, indexes: &[Vec<String>]) -> Vec<Mutation> {
    let change = |fields: &Vec<String>| {
        Mutation::CreateIndex(Index {
            collection: collection.to_owned(),
            fields: fields.clone(),
        })
    };
    indexes.iter().map(change).collect()
}

fn told(estimate: polity_database::Estimate) -> Told {
    let left = |effect: polity_database::Effect| (effect.query, effect.then_us / effect.now_us);
    Told::new(estimate.effects.into_iter().map(left))
}

fn hot(seen: &Observations) -> Vec<Proposal> {
    let known = hot_query::Seen::deserialize(&seen.seen).unwrap();
    let asked = Asked(seen.what_if.clone());
    let said = hot_query::propose(&Config::default(), seen.at_ms, &known, &asked);
    said.into_iter().map(polity_simulate::proposal).collect()
}

/// A world whose strategy is the real one, with orders that have documents inside.
fn world() -> World {
    let world = World::new(0);
    *world.house.thinks.lock() = Some(Box::new(hot));
    let documents: Vec<Document> = (0..600)
        .map(|n| {
            let (customer, state) = (n % 100, n % 4);
            let text = format!(
                r#"{{"data": {{"customer": {{"email": "{customer}@example.org"}}}}, "state": "s{state}", "total": {n}}}"#
            );
            Document::parse(text.as_bytes()).unwrap()
        })
        .collect();
    let inserted = world
        .database
        .engine()
        .insert("orders", &documents, Durability::Durable);
    inserted.unwrap();
    world
}

const INSIDE: &str = "SELECT count(*) FROM orders WHERE data->'customer'->>'email' = $1";
const BOTH: &str = "SELECT count(*) FROM orders WHERE state = $1 AND total = $2";

fn ask(world: &World, times: i64) {
    for n in 0..times {
        let email = Value::text(format!("{}@example.org", n % 100));
        assert_eq!(world.ask(INSIDE, &[email])[0][0].to_string(), "6");
    }
}

#[test]
fn a_value_inside_of_a_field_that_is_asked_for_often_gets_an_index() {
    let world = world();
    ask(&world, 1_010);
    // A load that has gone is not built for: somebody still asks.
    world.clock.fetch_add(HOUR, Ordering::SeqCst);
    ask(&world, 10);
    world.database.evolver().unwrap().turn(true).unwrap();
    let newest = world.newest();
    assert_eq!(newest.summary, "create-index orders(data.customer.email)");
    assert_eq!(newest.evidence["by"], "the planner");
    ask(&world, 120);
    world.turn();
    let kept = world.newest();
    assert_eq!(kept.state, "kept", "{}", kept.story);
    assert_eq!(world.uses(INSIDE), ["orders(data.customer.email)"]);
    // It is known again after a restart, and can be taken back.
    let world = world.crash();
    ask(&world, 10);
    assert_eq!(world.uses(INSIDE), ["orders(data.customer.email)"]);
    let evolver = world.database.evolver().unwrap();
    evolver.revert(world.newest().id, "person:ada").unwrap();
    world.turn();
    assert!(world.parts().is_empty(), "{:?}", world.parts());
}

#[test]
fn a_strategy_that_is_told_the_same_again_says_the_same_again() {
    let world = world();
    ask(&world, 1_010);
    world.clock.fetch_add(HOUR, Ordering::SeqCst);
    ask(&world, 10);
    let kept: Arc<Mutex<Option<Round>>> = Arc::default();
    let keep = kept.clone();
    *world.house.thinks.lock() = Some(Box::new(move |seen| {
        let said = hot(seen);
        *keep.lock() = Some((seen.seen.clone(), said.clone()));
        said
    }));
    let rehearsal = world.database.evolver().unwrap().rehearse().unwrap();
    assert_eq!(rehearsal.asked.len(), 1);
    let questions = rehearsal.asked[0].questions.clone();
    assert!(!questions.is_empty());
    // All rows are gone, and so is the database.
    let (seen, said) = kept.lock().take().unwrap();
    drop(world);
    let known = hot_query::Seen::deserialize(&seen).unwrap();
    let again = hot_query::propose(
        &Config::default(),
        rehearsal.at_ms,
        &known,
        &Recorded(questions),
    );
    let again: Vec<Proposal> = again.into_iter().map(polity_simulate::proposal).collect();
    assert_eq!(said, again);
    assert!(!again.is_empty());
}

#[test]
fn the_planner_knows_that_an_index_which_holds_all_that_is_asked_for_saves_the_row() {
    let world = world();
    let alone: Arc<Mutex<Vec<String>>> = Arc::default();
    let says = alone.clone();
    *world.house.thinks.lock() = Some(Box::new(move |seen| {
        let known = hot_query::Seen::deserialize(&seen.seen).unwrap();
        let said = hot_query::propose(&Config::default(), seen.at_ms, &known, &Nobody);
        let said = said.into_iter().map(polity_simulate::proposal);
        *says.lock() = said.map(|said| said.mutation.to_string()).collect();
        hot(seen)
    }));
    let ask = |times: i64| {
        for n in 0..times {
            let state = Value::text(format!("s{}", n % 4));
            world.ask(BOTH, &[state, Value::Int(n)]);
        }
    };
    ask(1_010);
    world.clock.fetch_add(HOUR, Ordering::SeqCst);
    ask(10);
    world.database.evolver().unwrap().turn(true).unwrap();
    assert_eq!(world.newest().summary, "create-index orders(total, state)");
    // The strategy's own model finds one field as good as two.
    let alone = alone.lock().clone();
    assert_eq!(alone, ["create-index orders(total)"]);
}

#[test]
fn a_filter_whose_rows_are_wanted_in_the_order_of_their_ids_gets_its_index() {
    let world = world();
    let asked = "SELECT total FROM orders WHERE total = $1 ORDER BY id";
    let ask = |times: i64| {
        for n in 0..times {
            world.ask(asked, &[Value::Int(n % 600)]);
        }
    };
    ask(1_010);
    world.clock.fetch_add(HOUR, Ordering::SeqCst);
    ask(10);
    world.database.evolver().unwrap().turn(true).unwrap();
    assert_eq!(world.newest().summary, "create-index orders(total)");
}
