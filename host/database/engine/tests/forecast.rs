//! What changes would do, asked before they are made.

mod shop;

use std::sync::Arc;

use polity_engine::{
    AggregateKind, Change, Durability, Engine, Forecast, Forecaster, Mutation, QueryOptions,
};
use shop::*;

fn filled() -> Arc<Engine> {
    let e = engine();
    let many: Vec<_> = (0..20_000)
        .map(|i| {
            let (customer, state) = (i % 1_000, i % 4);
            doc(&format!(
                r#"{{"id":{i},"customer":{customer},"state":{state},"total":{i}}}"#
            ))
        })
        .collect();
    e.insert("orders", &many, Durability::Durable).unwrap();
    Arc::new(e)
}

const FILTER: &str = r#"SELECT total FROM orders WHERE customer = $1"#;
const GROUPS: &str = "SELECT state, sum(total) FROM orders GROUP BY state";

fn queries() -> Vec<String> {
    vec![FILTER.to_owned(), GROUPS.to_owned()]
}

/// What is told of two queries that are not refused.
fn told(e: &Arc<Engine>, changes: &[Mutation]) -> (Forecast, [Change; 2]) {
    let told = Forecaster::new(e.clone()).forecast(&queries(), changes);
    let told = told.unwrap();
    let of = |nth: usize| told.queries[nth].clone().unwrap();
    (told.clone(), [of(0), of(1)])
}

fn by_state() -> Mutation {
    rollup(
        "orders",
        "by_state",
        &["state"],
        &[(AggregateKind::Sum, "total")],
    )
}

#[test]
fn each_query_is_told_what_the_changes_would_do_to_it_and_the_rest_is_left_alone() {
    let e = filled();
    let ask = |changes: &[Mutation]| told(&e, changes);
    let (_, nothing) = ask(&[]);
    assert!(nothing.iter().all(|query| query.now == query.then));
    let (one, [filter, groups]) = ask(&[index("orders", "i", &["customer"])]);
    assert!(filter.then * 20.0 < filter.now, "{filter:?}");
    assert_eq!(filter.uses, ["i"]);
    assert_eq!(groups.now, groups.then);
    let (both, [same, groups]) = ask(&[index("orders", "i", &["customer"]), by_state()]);
    assert_eq!(same, filter);
    assert!(groups.then * 100.0 < groups.now, "{groups:?}");
    assert_eq!(groups.uses, ["by_state"]);
    assert!(both.write > one.write && both.build > one.build);
    assert!(both.bytes - one.bytes < 1_000, "four groups are small");
}

#[test]
fn a_forecast_comes_true() {
    let e = filled();
    let changes = [index("orders", "i", &["customer"]), by_state()];
    let (all, each) = told(&e, &changes);
    changes.iter().for_each(|change| {
        e.apply(change).unwrap();
    });
    for (sql, told) in queries().iter().zip(&each) {
        let real = e
            .explain(sql, &QueryOptions::default())
            .unwrap()
            .cost
            .unwrap();
        assert!(
            (told.then / real - 1.0).abs() < 0.5,
            "{sql}: {told:?} {real}"
        );
    }
    let bytes = e.bytes_of("orders", "i").unwrap() as f64;
    assert!(
        (all.bytes as f64 / bytes - 1.0).abs() < 0.2,
        "{all:?} {bytes}"
    );
}

#[test]
fn giving_up_what_is_used_makes_it_dear_again() {
    let e = filled();
    let inverse = e.apply(&index("orders", "i", &["customer"])).unwrap();
    let (all, [filter, _]) = told(&e, &[inverse]);
    assert!(filter.then > 20.0 * filter.now, "{filter:?}");
    assert!(all.bytes < 0 && all.write < 0.0 && all.build == 0.0);
    // Nothing has happened.
    assert_eq!(e.catalogue().collection("orders").unwrap().indexes.len(), 1);
}

#[test]
fn a_query_that_is_refused_spoils_no_answer() {
    let e = filled();
    let asked = ["SELECT FROM WHERE".to_owned(), FILTER.to_owned()];
    let told = Forecaster::new(e).forecast(&asked, &[by_state()]).unwrap();
    assert!(told.queries[0].is_none() && told.queries[1].is_some());
}

#[test]
fn the_same_question_has_the_same_answer_whatever_is_written_meanwhile() {
    let e = filled();
    let forecaster = Forecaster::new(e.clone());
    let changes = [index("orders", "i", &["customer", "state"]), by_state()];
    let first = forecaster.forecast(&queries(), &changes).unwrap();
    let more: Vec<_> = (20_000..30_000)
        .map(|i| doc(&format!(r#"{{"id":{i},"customer":1,"state":{i}}}"#)))
        .collect();
    e.insert("orders", &more, Durability::Relaxed).unwrap();
    assert_eq!(forecaster.forecast(&queries(), &changes).unwrap(), first);
    let anew = Forecaster::new(e).forecast(&queries(), &changes).unwrap();
    assert_ne!(anew, first);
}

#[test]
fn what_cannot_be_made_cannot_be_asked_about() {
    let e = filled();
    let ask = |change: Mutation| {
        let forecaster = Forecaster::new(&*e);
        forecaster
            .forecast(&queries(), &[change])
            .unwrap_err()
            .to_string()
    };
    assert!(ask(index("nowhere", "i", &["a"])).contains("nowhere"));
    assert!(ask(index("orders", "i", &["nothing"])).contains("nothing"));
    let gone = Mutation::DropIndex {
        collection: "orders".to_owned(),
        name: "never".to_owned(),
    };
    assert!(ask(gone).contains("never"));
    let alias = Mutation::AddAlias {
        collection: "orders".to_owned(),
        field: "total".to_owned(),
        alias: "sum".to_owned(),
    };
    assert!(ask(alias).contains("only indexes and rollups"));
}
