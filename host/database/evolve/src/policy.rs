//! How much freedom mutations have.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::mutation::Class;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What may happen to proposals of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They are counted and shown, nothing else.
    Observe,
    /// A person decides on each.
    Suggest,
    /// They are made where the rules allow it.
    Auto,
}

/// Limits and times. Each default says where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// By class; a class that is not named asks. Linked collections always ask: they change what old queries mean.
    pub modes: BTreeMap<Class, Mode>,
    /// Subjects that only a person changes: `orders.total`, `orders(customer)`.
    pub protected: BTreeSet<String>,
    /// Builds at a time. One: two would share the machine and measure each other.
    pub concurrent_builds: usize,
    /// Builds in 24 hours. As many as a person can follow.
    pub builds_per_day: usize,
    /// No build begins while the machine is busier than this, in percent.
    pub busiest_percent: u8,
    /// A collection younger than this is left alone: its first day is an import.
    pub youngest_ms: u64,
    /// What a mutation may take of its collection's size, in percent, above one mebibyte.
    pub largest_percent: u64,
    /// How long a trial may take. Three days hold a weekend's start or end, as at Azure SQL.
    pub trial_ms: u64,
    /// How long a reverted mutation rests the first time; doubled each time.
    pub quarantine_ms: u64,
    /// How often a mutation may be reverted before only a person may try again.
    pub strikes: u32,
    /// How often in a row a strategy may ask in vain before it is muted.
    pub vain_rounds: u32,
    /// Proposals of one round that are read.
    pub proposals: usize,
    /// How far apart rounds may be and still count as one span of waiting.
    pub round_gap_ms: u64,
    /// How often a build is begun again after a crash before it is taken for the cause.
    pub attempts: u32,
    /// Time that a rate stands for when it is told for the first time: that much of waiting has been paid by then. The
    /// watch spreads what it saw over an hour at least, so its owner says an hour; nothing is the careful choice for
    /// whoever does not know where rates come from.
    pub paid_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            modes: BTreeMap::from([
                (Class::Index, Mode::Auto),
                (Class::Rollup, Mode::Auto),
                (Class::Field, Mode::Auto),
                (Class::Alias, Mode::Suggest),
                (Class::Archive, Mode::Auto),
                (Class::Link, Mode::Suggest),
            ]),
            protected: BTreeSet::new(),
            concurrent_builds: 1,
            builds_per_day: 10,
            busiest_percent: 70,
            youngest_ms: DAY_MS,
            largest_percent: 20,
            trial_ms: 3 * DAY_MS,
            quarantine_ms: 7 * DAY_MS,
            strikes: 3,
            vain_rounds: 20,
            proposals: 50,
            round_gap_ms: DAY_MS + HOUR_MS,
            attempts: 3,
            paid_ms: 0,
        }
    }
}

impl Policy {
    /// The mode of a class.
    pub fn mode(&self, class: Class) -> Mode {
        let mode = self.modes.get(&class).copied().unwrap_or(Mode::Suggest);
        match (class, mode) {
            (Class::Link, Mode::Auto) => Mode::Suggest,
            (_, mode) => mode,
        }
    }
}
