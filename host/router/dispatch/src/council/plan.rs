//! Who sits on a council, and how it decides.

use serde::{Deserialize, Serialize};

use crate::{Candidate, Compare};

/// How a council decides between answers that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// The answer that most members gave.
    #[default]
    Majority,
    /// The members vote on the answers; that several gave the same one counts as well.
    Vote,
}

/// A council, as the charter has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilPlan {
    /// The members. The same model may sit on it more than once.
    pub members: Vec<Candidate>,
    /// Rounds of answers. In each but the first, members see what the others answered before.
    #[serde(default = "one")]
    pub rounds: u32,
    /// Answers without which nothing is decided.
    pub quorum: usize,
    /// How long a round may take.
    pub round_timeout_ms: u64,
    /// When everything has to be over.
    pub deadline_ms: u64,
    /// The most that the council may cost.
    #[serde(default)]
    pub max_cost_micro: Option<u64>,
    /// When two answers are the same one.
    #[serde(default)]
    pub compare: Compare,
    /// How it decides.
    #[serde(default)]
    pub decide: Decide,
    /// How much of an answer the others are shown.
    #[serde(default = "shown")]
    pub shown_bytes: usize,
}

/// Why a council cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody sits on it.
    #[error("the council has no members; name at least two models")]
    NoMembers,
    /// More sit on it than can be heard.
    #[error("the council has {0} members; no more than 64 can be heard")]
    TooMany(usize),
    /// It could never decide.
    #[error(
        "the quorum is {quorum} and the council has {members} members; set it between 1 and {members}"
    )]
    Quorum {
        /// Asked for.
        quorum: usize,
        /// There are.
        members: usize,
    },
    /// Rounds out of range.
    #[error("the council has {0} rounds; set it between 1 and 8")]
    Rounds(u32),
}

/// Members of a council at most: each sees what all others said, so prompts grow with the square.
const MOST_MEMBERS: usize = 64;
const MOST_ROUNDS: u32 = 8;

const fn one() -> u32 {
    1
}

const fn shown() -> usize {
    4000
}

impl CouncilPlan {
    /// A council of one round that decides by majority, of more than half of its members.
    pub fn new(members: Vec<Candidate>, deadline_ms: u64) -> Self {
        Self {
            quorum: members.len() / 2 + 1,
            members,
            rounds: one(),
            round_timeout_ms: u64::MAX,
            deadline_ms,
            max_cost_micro: None,
            compare: Compare::Text,
            decide: Decide::Majority,
            shown_bytes: shown(),
        }
    }

    /// Whether it can begin.
    pub fn check(&self) -> Result<(), PlanError> {
        let members = self.members.len();
        match () {
            () if members == 0 => Err(PlanError::NoMembers),
            () if members > MOST_MEMBERS => Err(PlanError::TooMany(members)),
            () if !(1..=members).contains(&self.quorum) => Err(PlanError::Quorum {
                quorum: self.quorum,
                members,
            }),
            () if !(1..=MOST_ROUNDS).contains(&self.rounds) => Err(PlanError::Rounds(self.rounds)),
            () => Ok(()),
        }
    }
}
