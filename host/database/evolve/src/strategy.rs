//! What a strategy's word is worth.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// Mutations to judge a strategy by.
const ENOUGH: u32 = 10;

/// How a strategy has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Mutations that were kept.
    pub kept: u32,
    /// Mutations that were taken back.
    pub reverted: u32,
    /// Rounds in a row that asked for what cannot be.
    pub vain_rounds: u32,
    /// How often it was muted.
    pub mutes: u32,
    /// Until when it is not listened to.
    pub muted_until_ms: u64,
    /// What it asked for in vain the last time.
    pub complaint: Option<String>,
}

impl Standing {
    /// Whether less than half of what it proposed was good; then a person decides on its proposals.
    pub fn is_doubtful(&self) -> bool {
        self.kept + self.reverted >= ENOUGH && self.kept < self.reverted
    }

    /// A round is over. Asking in vain again and again ends in silence, twice as long each time.
    pub(crate) fn round(&mut self, complaint: Option<String>, now_ms: u64, policy: &Policy) {
        let Some(complaint) = complaint else {
            self.vain_rounds = 0;
            return;
        };
        self.complaint = Some(complaint);
        self.vain_rounds += 1;
        if self.vain_rounds >= policy.vain_rounds.max(1) {
            let rest = policy.quarantine_ms.saturating_mul(1 << self.mutes.min(20));
            self.muted_until_ms = now_ms.saturating_add(rest);
            self.mutes = self.mutes.saturating_add(1);
            self.vain_rounds = 0;
        }
    }
}
