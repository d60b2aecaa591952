//! What a strategy argues for, and what the others say to it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::is_deeper_than;
use crate::mutation::Mutation;

const LONGEST_REASON: usize = 1_000;
const LARGEST_EVIDENCE: usize = 16 * 1024;
const DEEPEST_EVIDENCE: usize = 16;

/// A mutation with its argument. As `wit/strategy.wit` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What to change.
    pub mutation: Mutation,
    /// One sentence for the person or rule that judges it.
    pub reason: String,
    /// The observations that support it.
    pub evidence: Value,
    /// Expected gain in microseconds of query time a day; negative for a cost.
    pub benefit_us_per_day: i64,
    /// Expected cost in microseconds of write time a day.
    pub write_cost_us_per_day: i64,
    /// Expected storage in bytes.
    pub storage_bytes: u64,
}

/// What the engine expects of a mutation. Not the strategy's word: a strategy that calls every build free would pass
/// every gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// How long building takes.
    pub build_us: u64,
    /// How old the collection is.
    pub collection_age_ms: u64,
    /// How large it is.
    pub collection_bytes: u64,
}

/// What the rules say to a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may be made.
    Allow,
    /// It may not.
    Deny {
        /// Why.
        reason: String,
    },
    /// A person decides.
    Escalate {
        /// Why.
        reason: String,
    },
}

impl Proposal {
    /// What is gained a day when writes are paid.
    pub fn net_us_per_day(&self) -> i64 {
        self.benefit_us_per_day
            .saturating_sub(self.write_cost_us_per_day)
    }

    /// The same, with what is too long or too deep to be kept for ever cut down.
    pub(crate) fn bounded(mut self) -> Self {
        if self.reason.len() > LONGEST_REASON {
            let end = self.reason.floor_char_boundary(LONGEST_REASON);
            self.reason.truncate(end);
        }
        let deep = is_deeper_than(&self.evidence, DEEPEST_EVIDENCE);
        if deep || self.evidence.to_string().len() > LARGEST_EVIDENCE {
            self.evidence = json!({"left_out": "the evidence was too large to keep"});
        }
        self
    }
}
