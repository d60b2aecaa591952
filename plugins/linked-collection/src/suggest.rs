//! From entities to proposals.

use polity_sdk::strategy::{Link, Mutation, Proposal};
use serde_json::json;

use crate::config::Config;
use crate::entities::{Entity, entities};
use crate::names::{entity, is_identifier, plural};
use crate::seen::{Collection, Seen};

/// More columns than this are hard to read, and often several things in one.
const MANY_COLUMNS: usize = 30;

/// Proposes, best first.
pub fn propose(config: &Config, at_ms: u64, seen: &Seen) -> Vec<Proposal> {
    let mut proposals: Vec<(f64, Proposal)> = Vec::new();
    for collection in seen
        .collections
        .iter()
        .filter(|known| known.rows >= config.rows)
    {
        let mut taken: Vec<String> = seen
            .collections
            .iter()
            .map(|known| known.collection.clone())
            .collect();
        taken.extend(collection.links.iter().map(|link| link.target.clone()));
        for entity in entities(config, collection, &seen.fields) {
            let subject = format!("link {}.{}", collection.collection, entity.key);
            let rests = (seen.history.iter()).any(|past| {
                past.subject == subject && past.rests_until_ms.is_some_and(|until| at_ms < until)
            });
            let linked = collection
                .links
                .iter()
                .any(|link| link.key == entity.key || link.fields.contains(&entity.key));
            if rests || linked {
                continue;
            }
            let target = target(&entity, &taken);
            taken.push(target.clone());
            let saved = entity.saved_per_row * collection.rows as f64;
            proposals.push((saved, proposal(collection, entity, target, seen)));
        }
    }
    proposals.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    proposals.truncate(config.proposals);
    proposals
        .into_iter()
        .map(|(_, proposal)| proposal)
        .collect()
}

/// `customers` for `customer_id`; for a key that is not named as one, after what stands beside it.
fn target(found: &Entity, taken: &[String]) -> String {
    let from = match &found.name {
        Some(name) if !is_identifier(&found.key) => name,
        _ => &found.key,
    };
    let base = plural(&entity(from));
    let free = |name: &String| !taken.contains(name);
    (0..)
        .map(|n| {
            if n == 0 {
                base.clone()
            } else {
                format!("{base}_{}", n + 1)
            }
        })
        .find(free)
        .unwrap_or(base)
}

