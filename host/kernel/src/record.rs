//! A decision as the ledger holds it: one event, complete in itself, from which it can be told and judged again.
//!
//! What people look for in a ledger are members of the event's data: who wanted what, when, what became of it and why.
//! The input and the context are texts, because a replay needs the bytes that the rules judged. All else is one more
//! text, `record`, in JSON: a tree of half a hundred values would cost each completion more than its judgement does.

use std::sync::Arc;

use polity_constitution::{OutcomeKind, Resolution, Verdict, Version};
use polity_ledger::{Event, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::completion::CompletionRecord;
use crate::digest::sha256;
use crate::kept::{self, Kept};
use crate::rules::{Measure, Ruling};
use crate::workflows::Halt;

/// The kind of event of a judged action.
pub(crate) const DECISION: &str = "decision.made";
/// The kind of event of a completion, at its end.
pub(crate) const COMPLETION: &str = "completion.made";

const SOURCE: &str = "/kernel";

/// How long the text of the details is, or somewhat less: it is written without growing.
const USUAL_BYTES: usize = 2 << 10;

/// Bytes of JSON pointers in one list of a record.
const MAX_LIST_BYTES: usize = 16 << 10;

/// What is known of a decision.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) at_ms: u64,
    pub(crate) input: Kept,
    pub(crate) context: Kept,
    pub(crate) details: Details,
}

/// The text `record`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    /// Without the amended input, which has a place of its own.
    pub(crate) resolution: Resolution,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) amended: Option<Kept>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) constitution: Arc<Version>,
    pub(crate) took_us: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) inbox_items: Vec<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) completion: Option<CompletionRecord>,
    /// Who had stopped actions of this kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) halted: Option<Halt>,
    /// The decision that left the same to people, who accepted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) accepted: Option<Uuid>,
}

/// The members of an event's data.
#[derive(Deserialize)]
struct Written {
    kind: String,
    actor: String,
    at_ms: u64,
    input: Kept,
    context: Kept,
    record: String,
}

impl Record {
    /// Returns the amended input as well, which the caller may still want whole.
    pub(crate) fn new(ruling: Ruling) -> (Self, Option<Value>) {
        let mut resolution = ruling.resolution;
        for finding in resolution
            .findings
            .iter_mut()
            .chain(&mut resolution.second_round)
        {
            if let Ok(Verdict::Amend { patch }) = &mut finding.result {
                shorten(patch);
            }
        }
        fit(&mut resolution.changed, String::len);
        fit(&mut resolution.conflicts, |conflict| conflict.pointer.len());
        let amended = resolution.amended.take();
        let details = Details {
            resolution,
            amended: ruling.amended.map(Kept::new),
            measures: ruling.measures,
            constitution: ruling.law.version.clone(),
            took_us: ruling.took_us,
            inbox_items: Vec::new(),
            completion: None,
            halted: ruling.halted,
            accepted: ruling.accepted,
        };
        let record = Self {
            kind: ruling.kind.into(),
            actor: ruling.actor,
            at_ms: ruling.at_ms,
            input: Kept::new(ruling.input),
            context: Kept::new(ruling.context),
            details,
        };
        (record, amended)
    }

    /// Reads the event of a decision or a completion; none for any other event.
    pub(crate) fn read(event: &StoredEvent) -> Option<Self> {
        let Written {
            kind,
            actor,
            at_ms,
            input,
            context,
            record,
        } = Written::deserialize(&event.data).ok()?;
        Some(Self {
            kind,
            actor,
            at_ms,
            input,
            context,
            details: serde_json::from_str(&record).ok()?,
        })
    }

    /// The event. Its id is the decision's own.
    pub(crate) fn event(self, id: Uuid) -> Event {
        let details = &self.details;
        let kind = if details.completion.is_some() {
            COMPLETION
        } else {
            DECISION
        };
        let outcome = match details.resolution.kind() {
            OutcomeKind::Allow => "allow",
            OutcomeKind::Amend => "amend",
            OutcomeKind::Escalate => "escalate",
            OutcomeKind::Deny => "deny",
        };
        let mut record = Vec::with_capacity(USUAL_BYTES);
        // Every map in it has text keys and every number is finite, so this cannot fail; if it did, the event would
        // still say that there was a decision, and which.
        let record = match serde_json::to_writer(&mut record, details) {
            Ok(()) => String::from_utf8(record).unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("kind", self.kind.into());
        put("actor", self.actor.into());
        put("at_ms", self.at_ms.into());
        put("outcome", outcome.into());
        put("reason", details.resolution.sentence.as_str().into());
        put("input", self.input.into());
        put("context", self.context.into());
        put("record", record.into());
        Event::new(kind, SOURCE, subject(id), Value::Object(data)).with_id(id)
    }
}

/// The subject of everything that happened to a decision.
pub(crate) fn subject(id: Uuid) -> String {
    format!("decision/{id}")
}

/// Keeps of a list what fits in a record. A rule may change ten thousand places, each with a long name.
fn fit<T>(list: &mut Vec<T>, bytes: impl Fn(&T) -> usize) {
    let mut left = MAX_LIST_BYTES;
    let kept = list
        .iter()
        .take_while(|item| match left.checked_sub(bytes(item)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
    let kept = kept.count();
    list.truncate(kept);
}

/// A patch that repeats a long text is recorded by its digest.
fn shorten(patch: &mut Value) {
    let text = patch.to_string();
    if text.len() > kept::MAX_BYTES {
        *patch = format!("a patch of {} bytes, sha256 {}", text.len(), sha256(&text)).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_for_a_record_keeps_its_beginning() {
        let mut list: Vec<String> = (0..10_000)
            .map(|index| format!("/places/{index:04}"))
            .collect();
        fit(&mut list, String::len);
        assert_eq!(list.len(), MAX_LIST_BYTES / "/places/0000".len());
        assert_eq!(list[0], "/places/0000");
        let mut short = vec!["/a".to_owned()];
        fit(&mut short, String::len);
        assert_eq!(short, ["/a"]);
    }
}
