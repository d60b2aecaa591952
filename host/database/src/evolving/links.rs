//! Linked collections: records that lie inside others get a collection of their own.
//!
//! The old fields stay where they are, so every old query keeps working; the new collection is filled from them, proved
//! row for row, and kept up with every write. A row whose key has no value has no linked record. What contradicts itself,
//! two values for one key, is no linked collection: then nothing is made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use parking_lot::Mutex;
use polity_engine::{
    Document, Durability, Engine, EngineError, QueryOptions, Type, Value, WriteObservation,
};
use polity_evolve::Link;

use super::translate;

/// Linked records of one collection at most; more keys than this are rows of their own.
const MOST_KEYS: usize = 200_000;
/// Documents of one write.
const BATCH: usize = 500;
/// Writes that wait to be carried over. Beyond, the whole collection is looked through again.
const MOST_WAITING: usize = 10_000;

/// A link with the names that the engine knows.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    link: Link,
    key: String,
    fields: Vec<String>,
}

/// The links that are kept up.
#[derive(Default)]
pub(crate) struct Links {
    kept: Mutex<Vec<Known>>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Target, and the record as it was written last.
    records: Vec<(String, Document)>,
    /// Sources of which writes were missed.
    missed: Vec<String>,
}

impl Links {
    /// Keeps a link up from now on.
    pub(super) fn keep(&self, link: &Link) -> Result<(), String> {
        let known = known(link)?;
        let mut kept = self.kept.lock();
        if !kept.contains(&known) {
            kept.push(known);
        }
        Ok(())
    }

    /// Keeps it up no more.
    pub(super) fn give_up(&self, link: &Link) {
        self.kept.lock().retain(|known| known.link != *link);
    }

    /// A document was written. Whether there is something to be carried over.
    pub(super) fn wrote(&self, write: &WriteObservation<'_>) -> bool {
        let kept = self.kept.lock();
        let mut is_new = false;
        for known in kept
            .iter()
            .filter(|known| known.link.collection == write.collection)
        {
            let value = |name: &str| {
                let found = write.fields.iter().find(|(field, _)| *field == name);
                found.map(|(_, value)| (*value).clone())
            };
            let Some(record) = record(known, value) else {
                continue;
            };
            let mut waiting = self.waiting.lock();
            if waiting.records.len() < MOST_WAITING {
                waiting.records.push((known.link.target.clone(), record));
            } else if !waiting.missed.contains(&known.link.collection) {
                waiting.missed.push(known.link.collection.clone());
            }
            is_new = true;
        }
        is_new
    }

    /// Carries over what was written.
    pub(super) fn carry_over(&self, engine: &Engine) {
        let Waiting { records, missed } = std::mem::take(&mut *self.waiting.lock());
        for (target, record) in records {
            if let Err(error) = put(engine, &target, record) {
                tracing::warn!(%error, target, "a linked record is not kept up");
            }
        }
        let again: Vec<Known> = {
            let kept = self.kept.lock();
            let is_missed = |known: &&Known| missed.contains(&known.link.collection);
            kept.iter().filter(is_missed).cloned().collect()
        };
        for known in again {
            if let Err(error) = fill(engine, &known, Said::First) {
                tracing::warn!(error, "a linked collection is not kept up");
            }
        }
    }
}

fn known(link: &Link) -> Result<Known, String> {
    let fields: Result<Vec<String>, String> = link
        .fields
        .iter()
        .map(|path| translate::name(path))
        .collect();
    Ok(Known {
        link: link.clone(),
        key: translate::name(&link.key)?,
        fields: fields?,
    })
}

/// What counts where rows with one key say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// They may not.
    Same,
    /// What came first; the linked record, where there is one, knows better already.
    First,
}

/// Makes the target and fills it. Told again, it fills what is missing.
pub(super) fn build(engine: &Engine, link: &Link) -> Result<u64, String> {
    make(engine, link, Said::Same)
}

/// Fills what is missing from a target that was kept, and makes it again where it is gone.
pub(super) fn repair(engine: &Engine, link: &Link) -> Result<u64, String> {
    make(engine, link, Said::First)
}

fn make(engine: &Engine, link: &Link, said: Said) -> Result<u64, String> {
    let known = known(link)?;
    let told = |error: EngineError| error.to_string();
    if !engine.catalogue().collections.contains_key(&link.target) {
        engine.declare(&link.target, &known.fields).map_err(told)?;
    }
    fill(engine, &known, said)
}

/// Whether every row of the source says the same as its linked record, and every linked record stems from a row.
pub(super) fn verify(engine: &Engine, link: &Link) -> Result<(), String> {
    let known = known(link)?;
    let records = records(engine, &known, Said::Same)?;
    let told = |error: EngineError| error.to_string();
    for (key, fields) in records.values() {
        let found = engine.get(&link.target, key).map_err(told)?;
        let found = found.ok_or_else(|| format!("{} has no record {key}", link.target))?;
        let same = known.fields.iter().zip(fields).all(|(name, value)| {
            let stored = found.fields.iter().find(|(field, _)| **field == **name);
            stored.map_or(*value == Value::Null, |(_, stored)| stored == value)
        });
        if !same {
            return Err(format!("{} says something else of {key}", link.target));
        }
    }
    let many = engine.count(&link.target).map_err(told)?;
    if many != records.len() as u64 {
        return Err(format!(
            "{} has {many} records and {} has {} keys",
            link.target,
            link.collection,
            records.len()
        ));
    }
    Ok(())
}

