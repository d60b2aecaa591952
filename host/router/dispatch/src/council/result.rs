//! What a council has decided.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// All who answered say the same.
    Unanimous,
    /// More than half of those who answered say so, or voted so.
    Majority,
    /// More say so than say anything else.
    Plurality,
    /// As many say something else; the first of them was taken.
    Tie,
    /// Too few answered. Whatever is said of answers is no decision.
    NoQuorum,
}

/// Why a council ended before its last round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// It did not.
    AllRounds,
    /// All said the same.
    Agreement,
    /// Another round would have cost more than it may.
    CostCap,
    /// There was no time left.
    Deadline,
    /// Too few were left.
    Quorum,
}

/// An answer, and who stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The answer, as the first of them gave it.
    pub answer: Arc<str>,
    /// Positions of the members who gave it.
    pub members: Vec<usize>,
    /// Votes of members who had given another one.
    pub votes: u32,
    /// Votes, and for each member the others who gave the same answer: what decides.
    pub score: u32,
}

/// What a member did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The last answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Arc<str>>,
    /// The view that was voted for, where a vote was counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub voted_for: Option<usize>,
    /// Whether the vote was for the member's own answer, and so was not counted.
    pub voted_for_own: bool,
    /// Whether there was a vote that could not be read.
    pub vote_unreadable: bool,
    /// Rounds in which the member failed or was late.
    pub failures: u32,
    /// What the member cost.
    pub cost_micro: u64,
}

/// What a council has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilResult {
    /// How sure it is.
    pub agreement: Agreement,
    /// The answer that was taken; none without a quorum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consensus: Option<View>,
    /// The other answers, the strongest first.
    pub dissent: Vec<View>,
    /// What each member did, in the order of the plan.
    pub members: Vec<Part>,
    /// Members who answered.
    pub answered: usize,
    /// Rounds of answers that were held.
    pub rounds: u32,
    /// Why it was over.
    pub ended_by: EndedBy,
    /// What it cost.
    pub cost_micro: u64,
}
