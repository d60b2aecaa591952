//! Where the life of mutations is kept: state keys of the ledger, and one event for every step, in the same commit.

use polity_database::evolve::{Account, Batch, Entry, Life, Outcome, Saved, Standing};
use polity_ledger::{Commit, Event, Ledger};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::digest::sha256;

const LIFE: &str = "schema/life/";
const ENTRY: &str = "schema/entry/";
const ACCOUNT: &str = "schema/account/";
const STANDING: &str = "schema/standing/";

const SOURCE: &str = "/records";
/// Rows of one read.
const PAGE: usize = 500;

/// An account or a standing under its own name; a key holds a digest of it, because a subject may be longer than a key.
#[derive(Serialize, Deserialize)]
struct Named<T> {
    name: String,
    value: T,
}

/// The subject of everything that happened to a mutation.
pub(super) fn subject(id: Uuid) -> String {
    format!("schema/{id}")
}

/// Reads everything.
pub(super) fn load(ledger: &Ledger) -> Result<Saved, String> {
    Ok(Saved {
        lives: all::<Life>(ledger, LIFE)?,
        entries: all::<Entry>(ledger, ENTRY)?,
        accounts: all::<Named<Account>>(ledger, ACCOUNT)?
            .into_iter()
            .map(|found| (found.name, found.value))
            .collect(),
        standings: all::<Named<Standing>>(ledger, STANDING)?
            .into_iter()
            .map(|found| (found.name, found.value))
            .collect(),
    })
}

fn all<T: DeserializeOwned>(ledger: &Ledger, prefix: &str) -> Result<Vec<T>, String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let rows = ledger
            .scan(prefix, after.as_deref(), PAGE)
            .map_err(|error| error.to_string())?;
        let is_last = rows.len() < PAGE;
        after = rows.last().map(|(key, _)| key.clone());
        for (key, bytes) in rows {
            let read = serde_json::from_slice(&bytes);
            found.push(read.map_err(|error| format!("{key} does not read: {error}"))?);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// What stores a batch.
pub(super) fn commit(batch: &Batch) -> Result<Commit, String> {
    let mut commit = Commit::new();
    for id in &batch.over {
        commit = commit.delete(format!("{LIFE}{id}"));
    }
    for life in &batch.lives {
        let key = format!("{LIFE}{}", life.id);
        commit = commit.put(key, text(life)?).event(step(life));
    }
    for entry in &batch.entries {
        let key = format!("{ENTRY}{:020}", entry.seq);
        commit = commit.put(key, text(entry)?).event(end(entry));
    }
    for (name, account) in &batch.accounts {
        let key = format!("{ACCOUNT}{}", sha256(name));
        commit = match account {
            Some(value) => commit.put(
                key,
                text(&Named {
                    name: name.clone(),
                    value,
                })?,
            ),
            None => commit.delete(key),
        };
    }
    for (name, value) in &batch.standings {
        let key = format!("{STANDING}{}", sha256(name));
        commit = commit.put(
            key,
            text(&Named {
                name: name.clone(),
                value,
            })?,
        );
    }
    Ok(commit)
}

fn text(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

/// A step on the way, without what the first event of its mutation said already.
fn step(life: &Life) -> Event {
    let state = json!(life.state);
    let name = state["state"].as_str().unwrap_or("changed").to_owned();
    let mut data = json!({
        "id": life.id,
        "mutation": life.mutation(),
        "strategy": life.strategy,
        "state": state,
    });
    if name == "proposed" {
        data["reason"] = json!(life.proposal.reason);
        data["evidence"] = life.proposal.evidence.clone();
        data["quote"] = json!(life.quote);
    }
    if let Some(built) = life.built {
        data["built"] = json!(built);
    }
    event(&name, life.id, data)
}

fn end(entry: &Entry) -> Event {
    event(outcome(entry), entry.id, json!(entry))
}

/// What became of a mutation that is over.
pub(super) fn outcome(entry: &Entry) -> &'static str {
    match entry.outcome {
        Outcome::Kept => "kept",
        Outcome::Reverted { .. } => "reverted",
        Outcome::Refused { .. } => "refused",
    }
}

fn event(name: &str, id: Uuid, data: Value) -> Event {
    Event::new(format!("schema.{name}"), SOURCE, subject(id), data)
}
