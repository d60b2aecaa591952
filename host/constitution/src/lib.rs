//! What may happen in the company, as data.
//!
//! A constitution is a folder: `charter.json` says who the company is and who may do what, `rules/*.json` say which rule
//! plugin guards which kinds of action, `decisions/` holds the tables that the company decides by, `workflows/` what
//! happens next. [`Constitution::load`] reads the folder as one immutable, content-addressed
//! version, or reports everything that is wrong with it at once; there is no half-loaded constitution.
//!
//! When an action is about to happen, the host evaluates every binding that guards it and hands the [`Finding`]s to
//! [`resolve`], the pure function that joins them: deny outranks escalate, escalate outranks amend, amend outranks
//! allow, and a rule that failed never allows.
//!
//! This crate runs no plugin and writes no ledger. It can be used alone.
//!
//! ```
//! use polity_constitution::{Constitution, Finding, Mode, Sources, Verdict, resolve};
//! use serde_json::json;
//!
//! let sources = Sources::new()
//!     .with("charter.json", r#"{
//!         "company": {"name": "Example", "currency": "EUR"},
//!         "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
//!         "defaults": {"unmatched": "allow"}
//!     }"#)
//!     .with("rules/refunds.json", r#"{"rule": "spending-limit", "guards": ["refund.*"]}"#);
//! let constitution = Constitution::from_sources(&sources).unwrap();
//!
//! let kind = "refund.approve".parse().unwrap();
//! let binding = constitution.bindings_for(&kind).next().unwrap();
//! assert_eq!(binding.name, "refunds");
//!
//! let finding = Finding::of(binding, Ok(Verdict::Deny { reason: "it is above the limit".into() }));
//! let resolution = resolve(&json!({"amount": 900}), vec![finding], constitution.charter());
//! assert_eq!(resolution.sentence, "Denied by refunds (spending-limit): it is above the limit.");
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod actor;
mod amend;
mod asks;
mod binding;
mod cases;
mod charter;
mod checks;
mod constitution;
mod document;
mod finding;
mod git;
mod inquiry;
mod kind;
mod lattice;
mod lint;
mod parts;
mod permission;
mod policy;
mod problem;
mod records_policy;
mod references;
mod resolution;
mod roles;
mod schema;
mod sentence;
mod settle;
mod shared_budgets;
mod sources;
mod version;

pub use actor::{Actor, ActorKind};
pub use binding::{Binding, Mode};
pub use cases::Tried;
pub use charter::{Charter, Company};
pub use constitution::Constitution;
pub use finding::{Finding, RuleFailure, Verdict};
pub use inquiry::{Answer, Clause, Near, Protocol, ProtocolKind};
pub use kind::{ActionKind, KindError, KindPattern};
pub use lattice::resolve;
pub use lint::{Checked, lint, lint_documents, lint_with};
pub use permission::{Permission, UnknownPermission};
pub use policy::{
    AmendmentPolicy, Budgets, CompletionRecords, Defaults, LedgerPolicy, OnExpiry, OnFailure,
    PluginPolicy, Unmatched,
};
pub use problem::{Problem, Problems};
pub use records_policy::{EvolutionPolicy, Freedom, RecordsPolicy, RowMatch, RowRule, SchemaClass};
pub use resolution::{
    Ask, AskReason, Conflict, Decider, Hypothetical, Outcome, OutcomeKind, Resolution,
};
pub use roles::{BUILT_IN_ROLES, BuiltInRole, OWNER};
pub use schema::{SCHEMAS, Schema};
pub use shared_budgets::{SpendLimits, TeamBudget};
pub use sources::Sources;
pub use version::Version;
