//! The neutral description of a protocol.

use std::collections::BTreeMap;

use polity_tables::Place;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A protocol as tasks and edges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessGraph {
    /// What the protocol is called by.
    pub name: String,
    /// The document as a whole.
    pub place: Place,
    /// The id of the task that it begins with.
    pub start: Option<String>,
    /// The tasks, those of inner blocks among them.
    pub tasks: Vec<Task>,
    /// What starts it.
    pub triggers: Vec<Trigger>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the protocol, for example its JSON pointer.
    pub id: String,
    /// Its name in its block.
    pub name: String,
    /// The block it stands in; edges by name stay within it.
    pub scope: String,
    /// Where it stands.
    pub place: Place,
    /// Where it leads.
    #[serde(default)]
    pub edges: Vec<Edge>,
    /// What it does to the world.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// Whom it asks.
    #[serde(default)]
    pub gate: Option<Gate>,
    /// What it waits for.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// How it branches, if it does.
    #[serde(default)]
    pub switch: Option<Switch>,
    /// Whether it limits how often a loop through it runs: an item of a list each time, a counter, a number of attempts.
    #[serde(default)]
    pub bounds_loop: bool,
    /// The protocol that it runs.
    #[serde(default)]
    pub runs: Option<String>,
}

/// A way from one task to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Where it leads.
    pub to: Target,
    /// Why it is there.
    #[serde(default)]
    pub kind: EdgeKind,
    /// Where it is written.
    pub place: Place,
    /// For a task that asks people: after which answer it is taken; any, where that is not said.
    #[serde(default)]
    pub on: Option<Outcome>,
}

/// Where an edge leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// To a task of the same block, by its name.
    Name(String),
    /// To any task, by its id; blocks are entered and left so.
    Id(String),
    /// To the end of the protocol.
    End,
}

/// Why an edge is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The next task.
    #[default]
    Next,
    /// A branch.
    Branch,
    /// Into a block.
    Enter,
    /// Out of a block.
    Leave,
    /// After an error.
    Catch,
}

/// What people answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Nothing in time.
    Expired,
}

/// What a task does to the world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The kind of action, such as `refund.pay`.
    pub action: String,
    /// What a crash may do to it.
    pub class: Option<EffectClass>,
    /// Whether it may happen only after people agreed, even where no gate of the protocol names it.
    #[serde(default)]
    pub needs_approval: bool,
}

/// What a crash may do to an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// It is written together with the record that it happened.
    OwnRecords,
    /// The other side recognises a repetition by its key.
    IdempotentByKey,
    /// It may be lost.
    AtMostOnce,
    /// It may be repeated.
    AtLeastOnce,
}

/// A question to people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The kinds of action that it approves; `refund.*` is all below.
    pub approves: Vec<String>,
    /// Whether it has a deadline.
    pub deadline: bool,
    /// Whether it says what happens after the deadline.
    pub escalation: bool,
}

/// Waiting for something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// What for, in words.
    pub for_what: String,
    /// Whether it ends by itself.
    pub limited: bool,
}

/// Branching.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// Whether one branch is taken when no other is.
    pub default: bool,
    /// Whether the branches are known to leave nothing out.
    pub exhaustive: bool,
}

/// What starts a protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// In words: `every day at 06:00`, `refund.disputed`.
    pub on: String,
    /// Where it is written.
    pub place: Place,
    /// The events that start it, each by the attributes it must have; what is computed is not among them. Empty where no
    /// event does.
    #[serde(default)]
    pub events: Vec<BTreeMap<String, Json>>,
}

/// Whether a pattern of action kinds takes an action in.
pub(crate) fn takes(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(root) => {
            action == root
                || action
                    .strip_prefix(root)
                    .is_some_and(|rest| rest.starts_with('.'))
        }
        None => pattern == "*" || pattern == action,
    }
}
