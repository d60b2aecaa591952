//! What exploring may still cost: a purse that fills over a day.

use serde::{Deserialize, Serialize};

const DAY_MS: u64 = 86_400_000;

/// What was spent and has not come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    spent: u64,
    at_ms: u64,
}

impl Pool {
    /// What is left of a day's budget.
    pub(crate) fn left(&self, now_ms: u64, day_budget: u64) -> u64 {
        day_budget.saturating_sub(self.owed(now_ms, day_budget))
    }

    pub(crate) fn spend(&mut self, amount: u64, now_ms: u64, day_budget: u64) {
        self.spent = self.owed(now_ms, day_budget).saturating_add(amount);
        self.at_ms = self.at_ms.max(now_ms);
    }

    fn owed(&self, now_ms: u64, day_budget: u64) -> u64 {
        let age = u128::from(now_ms.saturating_sub(self.at_ms));
        let back = age * u128::from(day_budget) / u128::from(DAY_MS);
        self.spent
            .saturating_sub(u64::try_from(back).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_comes_back_over_a_day() {
        let mut pool = Pool::default();
        pool.spend(1000, 0, 1000);
        assert_eq!(pool.left(0, 1000), 0);
        assert_eq!(pool.left(DAY_MS / 2, 1000), 500);
        assert_eq!(pool.left(u64::MAX, 1000), 1000);
        pool.spend(u64::MAX, 0, 1000);
        assert_eq!(pool.left(1, 1000), 0);
    }
}
