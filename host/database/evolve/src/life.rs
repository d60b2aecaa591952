//! One mutation on its way, and what has to survive a crash.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::Account;
use crate::catalogue::Inverse;
use crate::history::{Entry, Why};
use crate::mutation::Mutation;
use crate::proposal::{Proposal, Quote, Verdict};
use crate::strategy::Standing;

/// Where a mutation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Worth its cost; waits for the rules. `Proposed => Queued | Asked | over`
    Proposed,
    /// Waits for a person. `Asked => Queued | over`
    Asked {
        /// Why a person is asked.
        reason: String,
    },
    /// Waits for its turn. `Queued => Building | over`
    Queued,
    /// Being built, hidden. `Building => Canary | Undoing`
    Building {
        /// How often it was begun.
        attempt: u32,
    },
    /// Hidden and measured. `Canary => Activating | Undoing`
    Canary,
    /// Becoming visible. `Activating => over | Undoing`
    Activating,
    /// Being taken back. `Undoing => over`
    Undoing {
        /// Why.
        why: Why,
    },
}

/// A mutation that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Its identity, given from outside.
    pub id: Uuid,
    /// Name and version of the strategy, or the person.
    pub strategy: String,
    /// What is proposed, and why.
    pub proposal: Proposal,
    /// What the engine expects.
    pub quote: Quote,
    /// What would take it back.
    pub inverse: Inverse,
    /// Where it is.
    #[serde(flatten)]
    pub state: State,
    /// When it was admitted.
    pub proposed_ms: u64,
    /// When it came to this state.
    pub since_ms: u64,
    /// What the rules said.
    pub verdict: Option<Verdict>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When building began.
    pub build_ms: Option<u64>,
    /// What building made.
    pub built: Option<Built>,
    /// The entry of history that this takes back, when a person wants a kept mutation undone.
    pub takes_back: Option<Uuid>,
}

/// What building made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub build_us: u64,
}

/// What must be stored together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Mutations in their new state.
    pub lives: Vec<Life>,
    /// Mutations that are over.
    pub over: Vec<Uuid>,
    /// New entries of history, in order.
    pub entries: Vec<Entry>,
    /// Accounts by subject; `None` is forgotten.
    pub accounts: Vec<(String, Option<Account>)>,
    /// Standings by strategy.
    pub standings: Vec<(String, Standing)>,
}

impl Life {
    /// What it changes.
    pub fn mutation(&self) -> &Mutation {
        &self.proposal.mutation
    }

    /// Whether it holds a place among the builds.
    pub(crate) fn is_in_surgery(&self) -> bool {
        !matches!(
            self.state,
            State::Proposed | State::Asked { .. } | State::Queued
        )
    }
}
