//! What happens next: workflows that run for weeks, survive every crash and repeat nothing.
//!
//! A [`Workflow`] is a document of the Open Workflow Specification 1.0.3, checked and immutable. An [`Instance`] is one
//! run of it, as a value. [`Instance::step`] takes a fact and returns a [`Transition`]: the next state, entries for the
//! journal, effects to perform and the time of the next wake. The crate reads no clock, performs no effect and keeps
//! nothing; whoever drives it does three things:
//!
//! 1. commit the new state and the entries in **one** transaction,
//! 2. then rule on and perform the requests, and hand each result to the next step,
//! 3. after a crash, load the state and do what [`Instance::recover`] says.
//!
//! Nothing is replayed, so neither a new build nor a new version of the document can break a run; it stays on the digest
//! that it started with.
//!
//! ```
//! use polity_workflow::{Dialect, Event, Instance, Outcome, Workflow};
//! use serde_json::json;
//!
//! let workflow = Workflow::load("refund.yaml", r#"
//! document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0}
//! do:
//!   - decide:
//!       call: decide
//!       with: {table: refund-limit}
//!   - answer:
//!       set: {paid: '${ .pay }'}
//! "#, Dialect::Strict).unwrap();
//!
//! let started = Instance::start(&workflow, json!({"amount": 12}), "run-1", 1_000, 42);
//! let request = &started.requests[0];
//! assert_eq!(request.id.key, "run-1/do/0/decide");
//!
//! let answer = Event::EffectCompleted { id: request.id.clone(), output: json!({"pay": true}) };
//! let ended = started.instance.step(&workflow, answer, 1_005, 42).unwrap();
//! assert_eq!(ended.instance.outcome(), Some(&Outcome::Completed { output: json!({"paid": true}) }));
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod call;
mod duration;
mod engine;
mod function;
mod graph;
mod jq;
mod problem;
mod read;
mod schedule;
mod schema;
mod task;
mod text;
mod view;
mod workflow;

pub use call::{Ask, Call, EffectClass, Http, HttpOutput};
pub use duration::milliseconds;
pub use engine::{
    Correlator, EffectId, EffectRequest, Entry, EntryKind, Event, Fault, FaultKind, Ignored,
    Instance, Outcome, Phase, Recovery, StepError, Transition, Triggered,
};
pub use graph::{Edge, EdgeKind, Effect, Gate, Graph, Node, Place, Repeat, Trigger, Wait};
pub use jq::Dialect;
pub use problem::{Problem, Problems};
pub use schedule::{Due, Misfire, Plan, Schedule};
pub use schema::OPEN_WORKFLOW_SCHEMA;
pub use view::{Branch, Step, Tree};
pub use workflow::Workflow;
