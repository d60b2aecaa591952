//! Protocols that one event starts. Each looks right alone; together they do twice what was meant to happen once.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::process::{ProcessGraph, Trigger};
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::Finding;

/// Events as what they must have.
type Filter = BTreeMap<String, Json>;

/// Pairs of protocols that one event starts.
pub(super) fn shared(protocols: &[ProcessGraph]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, later) in protocols.iter().enumerate() {
        for earlier in &protocols[..at] {
            let common = later.triggers.iter().find_map(|trigger| {
                let both = |other: &Trigger| {
                    let pairs = trigger
                        .events
                        .iter()
                        .flat_map(|a| other.events.iter().map(move |b| (a, b)));
                    pairs.filter_map(|(a, b)| common(a, b)).next()
                };
                let (event, other) = earlier
                    .triggers
                    .iter()
                    .find_map(|other| Some((both(other)?, other)))?;
                Some((event, trigger, other))
            });
            let Some((event, trigger, other)) = common else {
                continue;
            };
            findings.push(
                Finding::new(
                    Code::SharedTrigger,
                    trigger.place.clone(),
                    format!(
                        "one event starts both {} and {}",
                        earlier.name, later.name
                    ),
                )
                .related(
                    other.place.clone(),
                    format!("{} is started here", earlier.name),
                )
                .witness(serde_json::json!({ "event": event }))
                .suggest(Suggestion::words(format!(
                    "let one of them start the other with run.workflow, or let each ask for events of its own, as by their source; \
                     where both are meant to begin, make one of {} and {}",
                    earlier.name, later.name
                ))),
            );
        }
    }
    findings
}

/// An event that passes both; none where an attribute would have to have two values, or where nothing is known of either.
fn common(a: &Filter, b: &Filter) -> Option<Json> {
    let (kind, other) = (a.get("type")?, b.get("type")?);
    let clash = a
        .iter()
        .any(|(name, value)| b.get(name).is_some_and(|other| other != value));
    (kind == other && !clash).then(|| {
        let attributes = a.iter().chain(b);
        Json::Object(
            attributes
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Map<_, _>>(),
        )
    })
}
