//! Schemas and payloads that nobody has seen before: made from a seed, with the truth beside them.

use std::collections::{BTreeMap, BTreeSet};

use polity_evolve::{Evolution, Mutation, Policy, seen};
use polity_simulate::{Noise, Which, propose};
use polity_watch::Watch;
use serde_json::{Map, Value, json};

const DAY: u64 = 86_400_000;

fn mutations(which: Which, watch: &Watch, now_ms: u64) -> Vec<Mutation> {
    let evolution = Evolution::new(Policy::default());
    let all = seen(
        serde_json::to_value(watch.stats(now_ms)).unwrap(),
        &evolution,
    );
    propose(which, now_ms, &all)
        .unwrap()
        .into_iter()
        .map(|p| p.mutation)
        .collect()
}

fn keys(watch: &Watch) -> BTreeSet<String> {
    mutations(Which::LinkedCollection, watch, 0)
        .into_iter()
        .filter_map(|mutation| match mutation {
            Mutation::LinkCollection(link) => Some(link.key),
            _ => None,
        })
        .collect()
}

fn word(noise: &mut Noise) -> String {
    (0..4 + noise.below(8))
        .map(|_| char::from(b'a' + noise.below(26) as u8))
        .collect()
}

/// A dimension: a key and attributes that depend on it alone.
struct Dimension {
    key: String,
    rows: Vec<Map<String, Value>>,
}

fn dimension(noise: &mut Noise, size: u64) -> Dimension {
    let name = word(noise);
    let key = if noise.chance(0.5) {
        format!("{name}_id")
    } else {
        format!("{name}Id")
    };
    let attributes: Vec<String> = (0..noise.below(4))
        .map(|_| format!("{name}_{}", word(noise)))
        .collect();
    let rows = (0..size)
        .map(|n| {
            let mut row = Map::new();
            row.insert(key.clone(), json!(1_000 + n * 7));
            row.insert(
                format!("{name}_name"),
                json!(format!("{} {}", word(noise), word(noise))),
            );
            for attribute in &attributes {
                row.insert(
                    attribute.clone(),
                    if noise.chance(0.5) {
                        json!(word(noise))
                    } else {
                        json!(noise.below(50))
                    },
                );
            }
            row
        })
        .collect();
    Dimension { key, rows }
}

#[test]
fn entities_of_unknown_schemas_are_found_and_hardly_anything_else() {
    let (mut found, mut wanted, mut wrong) = (0, 0, Vec::new());
    for seed in 0..30 {
        let mut noise = Noise::new(seed);
        let rows = 800 + noise.below(3_000);
        let dimensions: Vec<Dimension> = (0..1 + noise.below(4))
            .map(|_| {
                let size = 4 + noise.below(rows / 8);
                dimension(&mut noise, size)
            })
            .collect();
        let mut watch = Watch::default();
        for n in 0..rows {
            let mut row = Map::new();
            row.insert("line".to_owned(), json!(n));
            row.insert(
                "amount".to_owned(),
                json!(noise.below(100_000) as f64 / 100.0),
            );
            row.insert("quantity".to_owned(), json!(noise.below(20)));
            row.insert("note".to_owned(), json!(word(&mut noise)));
            row.insert(
                "state".to_owned(),
                json!(["open", "paid", "void"][noise.below(3) as usize]),
            );
            for dimension in &dimensions {
                let at = noise.below(dimension.rows.len() as u64) as usize;
                row.extend(dimension.rows[at].clone());
            }
            // A typing error in one row of five hundred.
            if noise.chance(0.002) {
                row.insert("state".to_owned(), json!("opne"));
            }
            watch.wrote("flat", &Value::Object(row), n);
        }
        let truth: BTreeSet<String> = dimensions
            .into_iter()
            .map(|dimension| dimension.key)
            .collect();
        let keys = keys(&watch);
        found += truth.intersection(&keys).count();
        wanted += truth.len();
        wrong.extend(keys.difference(&truth).cloned().map(|key| (seed, key)));
    }
    assert!(found as f64 >= 0.95 * wanted as f64, "{found} of {wanted}");
    assert!(wrong.len() * 50 <= wanted, "{wrong:?}");
}

