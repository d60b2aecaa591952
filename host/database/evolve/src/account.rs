//! What waiting has cost. The gate against thrash.
//!
//! Whether to build is the question of the skier who may rent or buy and does not know how long the season is: buying
//! when rent has added up to the price costs at most twice what knowing would (Karlin, Manasse, Rudolph and Sleator
//! 1988). So an index is built when its absence has cost as much as its building, and given up when its presence has;
//! a load that swings would still go round for ever, so each rebuilding doubles what it takes to give up. A plain
//! cool-down time does worse: it makes the load wait when it is right.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::proposal::{Proposal, Quote};

const DAY_MS: f64 = 86_400_000.0;

/// What is known of one subject, whoever proposed it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Microseconds that its absence has cost since it was first proposed.
    pub waited_us: f64,
    /// Microseconds that its presence has cost since it was last useful.
    pub regret_us: f64,
    /// The net gain a day at the last round.
    pub net_us_per_day: i64,
    /// The last round that proposed it, if it was the strategy's last.
    pub last_ms: Option<u64>,
    /// When it was last touched.
    pub touched_ms: u64,
    /// How often it was built.
    pub creations: u32,
    /// How often it was taken back or refused.
    pub strikes: u32,
    /// Until when it rests.
    pub quarantined_until_ms: u64,
    /// Which strategy proposed it last.
    pub strategy: String,
}

impl Account {
    /// A round proposed it. Whether it is worth its cost by now.
    pub(crate) fn accrue(
        &mut self,
        proposal: &Proposal,
        quote: &Quote,
        strategy: &str,
        now_ms: u64,
        policy: &Policy,
    ) -> bool {
        let net = proposal.net_us_per_day();
        if self.touched_ms == 0 && !proposal.mutation.is_drop() {
            self.waited_us += net.max(0) as f64 * policy.paid_ms as f64 / DAY_MS;
        }
        if let Some(last) = self.last_ms {
            let span = now_ms.saturating_sub(last).min(policy.round_gap_ms) as f64;
            // The lower of both ends: a round's number speaks for the time before and after it.
            let cost = net.min(self.net_us_per_day).max(0) as f64 * span / DAY_MS;
            if proposal.mutation.is_drop() {
                self.regret_us += cost;
            } else {
                self.waited_us += cost;
            }
        }
        self.last_ms = Some(now_ms);
        self.touched_ms = now_ms;
        self.net_us_per_day = net;
        self.strategy = strategy.to_owned();
        let build = quote.build_us as f64;
        if proposal.mutation.is_drop() {
            let again = self.creations.saturating_sub(1).min(30);
            net > 0 && self.regret_us >= build * f64::from(1_u32 << again)
        } else {
            // What was built in vain has to wait for more evidence, not only for more time.
            let in_vain = self.strikes.min(30);
            net > 0 && self.waited_us >= build * f64::from(1_u32 << in_vain)
        }
    }

    /// A round of its strategy did not propose it: what was to be given up is of use again.
    pub(crate) fn skip(&mut self) {
        self.last_ms = None;
        self.regret_us = 0.0;
    }

    /// It was built, or given up: what led there is paid.
    pub(crate) fn settle(&mut self, created: bool, now_ms: u64) {
        self.waited_us = 0.0;
        self.regret_us = 0.0;
        self.last_ms = None;
        self.touched_ms = now_ms;
        self.creations = self.creations.saturating_add(u32::from(created));
    }

    /// Giving it up turned out to be wrong: it rests, and giving it up takes twice as much from now on. That is nothing
    /// against the thing itself.
    pub(crate) fn spare(&mut self, now_ms: u64, policy: &Policy) {
        self.settle(true, now_ms);
        self.quarantined_until_ms = now_ms.saturating_add(policy.quarantine_ms);
    }

    /// It was taken back or refused: it rests, twice as long each time.
    pub(crate) fn strike(&mut self, now_ms: u64, policy: &Policy) {
        let doubled = 1_u64 << self.strikes.min(20);
        let rest = policy.quarantine_ms.saturating_mul(doubled);
        self.strikes = self.strikes.saturating_add(1);
        self.quarantined_until_ms = now_ms.saturating_add(rest);
        self.waited_us = 0.0;
        self.regret_us = 0.0;
        self.last_ms = None;
        self.touched_ms = now_ms;
    }
}
