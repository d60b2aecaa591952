//! Changes to the schema: made, hidden, masked, undone.

mod shop;

use polity_engine::{AggregateKind, Durability, FieldState, Mutation, QueryOptions, Value};
use shop::*;

#[test]
fn a_mutation_and_its_inverse_leave_everything_as_it_was() {
    let e = shop();
    let state = |s| Mutation::SetFieldState {
        collection: "orders".to_owned(),
        field: "note".to_owned(),
        state: s,
    };
    let alias = Mutation::AddAlias {
        collection: "orders".to_owned(),
        field: "qty".to_owned(),
        alias: "quantity".to_owned(),
    };
    for mutation in [
        index("orders", "i", &["customer", "total"]),
        rollup("orders", "r", &["customer"], &[(AggregateKind::Sum, "qty")]),
        state(FieldState::Column),
        state(FieldState::Archived),
        alias,
    ] {
        let before = serde_json::to_value(&e.catalogue().collections).unwrap();
        let inverse = e.apply(&mutation).unwrap();
        assert_ne!(
            serde_json::to_value(&e.catalogue().collections).unwrap(),
            before,
            "{mutation:?}"
        );
        let again = e.apply(&inverse).unwrap();
        assert_eq!(
            serde_json::to_value(&e.catalogue().collections).unwrap(),
            before,
            "{mutation:?}"
        );
        assert_eq!(again, mutation);
    }
}

#[test]
fn an_archived_field_is_hidden_and_still_answers() {
    let e = shop();
    e.apply(&Mutation::SetFieldState {
        collection: "orders".to_owned(),
        field: "note".to_owned(),
        state: FieldState::Archived,
    })
    .unwrap();
    assert_eq!(
        rows(&e, "SELECT * FROM orders WHERE id = 3"),
        ["3|ada|NULL|5|NULL"]
    );
    assert_eq!(rows(&e, "SELECT note FROM orders WHERE id = 3"), ["x"]);
}

#[test]
fn a_hidden_index_is_used_only_when_asked_for_and_a_masked_one_not() {
    let e = engine();
    let many: Vec<_> = (0..2000)
        .map(|i| doc(&format!(r#"{{"id":{i},"k":"k{}"}}"#, i % 400)))
        .collect();
    e.insert("t", &many, Durability::Durable).unwrap();
    e.begin(&index("t", "i", &["k"])).unwrap();
    let mut steps = 0;
    while !e.build_step("t", "i", 300).unwrap().complete {
        steps += 1;
        // Rows on both sides of the cursor change while it is built.
        e.query(
            "UPDATE t SET k = 'k7' WHERE id = $1",
            &[Value::Int(steps * 40)],
        )
        .unwrap();
        e.query(
            "DELETE FROM t WHERE id = $1",
            &[Value::Int(2000 - steps * 30)],
        )
        .unwrap();
    }
    assert!(steps >= 6);
    let sql = "SELECT id FROM t WHERE k = 'k7' ORDER BY id";
    let examined = |options: &QueryOptions| {
        let answer = e.query_with(sql, &[], options).unwrap();
        (answer.summary.examined, show(answer.rows))
    };
    let plain = QueryOptions::default();
    let unmasked = QueryOptions {
        unmasked: vec!["i".to_owned()],
        ..plain.clone()
    };
    let masked = QueryOptions {
        masked: vec!["i".to_owned()],
        ..plain.clone()
    };
    let (scanned, wanted) = examined(&plain);
    assert!(scanned > 1900);
    let (read, found) = examined(&unmasked);
    assert_eq!((read as usize, &found), (wanted.len(), &wanted));
    e.publish("t", "i", true).unwrap();
    assert_eq!(examined(&plain).0 as usize, wanted.len());
    assert_eq!(examined(&masked), (scanned, wanted));
}

#[test]
fn what_if_agrees_with_the_index_when_it_exists() {
    let e = engine();
    let many: Vec<_> = (0..20_000)
        .map(|i| doc(&format!(r#"{{"id":{i},"a":{},"b":{}}}"#, i % 1000, i % 3)))
        .collect();
    e.insert("t", &many, Durability::Durable).unwrap();
    let sql = "SELECT b FROM t WHERE a = 5";
    let guess = e
        .what_if(sql, &[("t".to_owned(), vec!["a".to_owned()])])
        .unwrap();
    assert!(
        guess.cost_now > 10.0 * guess.cost_then && guess.uses.len() == 1,
        "{guess:?}"
    );
    e.apply(&index("t", "a", &["a"])).unwrap();
    let real = e
        .explain(sql, &QueryOptions::default())
        .unwrap()
        .cost
        .unwrap();
    assert!(
        (guess.cost_then / real - 1.0).abs() < 0.5,
        "{guess:?} {real}"
    );
}