/// Takes the target away, unless somebody has put something of his own into it: no record is lost.
pub(super) fn undo(engine: &Engine, link: &Link) -> Result<(), String> {
    let told = |error: EngineError| error.to_string();
    if !engine.catalogue().collections.contains_key(&link.target) {
        return Ok(());
    }
    let is_ours = match known(link) {
        Ok(known) => holds_nothing_else(engine, &known)?,
        Err(_) => false,
    };
    if !is_ours {
        tracing::warn!(
            target = link.target,
            "a linked collection stays, because it holds what did not come from its source"
        );
        return Ok(());
    }
    engine.drop_collection(&link.target).map_err(told)
}

fn holds_nothing_else(engine: &Engine, known: &Known) -> Result<bool, String> {
    let catalogue = engine.catalogue();
    let Some(target) = catalogue.collections.get(&known.link.target) else {
        return Ok(true);
    };
    let is_ours = |field: &polity_engine::Field| {
        field.name == "id" || known.fields.contains(&field.name) || field.ty == Type::Unknown
    };
    if !target.fields.iter().all(is_ours) {
        return Ok(false);
    }
    let mut keys: BTreeMap<String, ()> = BTreeMap::new();
    let sql = format!(
        "SELECT {} FROM {}",
        quoted(&known.key),
        quoted(&known.link.collection)
    );
    each(engine, &sql, &mut |row| {
        keys.insert(text(&row[0]), ());
        Ok(())
    })?;
    let mut is_ours = true;
    let sql = format!("SELECT id FROM {}", quoted(&known.link.target));
    each(engine, &sql, &mut |row| {
        is_ours &= keys.contains_key(&text(&row[0]));
        Ok(())
    })?;
    Ok(is_ours)
}

fn fill(engine: &Engine, known: &Known, said: Said) -> Result<u64, String> {
    let records = records(engine, known, said)?;
    let many = records.len() as u64;
    let mut new = Vec::new();
    let told = |error: EngineError| error.to_string();
    for (key, fields) in records.into_values() {
        let record = document(known, key, fields);
        if engine
            .get(&known.link.target, &record.fields[0].1)
            .map_err(told)?
            .is_none()
        {
            new.push(record);
        }
    }
    for batch in new.chunks(BATCH) {
        engine
            .insert(&known.link.target, batch, Durability::Relaxed)
            .map_err(told)?;
    }
    engine.flush().map_err(told)?;
    Ok(many)
}

type Records = BTreeMap<String, (Value, Vec<Value>)>;

/// Every key with what its rows say.
fn records(engine: &Engine, known: &Known, said: Said) -> Result<Records, String> {
    let columns: Vec<String> = std::iter::once(&known.key)
        .chain(&known.fields)
        .map(|name| quoted(name))
        .collect();
    let from = quoted(&known.link.collection);
    let sql = format!("SELECT {} FROM {from}", columns.join(", "));
    let mut records = Records::new();
    each(engine, &sql, &mut |row| {
        if row[0] == Value::Null {
            return Ok(());
        }
        let fields = row[1..].to_vec();
        let known_fields = &mut records
            .entry(text(&row[0]))
            .or_insert_with(|| (row[0].clone(), fields.clone()))
            .1;
        if said == Said::Same && *known_fields != fields {
            return Err(format!(
                "{} does not determine {}: rows contradict each other",
                known.key,
                known.fields.join(", ")
            ));
        }
        if records.len() > MOST_KEYS {
            return Err(format!("{} has more than {MOST_KEYS} values", known.key));
        }
        Ok(())
    })?;
    Ok(records)
}

fn each(
    engine: &Engine,
    sql: &str,
    take: &mut dyn FnMut(&[Value]) -> Result<(), String>,
) -> Result<(), String> {
    let mut outcome = Ok(());
    let options = QueryOptions::default();
    let streamed = engine.stream(sql, &[], &options, &mut |row| {
        outcome = take(row);
        if outcome.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    streamed.map_err(|error| error.to_string())?;
    outcome
}

/// The linked record of a row; none where its key has no value.
fn record(known: &Known, value: impl Fn(&str) -> Option<Value>) -> Option<Document> {
    let key = value(&known.key).filter(|key| *key != Value::Null)?;
    let fields = known.fields.iter();
    let fields = fields.map(|name| value(name).unwrap_or(Value::Null));
    Some(document(known, key, fields.collect()))
}

fn document(known: &Known, key: Value, fields: Vec<Value>) -> Document {
    let named = known.fields.iter().map(|name| name.as_str().into());
    let rest = named.zip(fields).filter(|(_, value)| *value != Value::Null);
    Document {
        fields: std::iter::once(("id".into(), key)).chain(rest).collect(),
    }
}

/// The newest word counts: a customer who has moved lives where the last order says.
fn put(engine: &Engine, target: &str, record: Document) -> Result<(), EngineError> {
    let Some(((_, id), rest)) = record.fields.split_first() else {
        return Ok(());
    };
    if engine.get(target, id)?.is_none() {
        engine.insert(target, &[record], Durability::Relaxed)?;
        return Ok(());
    }
    if rest.is_empty() {
        return Ok(());
    }
    let (mut sets, mut differs, mut parameters) = (Vec::new(), Vec::new(), vec![id.clone()]);
    for (name, value) in rest {
        parameters.push(value.clone());
        let (name, number) = (quoted(name), parameters.len());
        sets.push(format!("{name} = ${number}"));
        differs.push(format!("{name} IS NULL OR {name} <> ${number}"));
    }
    let sql = format!(
        "UPDATE {} SET {} WHERE id = $1 AND ({})",
        quoted(target),
        sets.join(", "),
        differs.join(" OR ")
    );
    let options = QueryOptions {
        durability: Durability::Relaxed,
        ..QueryOptions::default()
    };
    engine.query_with(&sql, &parameters, &options).map(drop)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as one text, in which 1 and "1" differ.
fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
