//! The port: what a database asks of the house around it before and while it changes its schema.

use std::sync::Arc;
use std::time::Duration;

use polity_evolve::{Batch, Life, Policy, Proposal, Saved, Verdict};
use serde_json::Value;
use uuid::Uuid;

use super::what_if::WhatIf;

/// The house around a database. Called from the evolver's own thread, which may wait; never while a query waits for it.
pub trait Overseer: Send + Sync + 'static {
    /// How much freedom mutations have now. Asked at every round.
    fn settings(&self) -> Settings;

    /// How busy the machine is with other work, in percent.
    fn load_percent(&self) -> u8;

    /// The strategies, by name and version.
    fn strategies(&self) -> Vec<String>;

    /// A strategy's round.
    ///
    /// # Errors
    /// Why it has nothing to say: it trapped, ran out of fuel, or is gone.
    fn propose(&self, strategy: &str, seen: &Observations) -> Result<Vec<Proposal>, String>;

    /// What the rules say to a mutation, on the action `schema.<kind>`. Recorded when it returns. `None` where they
    /// cannot be asked now; they are asked again at the next start.
    fn judge(&self, life: &Life) -> Option<Verdict>;

    /// Puts a mutation to a person. May be called again for the same one; that is one question all the same.
    fn ask(&self, life: &Life);

    /// What people have answered to those that were asked, so far.
    fn answers(&self, asked: &[Life]) -> Vec<Answered>;

    /// Everything that was stored.
    ///
    /// # Errors
    /// The journal does not read.
    fn load(&self) -> Result<Saved, String>;

    /// Stores a batch, all or nothing; it is on the disk when this returns.
    ///
    /// # Errors
    /// It is not stored.
    fn store(&self, batch: &Batch) -> Result<(), String>;

    /// A new identity.
    fn new_id(&self) -> Uuid;
}

/// How a database evolves.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What may happen by itself.
    pub policy: Policy,
    /// The least time between two rounds of the strategies.
    pub round: Duration,
}

/// What strategies get to see.
#[derive(Clone, Debug)]
pub struct Observations {
    /// When.
    pub at_ms: u64,
    /// How far back rates of late reach.
    pub window_ms: u64,
    /// Aggregates, the schema and its history; no row and no value.
    pub seen: Value,
    /// What changes would do to the queries in it.
    pub what_if: Arc<WhatIf>,
}

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// To which mutation.
    pub id: Uuid,
    /// Whether it may be made.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// Why.
    pub note: String,
}
