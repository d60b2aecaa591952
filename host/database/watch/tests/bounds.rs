//! Hostile and endless input: the memory keeps its bounds and its manners.

use polity_watch::{Execution, Limits, Op, Shape, Watch};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const DAY: u64 = 86_400_000;

fn paths(watch: &Watch) -> Vec<String> {
    let stats = watch.stats(0);
    stats.fields.into_iter().map(|field| field.path).collect()
}

#[test]
fn a_map_keyed_by_users_is_one_path() {
    let mut watch = Watch::default();
    for n in 0..2_000_u64 {
        let user = format!("u{}", n * n % 1_009);
        let document = json!({"day": n % 7, "by_user": {user: {"count": n, "at": "2026-11-23"}}});
        watch.wrote("usage", &document, n);
    }
    assert_eq!(
        paths(&watch),
        [
            "by_user",
            "by_user.*",
            "by_user.*.at",
            "by_user.*.count",
            "day"
        ]
    );
}

#[test]
fn fifteen_thousand_junk_keys_do_not_push_out_a_field_nor_keep_a_new_one_out() {
    let limits = Limits {
        paths: 100,
        ..Limits::default()
    };
    let mut watch = Watch::new(limits);
    for n in 0..5_000_u64 {
        let mut document = json!({"name": "x", "total": n, "state": "open"});
        let members = document.as_object_mut().unwrap();
        for extra in 0..3 {
            members.insert(word(n * 3 + extra), json!(1));
        }
        if n > 4_000 {
            members.insert("fresh".to_owned(), json!("late"));
        }
        watch.wrote("orders", &document, n * 1_000);
    }
    let paths = paths(&watch);
    assert!(paths.len() <= 101, "{}", paths.len());
    for name in ["name", "total", "state", "fresh"] {
        assert!(paths.iter().any(|path| path == name), "{name}");
    }
}

/// A key without digits.
fn word(n: u64) -> String {
    n.to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'k'))
        .collect()
}

#[test]
fn a_document_of_ten_thousand_fields_and_one_of_great_depth_are_taken_in_part() {
    let mut watch = Watch::default();
    let wide: Map<String, Value> = (0..10_000)
        .map(|n| (format!("field_{n}"), json!(n)))
        .collect();
    watch.wrote("wide", &Value::Object(wide), 0);
    let deep = (0..500).fold(json!(1), |inner, _| json!({ "a": inner }));
    watch.wrote("deep", &deep, 0);
    let nested = (0..500).fold(json!(1), |inner, _| json!([inner]));
    watch.wrote("nested", &json!({ "a": nested }), 0);
    let stats = watch.stats(0);
    let of = |name: &str| {
        stats
            .fields
            .iter()
            .filter(|field| field.collection == name)
            .count()
    };
    assert!(of("wide") <= Limits::default().paths + 1);
    assert!(of("deep") <= Limits::default().depth);
    assert!(of("nested") <= Limits::default().depth);
}

#[test]
fn ever_new_collections_and_queries_take_no_more_than_their_room() {
    let mut watch = Watch::new(Limits {
        collections: 10,
        queries: 20,
        ..Limits::default()
    });
    for n in 0..500 {
        let name = format!("c{n}");
        watch.wrote(&name, &json!({"a": 1}), n);
        let shape = Shape::select(name).filter("a", Op::Equal);
        watch.executed(&Execution::of(&shape), n);
    }
    let stats = watch.stats(500);
    assert_eq!((stats.collections.len(), stats.queries.len()), (10, 20));
}

#[test]
fn elements_of_an_array_count_once_for_a_document() {
    let mut watch = Watch::default();
    watch.wrote(
        "orders",
        &json!({"lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}),
        0,
    );
    let stats = watch.stats(0);
    let field = |path: &str| {
        stats
            .fields
            .iter()
            .find(|field| field.path == path)
            .unwrap()
    };
    assert_eq!(
        (field("lines[].sku").docs, field("lines").most_elements),
        (1, 3)
    );
}

#[test]
fn a_hot_query_is_seen_with_its_rate_and_its_cost() {
    let mut watch = Watch::default();
    watch.wrote("orders", &json!({"customer": "ALFKI"}), 0);
    let shape = Shape::select("orders").filter("customer", Op::Equal);
    for n in 0..3_000_u64 {
        let run = Execution::of(&shape).examined(830).returned(9).took_us(250);
        watch.executed(&run, n * DAY / 1_000);
    }
    let stats = watch.stats(3 * DAY);
    let query = &stats.queries[0];
    assert!(
        (query.calls_per_day - 1_000.0).abs() < 20.0,
        "{}",
        query.calls_per_day
    );
    assert!((query.examined_per_call - 830.0).abs() < 0.01);
    assert!((200..=320).contains(&query.p50_us), "{}", query.p50_us);
    assert_eq!(stats.fields[0].filters, 3_000);
}

#[test]
fn what_a_person_sees_of_a_small_collection() {
    let mut watch = Watch::default();
    for n in 0..40_u64 {
        let total = if n == 7 { json!("unknown") } else { json!(n) };
        let document = json!({"id": format!("A-{n}"), "total": total, "note": null});
        watch.wrote("orders", &document, n * DAY / 10);
    }
    let lines: Vec<String> = watch
        .stats(4 * DAY)
        .fields
        .iter()
        .map(|field| {
            let kinds: Vec<String> = (field.kinds.iter())
                .map(|known| format!("{:?} {} on {} days", known.kind, known.count, known.days))
                .collect();
            format!(
                "{}: {} of {} filled, {} distinct, {}, shapes {:?}",
                field.path,
                field.filled,
                field.docs,
                field.distinct,
                kinds.join(" + "),
                field.shapes,
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-c.*\\[\\]\\\\é]{0,3}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_document_is_taken_and_a_snapshot_says_the_same(documents in proptest::collection::vec(any_json(), 1..40)) {
        let limits = Limits { paths: 30, sample_all_until: 5, sample_every: 2, ..Limits::default() };
        let mut watch = Watch::new(limits);
        for (at, document) in documents.iter().enumerate() {
            watch.wrote("any", document, at as u64 * DAY / 3);
        }
        let stats = watch.stats(documents.len() as u64 * DAY);
        prop_assert!(stats.fields.len() <= 32);
        for field in &stats.fields {
            prop_assert!(field.filled <= field.docs && field.docs <= documents.len() as u64, "{field:?}");
        }
        let restored = Watch::restore(&watch.snapshot().unwrap()).unwrap();
        prop_assert_eq!(restored, watch);
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_harmless(at in 0_usize..2_000, byte: u8) {
        let mut watch = Watch::default();
        for n in 0..30 {
            watch.wrote("t", &json!({"a": n, "b": n % 3}), n);
        }
        let mut bytes = watch.snapshot().unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(mut restored) = Watch::restore(&bytes) {
            restored.wrote("t", &json!({"a": 1, "b": 2}), 100);
            let _ = restored.stats(100);
        }
    }
}
