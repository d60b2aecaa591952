//! Whatever is written and asked: an index answers as a scan, a rollup as a recomputation.

mod shop;

use std::sync::Arc;

use polity_engine::{AggregateKind, Durability, Engine, MemoryKv, Options, Value};
use proptest::prelude::*;
use shop::*;

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
