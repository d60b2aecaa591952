//! A workflow as a neutral graph: what a linter needs to know, without the types of the interpreter.
//!
//! Every node is a task; edges are the ways on. A node that holds other tasks has an edge to the first task of each list
//! ([`EdgeKind::Into`]), and the last task of a list leads back to it ([`EdgeKind::OutOf`]), so that reachability is plain
//! graph search from node 0.

mod build;

use serde::Serialize;
use serde_json::Value;

use crate::call::EffectClass;

pub(crate) use build::kind;

/// A workflow as a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// `namespace/name`.
    pub workflow: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The file it was read from.
    pub file: String,
    /// When it starts by itself. Empty where somebody must start it.
    pub triggers: Vec<Trigger>,
    /// The schema of its input, where it has one inline.
    pub input_schema: Option<Value>,
    /// A time limit on the whole.
    pub timeout_ms: Option<u64>,
    /// Its tasks; the first is the workflow itself.
    pub nodes: Vec<Node>,
    /// The ways from task to task.
    pub edges: Vec<Edge>,
}

/// When a workflow starts by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// `cron`, `every`, `after` or `on`.
    pub kind: &'static str,
    /// In words.
    pub words: String,
    /// Event types, where events start it.
    pub events: Vec<String>,
    /// Where it says so.
    pub place: Place,
}

/// A place in the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// JSON pointer.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name; empty for the workflow itself.
    pub name: String,
    /// `do`, `call`, `switch`, ...
    pub kind: &'static str,
    /// The task around it.
    pub parent: Option<usize>,
    /// Where it stands.
    pub place: Place,
    /// The condition under which it runs at all.
    pub condition: Option<String>,
    /// The effect it has, where it has one.
    pub effect: Option<Effect>,
    /// What it waits for, where it waits.
    pub wait: Option<Wait>,
    /// How it ends where the wait takes too long.
    pub timeout_ms: Option<u64>,
    /// The loop it is, where it is one.
    pub repeat: Option<Repeat>,
    /// True for a switch with a case that needs no condition.
    pub has_default: bool,
    /// The sentence of policy it carries out, from `metadata.policy`.
    pub policy: Option<Value>,
}

/// An effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What is called: `http`, `records.insert`, `log:1@tools`.
    pub call: String,
    /// How often it may happen.
    pub class: EffectClass,
    /// True where the author said how often.
    pub declared: bool,
    /// True where it changes nothing outside: tables, queries, reading requests.
    pub reads_only: bool,
    /// Arguments that are known before anything runs.
    pub arguments: Value,
    /// The gate it is, where a person answers.
    pub gate: Option<Gate>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Who answers.
    pub role: Option<String>,
    /// True where it has a deadline.
    pub has_deadline: bool,
    /// True where somebody else is asked afterwards, or an error of the gate is caught.
    pub has_escalation: bool,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// `time`, `event`, `person` or `answer`.
    pub on: &'static str,
    /// In words.
    pub words: String,
    /// True where it ends some day by itself: a duration, a timeout here or around it.
    pub bounded: bool,
}

/// A loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// `for`, `listen` or `retry`.
    pub kind: &'static str,
    /// True where the number of rounds has a bound that does not depend on what happens.
    pub bounded: bool,
}

/// A way from one task to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// From this node.
    pub from: usize,
    /// To this node; `None` ends the workflow.
    pub to: Option<usize>,
    /// What kind of way.
    pub kind: EdgeKind,
    /// The case of a switch, or what list is entered.
    pub label: Option<String>,
    /// The condition, as jq.
    pub condition: Option<String>,
}

/// A kind of way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The next in the list.
    Next,
    /// By `then`.
    Then,
    /// A case of a switch.
    Case,
    /// A switch none of whose cases holds.
    NoCase,
    /// Into the first task of a list.
    Into,
    /// A branch of a fork.
    Branch,
    /// Into the tasks that handle an error.
    Catch,
    /// Out of a list, back to the task around it.
    OutOf,
}
