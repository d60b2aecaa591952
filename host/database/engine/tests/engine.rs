//! The engine from outside: what it answers, refuses, keeps and undoes.

use std::sync::Arc;

use polity_engine::{
    Aggregate, AggregateKind, Document, Durability, Engine, EngineError, Fault, FaultyKv,
    FieldState, Limits, MemoryKv, Mutation, Options, QueryOptions, SledKv, Value,
};
use proptest::prelude::*;

fn engine() -> Engine {
    Engine::open(Arc::new(MemoryKv::default()), Options::default()).unwrap()
}

fn doc(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap()
}

fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    show(
        engine
            .query(sql, &[])
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .rows,
    )
}

fn show(rows: Vec<Vec<Value>>) -> Vec<String> {
    rows.iter()
        .map(|row| {
            row.iter()
                .map(|v| {
                    if v.is_null() {
                        "NULL".to_owned()
                    } else {
                        v.to_string()
                    }
                })
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect()
}

fn index(collection: &str, name: &str, fields: &[&str]) -> Mutation {
    Mutation::CreateIndex {
        collection: collection.to_owned(),
        name: name.to_owned(),
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
    }
}

fn rollup(
    collection: &str,
    name: &str,
    group_by: &[&str],
    aggregates: &[(AggregateKind, &str)],
) -> Mutation {
    Mutation::CreateRollup {
        collection: collection.to_owned(),
        name: name.to_owned(),
        group_by: group_by.iter().map(|f| (*f).to_owned()).collect(),
        aggregates: aggregates
            .iter()
            .map(|(function, field)| Aggregate {
                function: *function,
                field: (*field).to_owned(),
            })
            .collect(),
    }
}

fn shop() -> Engine {
    let engine = engine();
    let orders = [
        r#"{"id":1,"customer":"ada","total":12.50,"qty":3,"paid":true}"#,
        r#"{"id":2,"customer":"bob","total":7,"qty":2,"paid":false}"#,
        r#"{"id":3,"customer":"ada","total":null,"qty":5,"note":"x"}"#,
        r#"{"id":4,"customer":"eve","total":30.25,"qty":null,"paid":true}"#,
    ];
    engine
        .insert("orders", &orders.map(doc), Durability::Durable)
        .unwrap();
    engine
        .insert(
            "people",
            &[
                doc(r#"{"id":"ada","city":"London"}"#),
                doc(r#"{"id":"bob","city":null}"#),
            ],
            Durability::Durable,
        )
        .unwrap();
    engine
}

#[test]
fn a_query_gives_the_rows_postgresql_would() {
    let e = shop();
    assert_eq!(
        rows(&e, "SELECT id, total FROM orders ORDER BY total DESC, id"),
        ["3|NULL", "4|30.25", "1|12.50", "2|7"]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT customer, count(*), sum(total), avg(qty) FROM orders GROUP BY customer HAVING count(*) >= 1 ORDER BY 1"
        ),
        [
            "ada|2|12.50|4.0000000000000000",
            "bob|1|7|2.0000000000000000",
            "eve|1|30.25|NULL"
        ]
    );
    assert_eq!(
        rows(&e, "SELECT qty / 2, qty / 2.0 FROM orders WHERE id = 1"),
        ["1|1.5000000000000000"]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT o.id, p.city FROM orders o LEFT JOIN people p ON p.id = o.customer ORDER BY o.id"
        ),
        ["1|London", "2|NULL", "3|London", "4|NULL"]
    );
    assert_eq!(
        rows(&e, "SELECT id FROM orders WHERE NOT (total > 10)"),
        ["2"]
    );
    assert_eq!(
        rows(&e, "SELECT id FROM orders WHERE total NOT IN (7, NULL)"),
        [""; 0]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT DISTINCT customer FROM orders ORDER BY customer LIMIT 2 OFFSET 1"
        ),
        ["bob", "eve"]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT count(*) FILTER (WHERE paid), count(DISTINCT customer) FROM orders"
        ),
        ["2|3"]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT CASE WHEN total > 10 THEN 'big' ELSE 'small' END FROM orders ORDER BY id"
        ),
        ["big", "small", "small", "big"]
    );
}

