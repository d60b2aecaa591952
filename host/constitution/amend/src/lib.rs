//! What an amendment to a constitution changes, and whether enough people agree.
//!
//! Whoever votes should not have to read a diff of lines. [`compare`] says which inputs get another answer, each with one
//! that shows it, which actions become easier or harder, who may do more, and what the linter thinks of it. A
//! [`Simulation`] says what recorded decisions would have become, and how much money with them. A [`Tally`] says how it
//! stands with the votes. All of it is computed from what it is given; nothing here reads a file or asks a plugin.
//!
//! ```
//! use polity_amend::compare;
//! use polity_constitution::{Constitution, Sources};
//!
//! let with = |limit: u32| {
//!     let table = format!(r#"{{
//!         "name": "refund", "hitPolicy": "UNIQUE",
//!         "inputs": [{{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}}],
//!         "outputs": [{{"name": "outcome", "typeRef": "string"}}],
//!         "rules": [
//!             {{"inputEntries": ["<= {limit}"], "outputEntries": ["\"pay\""]}},
//!             {{"inputEntries": ["> {limit}"], "outputEntries": ["\"ask\""]}}
//!         ]
//!     }}"#);
//!     let charter = r#"{
//!         "company": {"name": "Example", "currency": "EUR"},
//!         "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
//!         "defaults": {"unmatched": "deny"}
//!     }"#;
//!     let sources = Sources::new().with("charter.json", charter).with("decisions/refund.json", table);
//!     Constitution::from_sources(&sources).unwrap()
//! };
//! let comparison = compare(&with(50), &with(90));
//! let change = &comparison.tables[0].changes()[0];
//! assert_eq!((change.before.as_str(), change.after.as_str()), ("\"ask\"", "\"pay\""));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod actions;
mod comparison;
mod documents;
mod lints;
mod people;
mod probe;
mod simulation;
mod tables;
mod tally;
mod words;
mod workflows;

pub use actions::ActionChange;
pub use comparison::{Comparison, compare};
pub use documents::{DocumentChange, How, ValueChange};
pub use lints::LintDelta;
pub use people::PersonChange;
pub use probe::{Probe, Witness, probes};
pub use simulation::{Money, Outcomes, Shift, Simulated, Simulation, amount_of};
pub use tables::{TableChange, WhatChanged};
pub use tally::{Standing, Tally, quorum_of};
pub use workflows::{Part, StepChange, WorkflowChange, WorkflowHow};
