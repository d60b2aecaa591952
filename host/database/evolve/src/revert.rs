//! A person's way back: from a mutation under way, or from one that was kept.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::evolution::{Effect, Evolution};
use crate::history::{Entry, Outcome, Why};
use crate::life::{Life, State};
use crate::proposal::Quote;

/// Why a mutation is not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RevertError {
    /// There is none.
    #[error("{0} is no mutation that was kept or is on its way; `polity db history` lists them")]
    Unknown(Uuid),
    /// It was, or is being, taken back already.
    #[error("{0} was taken back already")]
    Twice(Uuid),
    /// Something rests on it.
    #[error("it cannot be taken back: {0}; take that back first")]
    Conflict(String),
}

impl From<crate::Conflict> for RevertError {
    fn from(conflict: crate::Conflict) -> Self {
        Self::Conflict(conflict.to_string())
    }
}

impl Evolution {
    /// A person wants a mutation taken back: one on its way or one that was kept.
    ///
    /// # Errors
    /// There is none, or something rests on it.
    pub fn revert(
        &mut self,
        id: Uuid,
        revert_id: Uuid,
        by: &str,
        now_ms: u64,
    ) -> Result<Vec<Effect>, RevertError> {
        let by_person = Why::Person { by: by.to_owned() };
        if let Some(life) = self.lives.remove(&id) {
            if !life.is_in_surgery() {
                return Ok(self.refuse(life, by, "taken back", now_ms));
            }
            return Ok(self.undo(life, by_person, now_ms));
        }
        let kept = |entry: &&Entry| entry.id == id && entry.outcome == Outcome::Kept;
        let entry = self.history.entries().iter().find(kept).cloned();
        let Some((entry, inverse)) = entry.and_then(|e| e.inverse.clone().map(|i| (e, i))) else {
            return Err(RevertError::Unknown(id));
        };
        let again = |entry: &Entry| entry.takes_back == Some(id);
        if self.history.entries().iter().any(again)
            || self.lives.values().any(|life| life.takes_back == Some(id))
        {
            return Err(RevertError::Twice(id));
        }
        self.catalogue.clone().undo(&inverse)?;
        let life = Life {
            id: revert_id,
            strategy: entry.strategy,
            proposal: entry.proposal,
            quote: Quote::default(),
            inverse,
            state: State::Queued,
            proposed_ms: now_ms,
            since_ms: now_ms,
            verdict: None,
            approved_by: Some(by.to_owned()),
            build_ms: None,
            built: None,
            takes_back: Some(id),
        };
        Ok(self.undo(life, by_person, now_ms))
    }
}
