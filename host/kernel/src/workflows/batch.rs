//! One commit in the making: what a transition journals, the state after it, and what is to be done once it is on the
//! disk, and not before.

use polity_inbox::Staged;
use polity_ledger::{Commit, Event, canonical};
use polity_workflow::{Call, EffectRequest, Entry, Workflow};
use serde_json::{Value, json};
use uuid::Uuid;

use super::drive::Fact;
use super::key;
use super::stored::Stored;
use crate::digest::sha256;

/// Rows up to which a batch takes another step: a step has at most 128 entries, an entry three rows, and the ledger takes
/// 900.
const STEP_ROWS: usize = 360;
/// Rows up to which a batch takes another effect's verdict and questions.
const EFFECT_ROWS: usize = 480;
/// A longer output is journaled by its digest; the whole of it is in the state.
const MAX_DATA: usize = 64 << 10;

/// See the module.
#[derive(Default)]
pub(super) struct Batch {
    commit: Commit,
    rows: usize,
    staged: Vec<Staged>,
    pub(super) after: Vec<After>,
}

/// What is done once the commit is on the disk.
pub(super) enum After {
    /// An effect is performed.
    Send {
        request: Box<EffectRequest>,
        call: Box<Call>,
        accepted: Option<Uuid>,
    },
    /// An effect that nobody waits for is given up.
    Withdraw(String),
    /// An inbox item that nobody waits for is closed.
    Close(Uuid),
    /// Another instance is told something.
    Tell(Uuid, Fact),
    /// An event is shown to whoever waits for it.
    Deliver(String),
}

impl Batch {
    pub(super) fn event(&mut self, event: Event) {
        self.rows += 3;
        self.commit = std::mem::take(&mut self.commit).event(event);
    }

    pub(super) fn put(&mut self, key: String, value: impl Into<Vec<u8>>) {
        self.rows += 1;
        self.commit = std::mem::take(&mut self.commit).put(key, value);
    }

    pub(super) fn delete(&mut self, key: String) {
        self.rows += 1;
        self.commit = std::mem::take(&mut self.commit).delete(key);
    }

    pub(super) fn expect_absent(&mut self, key: String) {
        self.rows += 1;
        self.commit = std::mem::take(&mut self.commit).expect_absent(key);
    }

    /// Puts a question with the commit, and notes who waits for its answer.
    pub(super) fn ask(&mut self, staged: Staged, instance: Uuid) {
        self.rows += 9;
        self.commit = staged
            .add_to(std::mem::take(&mut self.commit))
            .put(key::item(staged.item().id), instance.to_string());
        self.staged.push(staged);
    }

    /// Something that happened to an instance.
    pub(super) fn note(&mut self, kind: &'static str, instance: Uuid, data: Value) {
        self.event(Event::new(kind, "/kernel", key::subject(instance), data));
    }

    /// The journal of a transition: each entry is one of the specification's lifecycle events.
    pub(super) fn journal(&mut self, entries: &[Entry], stored: &Stored, workflow: &Workflow) {
        for entry in entries {
            let cloud_event = entry.cloud_event(&stored.instance, workflow);
            let source = format!("/workflows/{}/{}", stored.namespace, stored.name);
            let subject = format!("instance/{}", stored.instance.id());
            let mut data = bounded(cloud_event["data"].clone());
            data["number"] = entry.number.into();
            self.event(Event::new(entry.kind.name(), source, subject, data));
        }
    }

    pub(super) fn takes_a_step(&self) -> bool {
        self.rows < STEP_ROWS
    }

    pub(super) fn takes_an_effect(&self) -> bool {
        self.rows < EFFECT_ROWS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn into_parts(self) -> (Commit, Vec<Staged>, Vec<After>) {
        (self.commit, self.staged, self.after)
    }
}

/// Data that fits an event.
fn bounded(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        for value in fields.values_mut() {
            let is_deep = !canonical::is_within_depth(value, canonical::MAX_DEPTH - 4);
            if matches!(value, Value::Object(_) | Value::Array(_) | Value::String(_)) {
                let text = value.to_string();
                if is_deep || text.len() > MAX_DATA {
                    *value = json!({ "bytes": text.len(), "sha256": sha256(&text) });
                }
            }
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_an_event_is_journaled_by_its_digest() {
        let long = "x".repeat(MAX_DATA);
        let data = bounded(json!({ "output": long, "task": "/do/0/a" }));
        assert_eq!(data["task"], "/do/0/a");
        assert_eq!(data["output"]["bytes"], MAX_DATA + 2);
        assert!(data["output"]["sha256"].is_string());
    }
}