#[test]
fn what_is_not_supported_is_named_with_its_place() {
    let e = shop();
    let mut said = Vec::new();
    for sql in [
        "SELECT * FROM orders, people",
        "SELECT * FROM orders CROSS JOIN people",
        "SELECT id FROM orders WHERE id IN (SELECT id FROM people)",
        "SELECT id FROM orders WHERE customer ~ 'a+'",
        "SELECT row_number() OVER () FROM orders",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT 1 UNION SELECT 2",
        "SELECT nope FROM orders",
        "SELECT *\nFROM nowhere",
        "SELECT customer, total FROM orders GROUP BY customer",
        "SELECT sum(customer) FROM orders",
        "DROP TABLE orders",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "INSERT INTO orders (id) VALUES (9) ON CONFLICT DO NOTHING",
        "SELECT total + customer FROM orders",
        "SELECT md5(customer) FROM orders",
    ] {
        said.push(format!("{sql}\n  {}", e.query(sql, &[]).unwrap_err()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_plan_reads_as_a_tree() {
    let e = shop();
    let many: Vec<_> = (10..3000)
        .map(|i| {
            doc(&format!(
                r#"{{"id":{i},"customer":"c{}","total":{i},"qty":{}}}"#,
                i % 500,
                i % 7
            ))
        })
        .collect();
    e.insert("orders", &many, Durability::Durable).unwrap();
    e.apply(&index("orders", "by_customer", &["customer", "total"]))
        .unwrap();
    e.apply(&rollup(
        "orders",
        "per_qty",
        &["qty"],
        &[(AggregateKind::Sum, "total")],
    ))
    .unwrap();
    let mut said = Vec::new();
    for sql in [
        "SELECT * FROM orders WHERE id = 5",
        "SELECT note FROM orders WHERE customer = 'ada' AND total > 5 ORDER BY total",
        "SELECT total FROM orders WHERE customer = 'ada'",
        "SELECT o.id, p.city FROM orders o JOIN people p ON p.id = o.customer WHERE o.customer = 'ada'",
        "SELECT qty, sum(total), avg(total) FROM orders GROUP BY qty ORDER BY 2 DESC",
        "SELECT customer, max(total) FROM orders WHERE qty > 2 GROUP BY customer",
    ] {
        said.push(format!(
            "{sql}\n{}",
            e.explain(sql, &QueryOptions::default()).unwrap()
        ));
    }
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn parameters_are_values_and_never_text_of_the_query() {
    let e = shop();
    let hostile = Value::from("ada' OR '1'='1");
    assert!(
        e.query("SELECT id FROM orders WHERE customer = $1", &[hostile])
            .unwrap()
            .rows
            .is_empty()
    );
    assert_eq!(
        e.query("SELECT id FROM orders WHERE qty = $1", &[Value::from("3")])
            .unwrap()
            .rows
            .len(),
        1
    );
    assert!(matches!(
        e.query("SELECT $2", &[Value::Null]),
        Err(EngineError::Invalid { .. })
    ));
}

#[test]
fn queries_that_differ_in_literals_share_a_plan_and_not_their_answers() {
    let e = shop();
    assert_eq!(
        rows(
            &e,
            "SELECT id FROM orders WHERE customer = 'ada' ORDER BY id"
        ),
        ["1", "3"]
    );
    assert_eq!(
        rows(
            &e,
            "SELECT id FROM orders WHERE customer = 'bob' ORDER BY id"
        ),
        ["2"]
    );
    assert_eq!(rows(&e, "SELECT id FROM orders WHERE qty = '5'"), ["3"]);
    let a = e
        .query("SELECT id FROM orders WHERE id = 1", &[])
        .unwrap()
        .summary
        .fingerprint;
    let b = e
        .query("select id  from orders where id = $1", &[Value::Int(2)])
        .unwrap()
        .summary
        .fingerprint;
    assert_eq!(a, b);
}

#[test]
fn writes_change_rows_indexes_and_rollups_together() {
    let e = shop();
    e.apply(&index("orders", "by_customer", &["customer"]))
        .unwrap();
    e.apply(&rollup(
        "orders",
        "per_customer",
        &["customer"],
        &[(AggregateKind::Sum, "total"), (AggregateKind::Min, "qty")],
    ))
    .unwrap();
    assert_eq!(
        e.query(
            "UPDATE orders SET customer = 'eve', qty = qty + 1 WHERE customer = 'ada'",
            &[]
        )
        .unwrap()
        .summary
        .rows,
        2
    );
    assert_eq!(
        rows(
            &e,
            "SELECT customer, sum(total), min(qty), count(*) FROM orders GROUP BY customer ORDER BY 1"
        ),
        ["bob|7|2|1", "eve|42.75|4|3"]
    );
    assert_eq!(
        e.query("DELETE FROM orders WHERE id = 1", &[])
            .unwrap()
            .summary
            .rows,
        1
    );
    assert_eq!(
        rows(
            &e,
            "SELECT customer, sum(total), min(qty) FROM orders GROUP BY customer ORDER BY 1"
        ),
        ["bob|7|2", "eve|30.25|6"]
    );
    assert_eq!(
        e.query(
            "INSERT INTO orders (customer, total) VALUES ('zoe', 1), ('zoe', 2)",
            &[]
        )
        .unwrap()
        .summary
        .rows,
        2
    );
    assert_eq!(
        rows(
            &e,
            "SELECT id, total FROM orders WHERE customer = 'zoe' ORDER BY id"
        ),
        ["5|1", "6|2"]
    );
    assert!(matches!(
        e.insert(
            "orders",
            &[doc(r#"{"id":99}"#), doc(r#"{"id":2}"#)],
            Durability::Durable
        ),
        Err(EngineError::Exists { .. })
    ));
    assert_eq!(e.get("orders", &Value::Int(99)).unwrap(), None);
}

#[test]
fn nothing_of_a_document_is_lost() {
    let e = engine();
    let text = r#"{"id":"a","n":{"deep":[1,2.50,{"x":null}]},"big":123456789012345678901234567890.5,"huge":1e999,"e":""}"#;
    e.insert("c", &[doc(text)], Durability::Durable).unwrap();
    assert_eq!(
        e.get("c", &Value::from("a")).unwrap().unwrap().to_json(),
        text
    );
    assert_eq!(rows(&e, "SELECT n->'deep'->>1 FROM c"), ["2.50"]);
}

#[test]
fn limits_stop_a_query_and_say_what_to_do() {
    let e = engine();
    let many: Vec<_> = (0..5000)
        .map(|i| doc(&format!(r#"{{"id":{i},"g":1,"t":"text {i}"}}"#)))
        .collect();
    e.insert("t", &many, Durability::Durable).unwrap();
    let with = |limits| QueryOptions {
        limits,
        ..QueryOptions::default()
    };
    let run = |sql, limits| {
        e.query_with(sql, &[], &with(limits))
            .unwrap_err()
            .to_string()
    };
    let normal = Limits::default();
    assert!(run("SELECT id FROM t", Limits { rows: 10, ..normal }).contains("its rows"));
    assert!(
        run(
            "SELECT t FROM t",
            Limits {
                bytes: 1000,
                ..normal
            }
        )
        .contains("bytes")
    );
    assert!(
        run(
            "SELECT t FROM t ORDER BY t",
            Limits {
                memory: 10_000,
                ..normal
            }
        )
        .contains("memory")
    );
    assert!(
        run(
            "SELECT a.id FROM t a JOIN t b ON a.g = b.g",
            Limits {
                rows: 100_000,
                ..normal
            }
        )
        .contains("its rows")
    );
    assert_eq!(
        e.query_with(
            "SELECT t FROM t ORDER BY t LIMIT 1",
            &[],
            &with(Limits {
                memory: 2_000_000,
                ..normal
            })
        )
        .unwrap()
        .rows
        .len(),
        1
    );
    let deep = format!("SELECT {}1", "1+".repeat(50_000));
    assert!(matches!(
        e.query(&deep, &[]),
        Err(EngineError::Syntax { .. })
    ));
    assert!(matches!(
        e.query(
            &format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
            &[]
        ),
        Err(EngineError::Syntax { .. })
    ));
}

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
    let real = e.explain(sql, &QueryOptions::default()).unwrap().cost;
    assert!(
        (guess.cost_then / real - 1.0).abs() < 0.5,
        "{guess:?} {real}"
    );
}

#[test]
fn a_database_on_disk_is_there_again_after_it_was_closed_even_with_a_torn_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SledKv::open(folder.path(), 16 << 20).unwrap();
    {
        let e = Engine::open(Arc::new(open()), Options::default()).unwrap();
        e.insert("t", &[doc(r#"{"id":1,"a":"x"}"#)], Durability::Durable)
            .unwrap();
        e.apply(&index("t", "i", &["a"])).unwrap();
        assert!(matches!(
            SledKv::open(folder.path(), 1 << 20),
            Err(polity_engine::KvError::InUse { .. })
        ));
    }
    let mut torn = false;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("snap.")
        {
            std::fs::write(path, b"").unwrap();
            torn = true;
        }
    }
    let kv = open();
    let repaired = kv.was_repaired();
    let e = Engine::open(Arc::new(kv), Options::default()).unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t WHERE a = 'x'"), ["1"]);
    assert_eq!(e.catalogue().collection("t").unwrap().indexes.len(), 1);
    // Whether sled wrote a snapshot at all is its own affair.
    assert!(repaired || !torn);
}

#[test]
fn a_full_disk_stops_writing_and_recovery_goes_on_with_what_was_stored() {
    let kv = Arc::new(FaultyKv::new([]));
    let e = Engine::open(kv.clone(), Options::default()).unwrap();
    e.insert("t", &[doc(r#"{"id":1}"#)], Durability::Durable)
        .unwrap();
    kv.set_faults([Fault::DiskFullFrom(0)]);
    let error = e
        .insert("t", &[doc(r#"{"id":2}"#)], Durability::Durable)
        .unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
    assert!(matches!(
        e.insert("t", &[doc(r#"{"id":3}"#)], Durability::Relaxed),
        Err(EngineError::Stopped { .. })
    ));
    kv.set_faults([]);
    e.recover().unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t"), ["1"]);
    e.insert("t", &[doc(r#"{"id":4}"#)], Durability::Durable)
        .unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t ORDER BY id"), ["1", "4"]);
}

/// A scripted life with writes, builds and drops; returns how many documents were acknowledged.
fn life(e: &Engine) -> i64 {
    let mut acknowledged = 0;
    let steps = || -> Result<(), EngineError> {
        for i in 1..=12 {
            e.insert(
                "t",
                &[doc(&format!(
                    r#"{{"id":{i},"a":{},"b":"b{}"}}"#,
                    i % 3,
                    i % 2
                ))],
                Durability::Durable,
            )?;
            acknowledged = i;
            match i {
                4 => {
                    e.begin(&index("t", "i", &["a", "b"]))?;
                }
                5 => {
                    e.begin(&rollup(
                        "t",
                        "r",
                        &["b"],
                        &[(AggregateKind::Sum, "a"), (AggregateKind::Max, "a")],
                    ))?;
                }
                6..=11 => {
                    e.build_step("t", "i", 3)?;
                    e.build_step("t", "r", 2)?;
                    e.query("UPDATE t SET a = a + 1 WHERE id = $1", &[Value::Int(i - 5)])?;
                }
                _ => {}
            }
        }
        e.apply(&Mutation::DropIndex {
            collection: "t".to_owned(),
            name: "i".to_owned(),
        })?;
        Ok(())
    }();
    let _ = steps;
    acknowledged
}

#[test]
fn a_crash_at_every_write_leaves_catalogue_and_rows_right() {
    let probe = Arc::new(FaultyKv::new([]));
    life(&Engine::open(probe.clone(), Options::default()).unwrap());
    let writes = probe.writes();
    assert!(writes >= 20, "{writes}");
    for at in 1..=writes {
        for survivors in [0, 1, usize::MAX] {
            let kv = Arc::new(FaultyKv::new([Fault::CrashAt(at)]));
            let acknowledged = Engine::open(kv.clone(), Options::default()).map_or(0, |e| life(&e));
            let e = Engine::open(Arc::new(kv.after_crash(survivors)), Options::default()).unwrap();
            if acknowledged == 0 && !e.catalogue().collections.contains_key("t") {
                continue;
            }
            let count = rows(&e, "SELECT count(*), max(id) FROM t");
            let (stored, greatest) = count[0].split_once('|').unwrap();
            assert_eq!(stored, greatest, "write {at}: a row is missing in between");
            assert!(
                stored.parse::<i64>().unwrap() >= acknowledged,
                "write {at}: an acknowledged row is gone"
            );
            for (collection, name) in e.catalogue().unfinished() {
                while !e.build_step(&collection, &name, 2).unwrap().complete {}
            }
            let found = e.catalogue().collection("t").unwrap().clone();
            let names: Vec<String> = found
                .indexes
                .iter()
                .map(|i| i.name.clone())
                .chain(found.rollups.iter().map(|r| r.name.clone()))
                .collect();
            names
                .iter()
                .for_each(|name| e.publish("t", name, true).unwrap());
            same_with_and_without(
                &e,
                &names,
                &[
                    "SELECT id FROM t WHERE a = 1 AND b = 'b1'",
                    "SELECT b, sum(a), max(a), count(*) FROM t GROUP BY b",
                    "SELECT a, b FROM t WHERE a > 0",
                ],
            );
        }
    }
}

fn same_with_and_without(e: &Engine, names: &[String], queries: &[&str]) {
    for sql in queries {
        let sorted = |options: &QueryOptions| {
            let mut rows = show(e.query_with(sql, &[], options).unwrap().rows);
            rows.sort();
            rows
        };
        let masked = QueryOptions {
            masked: names.to_vec(),
            ..QueryOptions::default()
        };
        assert_eq!(sorted(&QueryOptions::default()), sorted(&masked), "{sql}");
    }
}

fn any_document() -> impl Strategy<Value = String> {
    let a = prop_oneof![
        Just("null".to_owned()),
        (-3i64..4).prop_map(|i| i.to_string()),
        (-30i64..40).prop_map(|i| format!("{}.{}", i / 10, (i % 10).abs())),
        Just("\"x\"".to_owned())
    ];
    let b = prop_oneof![
        Just("null".to_owned()),
        "[a-c]{0,2}".prop_map(|t| format!("\"{t}\"")),
        Just("true".to_owned())
    ];
    (a, b, -5i64..6).prop_map(|(a, b, c)| format!(r#""a":{a},"b":{b},"c":{c}"#))
}

#[derive(Debug, Clone)]
enum Action {
    Insert(i64, String),
    Update(i64, String),
    Delete(i64),
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0i64..60, any_document()).prop_map(|(id, d)| Action::Insert(id, d)),
        2 => (0i64..60, any_document()).prop_map(|(id, d)| Action::Update(id, d)),
        1 => (0i64..60).prop_map(Action::Delete),
    ]
}

fn act(e: &Engine, action: &Action) {
    match action {
        Action::Insert(id, text) => {
            let _ = e.insert(
                "t",
                &[doc(&format!("{{\"id\":{id},{text}}}"))],
                Durability::Relaxed,
            );
        }
        Action::Update(id, text) => {
            let d = doc(&format!("{{{text}}}"));
            let sql = "UPDATE t SET a = $2, b = $3, c = $4 WHERE id = $1";
            let values: Vec<Value> = std::iter::once(Value::Int(*id))
                .chain(d.fields.iter().map(|(_, v)| v.clone()))
                .collect();
            e.query(sql, &values).unwrap();
        }
        Action::Delete(id) => {
            e.query("DELETE FROM t WHERE id = $1", &[Value::Int(*id)])
                .unwrap();
        }
    }
}

fn any_predicate() -> impl Strategy<Value = String> {
    let op = prop_oneof![
        Just("="),
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">="),
        Just("<>")
    ];
    let term = prop_oneof![
        (op.clone(), -3i64..4).prop_map(|(op, v)| format!("a {op} {v}")),
        (op.clone(), -30i64..40).prop_map(|(op, v)| format!("a {op} {}.5", v / 10)),
        (op.clone(), "[a-c]{0,2}").prop_map(|(op, v)| format!("b {op} '{v}'")),
        (op, -5i64..6).prop_map(|(op, v)| format!("c {op} {v}")),
        (0i64..60).prop_map(|v| format!("id > {v}")),
        Just("a IS NULL".to_owned()),
        Just("b IN ('a', 'b')".to_owned()),
    ];
    prop::collection::vec((term, any::<bool>()), 1..4).prop_map(|terms| {
        let mut out = String::new();
        for (n, (term, or)) in terms.iter().enumerate() {
            if n > 0 {
                out.push_str(if *or { " OR " } else { " AND " });
            }
            out.push_str(term);
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn an_index_and_a_rollup_give_what_a_scan_gives(
        before in prop::collection::vec(any_action(), 1..60),
        after in prop::collection::vec(any_action(), 0..60),
        predicates in prop::collection::vec(any_predicate(), 1..8),
        paged in any::<bool>(),
    ) {
        let options = Options { memory: if paged { 600 } else { 1 << 20 }, ..Options::default() };
        let e = Engine::open(Arc::new(MemoryKv::default()), options).unwrap();
        e.insert("t", &[doc(r#"{"id":1000,"a":1,"b":"b","c":0}"#)], Durability::Relaxed).unwrap();
        before.iter().for_each(|a| act(&e, a));
        e.apply(&index("t", "i_a", &["a"])).unwrap();
        e.begin(&index("t", "i_bc", &["b", "c"])).unwrap();
        e.begin(&rollup("t", "r_b", &["b"], &[(AggregateKind::Sum, "c"), (AggregateKind::Min, "a"), (AggregateKind::Max, "a"), (AggregateKind::Avg, "c"), (AggregateKind::Count, "a")])).unwrap();
        let mut open = [("i_bc", true), ("r_b", true)];
        for action in &after {
            for (name, building) in &mut open {
                if *building {
                    *building = !e.build_step("t", name, 3).unwrap().complete;
                }
            }
            act(&e, action);
        }
        for (name, _) in open {
            while !e.build_step("t", name, 5).unwrap().complete {}
            e.publish("t", name, true).unwrap();
        }
        let names = ["i_a", "i_bc", "r_b"].map(str::to_owned);
        let mut queries: Vec<String> = predicates.iter().flat_map(|p| [
            format!("SELECT id, a, b, c FROM t WHERE {p}"),
            format!("SELECT b, c FROM t WHERE {p}"),
            format!("SELECT c, id FROM t WHERE {p} AND b = 'a' ORDER BY c DESC, id DESC LIMIT 3"),
        ]).collect();
        queries.push("SELECT b, sum(c), min(a), max(a), avg(c), count(a), count(*) FROM t GROUP BY b".to_owned());
        queries.push("SELECT x.id, y.id FROM t x JOIN t y ON x.b = y.b AND x.c = y.c".to_owned());
        let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
        same_with_and_without(&e, &names, &queries);
    }
}

#[test]
fn a_backup_restores_everything_and_a_cut_one_is_refused() {
    let e = shop();
    e.apply(&index("orders", "i", &["customer"])).unwrap();
    e.apply(&rollup(
        "orders",
        "r",
        &["customer"],
        &[(AggregateKind::Sum, "total")],
    ))
    .unwrap();
    let mut bytes = Vec::new();
    assert_eq!(e.backup(&mut bytes, &mut |_, _| {}).unwrap(), 6);
    let again = engine();
    assert_eq!(again.restore(&mut &bytes[..], &mut |_, _| {}).unwrap(), 6);
    for sql in [
        "SELECT * FROM orders ORDER BY id",
        "SELECT customer, sum(total) FROM orders GROUP BY customer ORDER BY 1",
        "SELECT * FROM people ORDER BY id",
    ] {
        assert_eq!(rows(&again, sql), rows(&e, sql));
    }
    assert_eq!(
        again
            .catalogue()
            .collection("orders")
            .unwrap()
            .rollups
            .len(),
        1
    );
    assert_eq!(
        again
            .catalogue()
            .collection("orders")
            .unwrap()
            .indexes
            .len(),
        1
    );
    let cut = &bytes[..bytes.len() - 30];
    assert!(engine().restore(&mut &cut[..], &mut |_, _| {}).is_err());
    assert!(e.restore(&mut &bytes[..], &mut |_, _| {}).is_err());
}

#[test]
fn files_come_in_typed_and_go_out_as_they_came() {
    use polity_engine::Format;
    let e = engine();
    let csv =
        "id,name,price,zip,ok\r\n1,\"a, \"\"b\"\"\nc\",1.50,01234,true\r\n2,,3,\"\",false\r\n";
    let mut last = 0;
    assert_eq!(
        e.import("t", Format::Csv, &mut csv.as_bytes(), &mut |n, _| last = n)
            .unwrap(),
        2
    );
    assert_eq!(last, 2);
    assert_eq!(
        rows(&e, "SELECT price * 2, zip || '!' FROM t ORDER BY id"),
        ["3.00|01234!", "6|!"]
    );
    let mut out = Vec::new();
    e.export("t", Format::Csv, &mut out, &mut |_, _| {})
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), csv);
    for format in [Format::Ndjson, Format::Json] {
        let mut out = Vec::new();
        e.export("t", format, &mut out, &mut |_, _| {}).unwrap();
        let other = engine();
        other
            .import("t", format, &mut &out[..], &mut |_, _| {})
            .unwrap();
        assert_eq!(
            rows(&other, "SELECT * FROM t ORDER BY id"),
            rows(&e, "SELECT * FROM t ORDER BY id")
        );
    }
    let error = e
        .import(
            "t",
            Format::Ndjson,
            &mut &b"{\"id\":5}\n{\"id\":6,\"id\":7}\n"[..],
            &mut |_, _| {},
        )
        .unwrap_err();
    assert!(error.to_string().starts_with("line 2:"), "{error}");
}

#[test]
fn a_declared_collection_refuses_what_does_not_fit() {
    let e = engine();
    let schema = serde_json::json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}}});
    e.declare_schema("people", &schema).unwrap();
    let insert = |text| {
        e.insert("people", &[doc(text)], Durability::Durable)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert_eq!(insert(r#"{"name":"ada","age":36,"more":[1]}"#), Ok(()));
    assert_eq!(
        insert(r#"{"age":36}"#),
        Err("the field \"name\" is required".to_owned())
    );
    assert_eq!(
        insert(r#"{"name":"bob","age":"old"}"#),
        Err("the field \"age\" is declared as integer and this is text".to_owned())
    );
    assert!(e.query("UPDATE people SET name = NULL", &[]).is_err());
    assert_eq!(rows(&e, "SELECT name, age FROM people"), ["ada|36"]);
}
