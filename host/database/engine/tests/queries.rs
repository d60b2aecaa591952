//! What a query answers, what it refuses, and how it reads.

mod shop;

use polity_engine::{AggregateKind, Durability, EngineError, Limits, QueryOptions, Value};
use shop::*;

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
