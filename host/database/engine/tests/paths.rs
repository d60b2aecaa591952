//! Indexes on values inside of JSON fields.

mod shop;

use std::sync::Arc;

use parking_lot::Mutex;
use polity_engine::{
    Document, Durability, Engine, FieldPath, MemoryKv, Observer, Options, QueryObservation,
    QueryOptions, Value,
};
use shop::*;

const EMAIL: &str = "data->'customer'->>'email'";

fn event(n: i64) -> Document {
    let customer = match n % 50 {
        0 => "null".to_owned(),
        1 => r#""none""#.to_owned(),
        2 => "{}".to_owned(),
        3 => r#"{"email": null}"#.to_owned(),
        4 => r#"{"email": 12.50}"#.to_owned(),
        5 => r#"{"email": ["a", 1]}"#.to_owned(),
        6 => r#"{"email": true}"#.to_owned(),
        m => format!(r#"{{"email": "{m}@example.org", "age": {m}}}"#),
    };
    let data = match n % 60 {
        57 => "7".to_owned(),
        58 => "null".to_owned(),
        59 => r#"{"kind": "other"}"#.to_owned(),
        m => format!(r#"{{"kind": "k{}", "customer": {customer}}}"#, m % 3),
    };
    doc(&format!(r#"{{"id": {n}, "data": {data}, "total": {n}}}"#))
}

fn filled(kv: Arc<MemoryKv>) -> Engine {
    let e = Engine::open(kv, Options::default()).unwrap();
    let events: Vec<Document> = (1..=1_200).map(event).collect();
    e.insert("events", &events, Durability::Durable).unwrap();
    e
}

const QUERIES: [&str; 10] = [
    "SELECT id FROM events WHERE data->'customer'->>'email' = '9@example.org'",
    "SELECT id, total FROM events WHERE data->'customer'->>'email' = '12.50'",
    "SELECT id FROM events WHERE data->'customer'->>'email' = '[\"a\",1]'",
    "SELECT id FROM events WHERE data->'customer'->>'email' >= '3' AND data->'customer'->>'email' < '4'",
    "SELECT e.id FROM events e WHERE e.data->'customer'->>'email' = 'true' AND e.total > 200",
    "SELECT data->'customer'->>'email', count(*) FROM events GROUP BY data->'customer'->>'email'",
    "SELECT id, data FROM events WHERE data->'customer'->>'email' LIKE '1%' ORDER BY data->'customer'->>'email', id LIMIT 7",
    "SELECT count(*) FROM events WHERE data->'customer'->>'email' IS NULL",
    "SELECT id FROM events WHERE data->'customer'->>'email' IN ('8@example.org', 'none')",
    "SELECT id FROM events WHERE 'k1' = data->>'kind' AND data->'customer'->>'email' > '4'",
];

#[test]
fn an_index_inside_of_a_field_answers_as_a_scan_does() {
    let e = filled(Arc::default());
    e.apply(&index("events", "email", &[EMAIL])).unwrap();
    e.apply(&index("events", "both", &["data->>'kind'", EMAIL, "total"]))
        .unwrap();
    let names = ["email".to_owned(), "both".to_owned()];
    same_with_and_without(&e, &names, &QUERIES);
    for (sql, wanted) in [(QUERIES[0], "email"), (QUERIES[9], "both")] {
        assert_eq!(e.uses(sql, &QueryOptions::default()).unwrap(), [wanted]);
    }
    let answer = e.query(QUERIES[0], &[]).unwrap();
    assert!(answer.summary.examined < 60, "{:?}", answer.summary);
    let bound = "SELECT count(*) FROM events WHERE data->'customer'->>'email' = $1";
    let bound = e.query(bound, &[Value::from("9@example.org")]).unwrap();
    assert_eq!(bound.rows[0][0].to_string(), answer.rows.len().to_string());
    assert_eq!(bound.summary.examined, answer.rows.len() as u64);
}

#[test]
fn writes_keep_it_right_and_a_restart_finds_it_again() {
    let kv = Arc::new(MemoryKv::default());
    {
        let e = filled(kv.clone());
        e.begin(&index("events", "email", &[EMAIL])).unwrap();
        e.build_step("events", "email", 500).unwrap();
        let more: Vec<Document> = (1_201..=1_300).map(event).collect();
        e.insert("events", &more, Durability::Durable).unwrap();
        e.query("UPDATE events SET data = NULL WHERE id < 20", &[])
            .unwrap();
        e.query(
            "DELETE FROM events WHERE data->'customer'->>'email' = '9@example.org' AND id > 700",
            &[],
        )
        .unwrap();
        e.flush().unwrap();
    }
    let e = Engine::open(kv, Options::default()).unwrap();
    while !e.build_step("events", "email", 300).unwrap().complete {}
    e.publish("events", "email", true).unwrap();
    same_with_and_without(&e, &["email".to_owned()], &QUERIES);
    e.query(
        "UPDATE events SET data = NULL WHERE data->'customer'->>'email' = '8@example.org'",
        &[],
    )
    .unwrap();
    same_with_and_without(&e, &["email".to_owned()], &QUERIES);
}

#[test]
fn it_comes_and_goes_and_leaves_nothing_behind() {
    let e = filled(Arc::default());
    let before = serde_json::to_value(&*e.catalogue().collections["events"]).unwrap();
    let made = index("events", "email", &[EMAIL, "total"]);
    let back = e.apply(&made).unwrap();
    let found = e.catalogue().collection("events").unwrap().clone();
    assert_eq!(found.columns_of(&found.indexes[0]), [EMAIL, "total"]);
    assert_eq!(e.apply(&back).unwrap(), made);
    let after = serde_json::to_value(&*e.catalogue().collections["events"]).unwrap();
    assert_eq!(before, after);
    for (odd, why) in [
        ("nothing->>'a'", "nothing"),
        ("data->'a'", "data->'a'"),
        ("data->>a", "data->>a"),
    ] {
        let error = e.apply(&index("events", "i", &[odd])).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let deep = format!("data{}->>'z'", "->'a'".repeat(20));
    let error = e.apply(&index("events", "i", &[&deep])).unwrap_err();
    assert!(error.to_string().contains("at most 16"), "{error}");
    let twice = e.apply(&index("events", "i", &[EMAIL, EMAIL])).unwrap_err();
    assert!(twice.to_string().contains("once"), "{twice}");
}

#[test]
fn a_backup_brings_it_back() {
    let e = filled(Arc::default());
    e.apply(&index("events", "email", &[EMAIL])).unwrap();
    let mut bytes = Vec::new();
    e.backup(&mut bytes, &mut |_, _| {}).unwrap();
    let again = engine();
    again.restore(&mut &bytes[..], &mut |_, _| {}).unwrap();
    let uses = again.uses(QUERIES[0], &QueryOptions::default());
    assert_eq!(uses.unwrap(), ["email"]);
    for sql in QUERIES {
        assert_eq!(rows(&again, sql), rows(&e, sql), "{sql}");
    }
}

#[test]
fn what_if_knows_of_it() {
    let e = filled(Arc::default());
    let told = e
        .what_if(QUERIES[0], &[("events".to_owned(), vec![EMAIL.to_owned()])])
        .unwrap();
    assert!(told.cost_then * 2.0 < told.cost_now, "{told:?}");
    assert_eq!(told.uses.len(), 1);
}

#[derive(Default)]
struct Told(Mutex<Vec<(u64, String)>>);

impl Observer for Told {
    fn query(&self, query: &QueryObservation<'_>) {
        let text = format!("{:?} {:?}", query.shape.predicates, query.shape.fields);
        self.0.lock().push((query.fingerprint, text));
    }
}

#[test]
fn who_watches_is_told_which_value_was_asked_for_with_the_index_and_without() {
    let told = Arc::new(Told::default());
    let options = Options {
        observer: told.clone(),
        ..Options::default()
    };
    let e = Engine::open(Arc::new(MemoryKv::default()), options).unwrap();
    e.insert("events", &[event(9)], Durability::Durable)
        .unwrap();
    let other = "SELECT id FROM events WHERE data->'customer'->>'name' = 'x'";
    e.query(QUERIES[0], &[]).unwrap();
    e.query(other, &[]).unwrap();
    e.apply(&index("events", "email", &[EMAIL])).unwrap();
    e.query(QUERIES[0], &[]).unwrap();
    let told = told.0.lock();
    assert!(told[0].1.contains(EMAIL), "{told:?}");
    assert!(told[0].1.contains(r#"("events", "data")"#), "{told:?}");
    assert_ne!(told[0].0, told[1].0, "another key is another query");
    assert_eq!(told[0], told[2]);
    assert_eq!(FieldPath::parse(EMAIL).unwrap().keys, ["customer", "email"]);
}
