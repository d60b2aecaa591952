//! Linked collections in a flat CSV: `zcat wide.csv.gz | flat TRUE_KEY,TRUE_KEY…`, without keys where there are none.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Read;

use polity_evolve::{Evolution, Mutation, Policy, seen};
use polity_simulate::{Which, propose};
use polity_watch::Watch;
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let truth: BTreeSet<String> = std::env::args()
        .nth(1)
        .unwrap_or_default()
        .split(',')
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
        .collect();
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut rows = records(&text).into_iter();
    let names = rows.next().ok_or("no header")?;
    let mut watch = Watch::default();
    let start = std::time::Instant::now();
    let mut count = 0;
    for row in rows {
        let document: Map<String, Value> = names
            .iter()
            .cloned()
            .zip(row.iter().map(|text| value(text)))
            .collect();
        watch.wrote("flat", &Value::Object(document), count);
        count += 1;
    }
    let watched = start.elapsed();
    let all = seen(
        serde_json::to_value(watch.stats(count))?,
        &Evolution::new(Policy::default()),
    );
    let mut found = BTreeSet::new();
    for proposal in propose(Which::LinkedCollection, count, &all)? {
        if let Mutation::LinkCollection(link) = &proposal.mutation {
            println!(
                "{:<14} {:<16} {}",
                link.key,
                link.target,
                link.fields.join(" ")
            );
            found.insert(link.key.clone());
        }
    }
    let of = |set: Vec<&String>| set.into_iter().cloned().collect::<Vec<_>>().join(" ");
    println!(
        "{count} rows in {watched:.0?}: {} of {} found; false: [{}]; missed: [{}]",
        truth.intersection(&found).count(),
        truth.len(),
        of(found.difference(&truth).collect()),
        of(truth.difference(&found).collect()),
    );
    Ok(())
}

/// Numbers as an import would read them: not with a leading zero, which a code may have.
fn value(text: &str) -> Value {
    let plain =
        text == "0" || text.starts_with("0.") || !text.trim_start_matches('-').starts_with('0');
    match text {
        "" => json!(null),
        _ if plain && text.parse::<i64>().is_ok() => {
            text.parse::<i64>().map_or(json!(null), Value::from)
        }
        _ if plain
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-') =>
        {
            text.parse::<f64>()
                .map_or_else(|_| json!(text), Value::from)
        }
        _ => json!(text),
    }
}

/// RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}