fn proposal(collection: &Collection, entity: Entity, target: String, seen: &Seen) -> Proposal {
    let columns = (seen.fields.iter())
        .filter(|field| field.collection == collection.collection && !field.path.contains("[]"))
        .count();
    let rows = collection.rows as f64;
    Proposal {
        reason: format!(
            "each {} repeats {} of {} in {:.1} rows of {}; as {target} it would be stored once{}",
            entity.key, entity.fields.len(), columns, entity.rows_per_key, collection.collection,
            if columns > MANY_COLUMNS { format!(", and {columns} fields are many") } else { String::new() },
        ),
        evidence: json!({
            "keys": entity.keys, "rows_per_key": (entity.rows_per_key * 10.0).round() / 10.0, "fields": entity.fields,
            "contradicting_rows": entity.error, "chance_log10": -entity.evidence.round(),
            "saved_bytes": (entity.saved_per_row * rows).round(), "columns": columns,
        })
        .to_string(),
        benefit_us_per_day: 0,
        write_cost_us_per_day: 0,
        storage_bytes: (entity.keys as f64 * entity.saved_per_row) as u64,
        mutation: Mutation::LinkCollection(Link {
            collection: collection.collection.clone(),
            key: entity.key,
            fields: entity.fields,
            target,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn field(path: &str, kind: &str, bytes: f64, shape: &str) -> Value {
        json!({"collection": "orders", "path": path, "filled": 1_000, "share": 1.0, "kinds": [{"kind": kind}], "mean_bytes": bytes, "shapes": [shape]})
    }

    fn determines(path: &str, keys: u64, dependents: &[&str]) -> Value {
        let dependents: Vec<Value> = dependents
            .iter()
            .map(|path| json!({"path": path, "error": 0.0, "evidence": 200.0}))
            .collect();
        json!({"path": path, "keys": keys, "rows_per_key": 1_000.0 / keys as f64, "dependents": dependents})
    }

    fn run(fields: &[Value], dependencies: &[Value]) -> Vec<(String, Vec<String>, String)> {
        let seen = json!({
            "collections": [{"collection": "orders", "rows": 1_000, "row_bytes": 200, "dependencies": dependencies}],
            "fields": fields,
        });
        propose(
            &Config::default(),
            0,
            &serde_json::from_value(seen).unwrap(),
        )
        .into_iter()
        .map(|proposal| match proposal.mutation {
            Mutation::LinkCollection(link) => (link.key, link.fields, link.target),
            other => panic!("{other:?}"),
        })
        .collect()
    }

    #[test]
    fn fields_go_to_the_nearest_key() {
        let fields = [
            field("order_id", "integer", 8.0, "9"),
            field("customer_id", "integer", 8.0, "9"),
            field("customer", "text", 20.0, "Aa Aa"),
            field("note", "text", 30.0, "a"),
        ];
        let dependencies = [
            determines("order_id", 300, &["customer_id", "customer", "note"]),
            determines("customer_id", 50, &["customer"]),
            determines("customer", 50, &["customer_id"]),
        ];
        let expected = [
            (
                "order_id".to_owned(),
                vec!["customer_id".to_owned(), "note".to_owned()],
                "orders_2".to_owned(),
            ),
            (
                "customer_id".to_owned(),
                vec!["customer".to_owned()],
                "customers".to_owned(),
            ),
        ];
        assert_eq!(run(&fields, &dependencies), expected);
    }

    #[test]
    fn what_two_strangers_determine_belongs_to_neither() {
        let fields = [
            field("album_id", "integer", 8.0, "9"),
            field("album", "text", 20.0, "Aa Aa"),
            field("genre_id", "integer", 8.0, "9"),
            field("genre", "text", 20.0, "Aa"),
            field("price", "number", 8.0, ""),
        ];
        let dependencies = [
            determines("album_id", 200, &["album", "price"]),
            determines("album", 200, &["album_id", "price"]),
            determines("genre_id", 20, &["genre", "price"]),
            determines("genre", 20, &["genre_id", "price"]),
        ];
        for (_, fields, _) in run(&fields, &dependencies) {
            assert!(!fields.contains(&"price".to_owned()));
        }
    }

    #[test]
    fn a_number_that_stands_for_a_name_is_a_key_and_a_measure_is_not() {
        let of = |key: &str, text: &str, shape: &str| {
            let fields = [
                field(key, "integer", 8.0, "9"),
                field(text, "text", 18.0, shape),
            ];
            run(
                &fields,
                &[determines(key, 3, &[text]), determines(text, 3, &[key])],
            )
        };
        assert_eq!(of("ship_via", "shipper", "Aa Aa")[0].2, "shippers");
        assert!(of("month", "month_name", "Aa").is_empty());
        assert!(of("paid", "paid_text", "9.9 A").is_empty());
    }

    #[test]
    fn a_place_that_lies_in_another_is_no_entity() {
        let fields = [
            field("city", "text", 8.0, "Aa"),
            field("country", "text", 8.0, "Aa"),
        ];
        assert!(run(&fields, &[determines("city", 70, &["country"])]).is_empty());
        let fields = [
            field("age", "integer", 8.0, "9"),
            field("age_group", "text", 18.0, "a"),
        ];
        assert!(run(&fields, &[determines("age", 70, &["age_group"])]).is_empty());
    }

    #[test]
    fn keys_that_hardly_repeat_and_dependents_that_say_nothing_are_none() {
        let fields = [
            field("id", "integer", 8.0, "9"),
            field("name", "text", 30.0, "a"),
            field("at", "timestamp", 20.0, "9-9"),
        ];
        assert!(run(&fields, &[determines("id", 800, &["name"])]).is_empty());
        assert!(run(&fields, &[determines("id", 100, &["at"])]).is_empty());
    }

    #[test]
    fn nonsense_is_no_panic() {
        assert!(run(&[], &[determines("", 1, &[""])]).is_empty());
    }
}
