//! What a strategy gets to see: statistics, with what the schema and its history say to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::evolution::Evolution;
use crate::history::Outcome;
use crate::mutation::field_name;

/// Entries of history that are shown, the newest.
const ENTRIES: usize = 500;

/// Joins statistics (an object with the lists `collections`, `queries`, `fields` and `accesses`) with the catalogue and
/// the history: collections get `indexes`, `rollups`, `links` and `protected`, fields their `state` and declared
/// `schema`, and `history` lists what was tried and what rests.
pub fn seen(mut stats: Value, evolution: &Evolution) -> Value {
    let accesses: BTreeMap<String, Value> = list(&stats, "accesses")
        .filter_map(|access| Some((access.get("name")?.as_str()?.to_owned(), access.clone())))
        .collect();
    if let Some(object) = stats.as_object_mut() {
        object.remove("accesses");
    }
    if let Some(collections) = stats.get_mut("collections").and_then(Value::as_array_mut) {
        for collection in collections.iter_mut().filter_map(Value::as_object_mut) {
            describe_collection(collection, evolution, &accesses);
        }
    }
    if let Some(fields) = stats.get_mut("fields").and_then(Value::as_array_mut) {
        for field in fields.iter_mut().filter_map(Value::as_object_mut) {
            describe_field(field, evolution);
        }
    }
    stats["history"] = history(evolution);
    stats
}

fn list<'a>(stats: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    stats
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn describe_collection(
    collection: &mut Map<String, Value>,
    evolution: &Evolution,
    accesses: &BTreeMap<String, Value>,
) {
    let name = collection
        .get("collection")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let catalogue = evolution.catalogue();
    let entry = |what: Value, subject: &str| {
        let mut what = what;
        let since = (evolution.history().entries().iter().rev())
            .find(|entry| {
                entry.outcome == Outcome::Kept && entry.proposal.mutation.subject() == subject
            })
            .map(|entry| entry.at_ms);
        what["name"] = json!(subject);
        what["since_ms"] = json!(since);
        what["use"] = accesses.get(subject).cloned().unwrap_or(Value::Null);
        what
    };
    let indexes = (catalogue.indexes.iter())
        .filter(|(_, made)| made.what.collection == name)
        .map(|(subject, made)| entry(json!(made), subject));
    let rollups = (catalogue.rollups.iter())
        .filter(|(_, made)| made.what.collection == name)
        .map(|(subject, made)| entry(json!(made), subject));
    let links = (catalogue.links.values()).filter(|made| made.what.collection == name);
    let prefix = format!("{name}.");
    let protected: Vec<&str> = (evolution.policy().protected.iter())
        .filter_map(|subject| subject.strip_prefix(&prefix))
        .collect();
    collection.insert("indexes".to_owned(), indexes.collect());
    collection.insert("rollups".to_owned(), rollups.collect());
    collection.insert("links".to_owned(), json!(links.collect::<Vec<_>>()));
    collection.insert("protected".to_owned(), json!(protected));
}

fn describe_field(field: &mut Map<String, Value>, evolution: &Evolution) {
    let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
    let subject = field_name(text("collection"), text("path"));
    let state = match evolution.catalogue().fields.get(&subject) {
        None => "emergent",
        Some(made) if made.what.archived => "archived",
        Some(_) => "declared",
    };
    field.insert("state".to_owned(), json!(state));
    if let Some(made) = evolution.catalogue().fields.get(&subject) {
        field.insert("schema".to_owned(), made.what.field.schema.clone());
    }
}

fn history(evolution: &Evolution) -> Value {
    let rests: Vec<Value> = (evolution.accounts().iter())
        .filter(|(_, account)| account.quarantined_until_ms > 0)
        .map(|(subject, account)| {
            json!({"subject": subject, "strikes": account.strikes, "rests_until_ms": account.quarantined_until_ms})
        })
        .collect();
    let entries = evolution.history().entries();
    let newest = entries[entries.len().saturating_sub(ENTRIES)..].iter().map(|entry| {
        let outcome = match &entry.outcome {
            Outcome::Kept => "kept",
            Outcome::Reverted { .. } => "reverted",
            Outcome::Refused { .. } => "refused",
        };
        json!({
            "subject": entry.proposal.mutation.subject(), "kind": entry.proposal.mutation.kind(),
            "outcome": outcome, "at_ms": entry.at_ms,
        })
    });
    newest.chain(rests).collect()
}
