//! Emergent fields in a stream of payloads of several versions, in order, with junk keys and dirty values added:
//! `zcat github_webhooks.ndjson.gz | webhooks [copies]`. A line is `{"source": version, "event": …, "payload": …}`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::BufRead;

use polity_evolve::{Evolution, Mutation, Policy, seen};
use polity_simulate::{Noise, proposal};
use polity_watch::{Watch, join};
use serde::Deserialize;
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;
const DAYS_PER_VERSION: u64 = 10;
const JUNK: f64 = 0.02;
const DIRTY: f64 = 0.01;

#[derive(Deserialize)]
struct Line {
    source: String,
    event: String,
    payload: Value,
}

fn main() -> Result<(), Box<dyn Error>> {
    let copies: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(40);
    let mut versions: Vec<(String, Vec<Line>)> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        match versions.last_mut() {
            Some((version, lines)) if *version == line.source => lines.push(line),
            _ => versions.push((line.source.clone(), vec![line])),
        }
    }
    let mut noise = Noise::new(7);
    let mut watch = Watch::default();
    let mut evolution = Evolution::new(Policy {
        proposals: 20_000,
        ..Policy::default()
    });
    let config = emergent_field::Config {
        proposals: 20_000,
        ..emergent_field::Config::default()
    };
    // How often each true scalar path was filled, and in which version it first was.
    let mut truth: BTreeMap<(String, String), (u64, usize)> = BTreeMap::new();
    let (mut junk, mut docs, mut declared) = (0, 0, BTreeSet::new());
    for (version, (name, lines)) in versions.iter().enumerate() {
        for day in 0..DAYS_PER_VERSION {
            let at_ms = (version as u64 * DAYS_PER_VERSION + day) * DAY_MS;
            for copy in (0..copies).filter(|copy| copy % DAYS_PER_VERSION == day) {
                for (n, line) in lines.iter().enumerate() {
                    count(&line.payload, String::new(), &mut |path| {
                        let known = truth
                            .entry((line.event.clone(), path))
                            .or_insert((0, version));
                        known.0 += 1;
                    });
                    let mut document = line.payload.clone();
                    if noise.chance(JUNK) {
                        junk += 1;
                        add_junk(&mut document, &mut noise);
                    }
                    if noise.chance(DIRTY) {
                        make_dirty(&mut document, &mut noise);
                    }
                    watch.wrote(&line.event, &document, at_ms + copy * 60_000 + n as u64);
                    docs += 1;
                }
            }
            let now_ms = at_ms + DAY_MS - 1;
            let all = seen(serde_json::to_value(watch.stats(now_ms))?, &evolution);
            let known: emergent_field::Seen = Deserialize::deserialize(&all)?;
            for (n, found) in emergent_field::propose(&config, now_ms, &known)
                .into_iter()
                .enumerate()
            {
                let mutation = proposal(found).mutation;
                if let Mutation::PromoteField(field) = &mutation {
                    declared.insert((field.collection.clone(), field.path.clone()));
                    let id = uuid::Uuid::from_u64_pair(now_ms, n as u64);
                    evolution.declared(id, mutation, "replay", now_ms)?;
                }
            }
        }
        let new = |version: usize| {
            truth
                .values()
                .filter(|(_, first)| *first == version)
                .count()
        };
        println!(
            "{name}: {} new true paths, {} columns",
            new(version),
            declared.len()
        );
    }
    let enough = |key: &&(String, String)| truth.get(*key).is_some_and(|(filled, _)| *filled >= 30);
    for (what, from) in [("all versions", 0), ("new after the first version", 1)] {
        let wanted: Vec<_> = truth
            .iter()
            .filter(|(key, (_, first))| enough(key) && *first >= from)
            .map(|(key, _)| key)
            .collect();
        let missed: Vec<_> = wanted
            .iter()
            .filter(|key| !declared.contains(**key))
            .collect();
        let found = wanted.len() - missed.len();
        println!(
            "{what}: {found} of {} true paths with 30 copies ({:.1} %)",
            wanted.len(),
            100.0 * found as f64 / wanted.len().max(1) as f64
        );
        for (event, path) in missed.iter().take(12) {
            println!(
                "  missed {event}: {path} {:?}",
                truth.get(&(event.clone(), path.clone()))
            );
        }
    }
    let wrong: Vec<_> = declared
        .iter()
        .filter(|key| !truth.contains_key(*key))
        .collect();
    println!(
        "{docs} documents, {junk} junk keys: {} junk columns {wrong:?}",
        wrong.len()
    );
    Ok(())
}

/// Every scalar that is not null and not within an array.
fn count(value: &Value, path: String, tell: &mut impl FnMut(String)) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                count(member, join(&path, key), tell);
            }
        }
        Value::Null | Value::Array(_) => {}
        _ => tell(path),
    }
}

/// A key that nobody meant, in the document or in one of its objects.
fn add_junk(document: &mut Value, noise: &mut Noise) {
    let key: String = (0..8)
        .map(|_| char::from(b'a' + noise.below(26) as u8))
        .collect();
    let Some(members) = document.as_object_mut() else {
        return;
    };
    let at = noise.below(members.len() as u64 + 1) as usize;
    match members.values_mut().nth(at).and_then(Value::as_object_mut) {
        Some(inner) => inner.insert(key, json!("junk")),
        None => members.insert(key, json!(1)),
    };
}

/// A scalar that is a text now.
fn make_dirty(document: &mut Value, noise: &mut Noise) {
    let Some(members) = document.as_object_mut() else {
        return;
    };
    let at = noise.below(members.len() as u64) as usize;
    if let Some(member) = members.values_mut().nth(at) {
        if member.is_object() {
            make_dirty(member, noise);
        } else {
            *member = json!("n/a");
        }
    }
}