/// Measures, calendars, categories, derived columns, near keys: much that depends, and nothing that is an entity.
#[test]
fn tables_without_entities_get_no_suggestion() {
    for seed in 0..20 {
        let mut noise = Noise::new(1_000 + seed);
        let mut watch = Watch::default();
        for n in 0..3_000_u64 {
            let (month, age, stop) = (noise.below(12), noise.below(90), noise.below(60));
            let value = noise.below(1_000);
            let row = json!({
                "event_id": n, "at": format!("2026-{:02}-{:02}T{:02}:00:00Z", month + 1, noise.below(28) + 1, noise.below(24)),
                "month": month, "month_name": format!("Month{}", "abcdefghijkl".as_bytes()[month as usize] as char),
                "hour": noise.below(24), "age": age, "age_group": if age < 18 { "minor" } else { "grown" },
                "value": value, "value_text": format!("{value}.00 USD"), "doubled": value * 2,
                "stop": format!("stop {stop}"), "zone": format!("zone {}", stop / 7),
                "distance": noise.below(5_000), "delay": noise.below(300), "cancelled": noise.chance(0.02),
                "origin": (["JFK", "LGA", "EWR"][noise.below(3) as usize]), "flight": noise.below(4_000),
                "sensor": noise.normal(), "level": (["low", "mid", "high"][(value / 334) as usize]),
            });
            watch.wrote("flights", &row, n);
        }
        assert_eq!(keys(&watch), BTreeSet::new(), "seed {seed}");
    }
}

/// Fields come and go in a stream that is full of mistakes.
#[test]
fn fields_of_unknown_streams_emerge_and_mistakes_do_not() {
    let (mut found, mut wanted) = (0, 0);
    for seed in 0..12 {
        let mut noise = Noise::new(2_000 + seed);
        let fields: Vec<(String, f64, u64, u64)> = (0..25)
            .map(|_| {
                let share = [1.0, 0.5, 0.1, 0.03][noise.below(4) as usize];
                let path = match noise.below(3) {
                    0 => word(&mut noise),
                    1 => format!(
                        "{}.{}",
                        ["meta", "detail"][noise.below(2) as usize],
                        word(&mut noise)
                    ),
                    _ => format!("{}_{}", word(&mut noise), noise.below(9)),
                };
                (path, share, noise.below(10), noise.below(4))
            })
            .collect();
        let mut watch = Watch::default();
        let mut filled: BTreeMap<&str, u64> = BTreeMap::new();
        for day in 0..16_u64 {
            for n in 0..150 {
                let mut document = json!({"meta": {}, "detail": {}, "by_user": {}});
                for (path, share, from, kind) in &fields {
                    if day < *from || !noise.chance(*share) {
                        continue;
                    }
                    *filled.entry(path).or_default() += 1;
                    let value = match kind {
                        _ if noise.chance(0.01) => json!("n/a"),
                        0 => json!(noise.below(1_000)),
                        1 => json!(word(&mut noise)),
                        2 => json!(noise.chance(0.5)),
                        _ => json!(noise.normal()),
                    };
                    put(&mut document, path, value);
                }
                // Keys that are data, of which some are busy; a typing error; a bug that lasts a day.
                let user = format!("u{}", 10_000 + noise.below(400) * noise.below(400) / 400);
                put(
                    &mut document,
                    &format!("by_user.{user}"),
                    json!(noise.below(9)),
                );
                if noise.chance(0.03) {
                    let typo = format!("typo{}", word(&mut noise));
                    put(&mut document, &typo, json!(1));
                }
                if day == 8 {
                    put(&mut document, "bug_of_a_day", json!("undefined"));
                }
                watch.wrote("stream", &document, day * DAY + n * 60_000);
            }
        }
        let now_ms = 16 * DAY;
        let truth: BTreeSet<&str> = filled
            .iter()
            .filter(|(_, docs)| **docs >= 30)
            .map(|(path, _)| *path)
            .collect();
        let declared: BTreeSet<String> = mutations(Which::EmergentField, &watch, now_ms)
            .into_iter()
            .filter_map(|mutation| match mutation {
                Mutation::PromoteField(field) => Some(field.path),
                _ => None,
            })
            .collect();
        let mistakes: Vec<_> = declared
            .iter()
            .filter(|path| !filled.contains_key(path.as_str()))
            .collect();
        assert!(mistakes.is_empty(), "seed {seed}: {mistakes:?}");
        found += truth
            .iter()
            .filter(|path| declared.contains(**path))
            .count();
        wanted += truth.len();
    }
    assert!(wanted > 200);
    assert!(found as f64 >= 0.95 * wanted as f64, "{found} of {wanted}");
}

fn put(document: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        Some((parent, key)) => document[parent][key] = value,
        None => document[path] = value,
    }
}
