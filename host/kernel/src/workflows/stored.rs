//! An instance as it is stored: the interpreter's state, and what the kernel has done about its effects.

use std::collections::BTreeMap;

use polity_constitution::Version;
use polity_workflow::{Call, EffectId, Instance};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Events that an instance remembers having been shown. An event is shown again only after a crash, and soon.
const MAX_HEARD: usize = 64;

/// Everything that an instance needs to go on, in one value under one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) instance: Instance,
    /// The name of the workflow.
    pub(super) name: String,
    pub(super) namespace: String,
    /// The version that the document says.
    pub(super) version: String,
    /// The constitution that it began with and ends with.
    pub(super) constitution: Version,
    /// Who has it run; in whose name its effects happen.
    pub(super) actor: String,
    pub(super) cause: Cause,
    /// What has been done about the effects that it waits for, by [`name`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) effects: BTreeMap<String, Pending>,
    /// Events that it was shown last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) heard: Vec<String>,
    pub(super) updated_ms: u64,
}

/// Why an instance began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(super) enum Cause {
    /// Somebody started it by its name.
    Request,
    /// Its time had come.
    Schedule {
        /// The planned instant.
        at_ms: u64,
    },
    /// An event came.
    Event {
        /// The event's key.
        event: String,
    },
    /// Another instance runs it.
    Parent {
        /// Which.
        instance: Uuid,
        /// Its effect, where it waits for the result.
        effect: Option<EffectId>,
    },
}

/// What has been done about an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum Pending {
    /// It may happen, or has begun to.
    Ready {
        /// Its form where the rules or people changed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Box<Call>>,
        /// The decision that left it to people, who accepted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<Uuid>,
    },
    /// The rules leave it to people whether it happens.
    Rules {
        items: Vec<Uuid>,
        /// Their decision, where it was made on the way and not before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Uuid>,
        /// Its form where the rules changed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Box<Call>>,
    },
    /// A person is asked.
    Person { items: Vec<Uuid> },
    /// Another instance runs.
    Child { id: Uuid },
}

impl Pending {
    /// The inbox items that it waits for.
    pub(super) fn items(&self) -> &[Uuid] {
        match self {
            Self::Rules { items, .. } | Self::Person { items } => items,
            Self::Ready { .. } | Self::Child { .. } => &[],
        }
    }
}

impl Stored {
    /// Whether an event is new to it; from then on it is not.
    pub(super) fn hears(&mut self, event: &str) -> bool {
        if self.heard.iter().any(|heard| heard == event) {
            return false;
        }
        if self.heard.len() >= MAX_HEARD {
            self.heard.remove(0);
        }
        self.heard.push(event.to_owned());
        true
    }
}

/// The name of an effect, another for each attempt.
pub(super) fn name(id: &EffectId) -> String {
    format!("{}#{}", id.key, id.attempt)
}
