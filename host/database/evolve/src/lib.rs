//! The life of a schema mutation.
//!
//! A strategy argues; this crate decides what becomes of its argument, and it can be trusted with a database because
//! every step has a way back:
//!
//! ```text
//! proposed ─→ (break-even gate) ─→ judged ─→ [asked] ─→ queued ─→ building ─→ canary ─→ activating ─→ kept
//!                                    │          │                    │          │           │
//!                                    └─ refused ┘                    └─ undoing ┴───────────┘─→ reverted
//! ```
//!
//! - *Sans-I/O.* An [`Evolution`] is told facts and returns [`Effect`]s, to be carried out in order. [`drive()`] does that
//!   over three ports: [`Surgery`], the engine; [`Judge`], the rules and the people; [`Journal`], what survives.
//! - *Persisted before each step.* The first effect of a step is the state that it leads to. After a crash
//!   [`Evolution::resume`] repeats the step that was under way; steps are made to be repeated.
//! - *Measured, not believed.* Queries run interleaved with and without a hidden index, and the mutation bears the
//!   burden of proof; see [`canary`] for the error rates.
//! - *No thrash.* Nothing is built before waiting has cost as much as building ([`Account`]), each rebuilding doubles
//!   what it takes to drop, a reverted mutation is quarantined for a week, then two, and after three times only a
//!   person may try it again.
//! - *Remembered.* [`History`] is a chain of hashes with evidence, prediction, measurement and way back; replayed on
//!   an empty [`Catalogue`] it gives the catalogue of today.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod account;
mod admission;
pub mod canary;
mod catalogue;
mod declare;
mod digest;
mod drive;
mod evolution;
mod history;
mod life;
mod mutation;
mod policy;
mod proposal;
mod resume;
mod revert;
mod seen;
mod signed_rank;
mod strategy;

pub use account::Account;
pub use admission::Admitted;
pub use canary::{Canary, Decision, Measured, Sample};
pub use catalogue::{Catalogue, Conflict, FieldEntry, Inverse, Made, Origin};
pub use digest::Digest;
pub use drive::{DriveError, Journal, Judge, Surgery, SurgeryError, drive};
pub use evolution::{Effect, Evolution, OutOfTurn};
pub use history::{Broken, Entry, History, Outcome, Why};
pub use life::{Batch, Built, Life, State};
pub use mutation::{Alias, Class, Field, Index, Link, Malformed, Mutation, Rollup, Trial};
pub use policy::{Mode, Policy};
pub use proposal::{Proposal, Quote, Verdict};
pub use resume::Saved;
pub use revert::RevertError;
pub use seen::seen;
pub use strategy::Standing;
