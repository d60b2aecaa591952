//! A share of requests that may be made twice.
//!
//! When a provider is down, every request that is retried makes it worse. So retries and hedges are paid from an
//! allowance that ordinary requests fill: a fifth of the requests can be repeated, not all of them at once (Finagle's
//! retry budget; Dean and Barroso, "The tail at scale", 2013, for hedges).

use std::sync::atomic::{AtomicU64, Ordering};

/// Filled by every request, emptied by every repetition.
#[derive(Debug)]
pub struct Allowance {
    permille: u64,
    capacity: u64,
    level: AtomicU64,
}

/// What one repetition costs.
const ONE: u64 = 1000;

impl Allowance {
    /// So many repetitions of a thousand requests, and so many saved up at most. It is full at first.
    pub fn new(permille: u64, saved: u64) -> Self {
        let capacity = saved.saturating_mul(ONE);
        Self {
            permille,
            capacity,
            level: AtomicU64::new(capacity),
        }
    }

    /// A request has begun.
    pub fn deposit(&self) {
        let _ = self
            .level
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
                (level < self.capacity)
                    .then(|| level.saturating_add(self.permille).min(self.capacity))
            });
    }

    /// A repetition would like to begin.
    pub fn withdraw(&self) -> bool {
        self.level
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
                level.checked_sub(ONE)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_a_share_of_requests() {
        let allowance = Allowance::new(200, 10);
        let first = (0..100).filter(|_| allowance.withdraw()).count();
        assert_eq!(first, 10);
        let later = (0..1000)
            .filter(|_| {
                allowance.deposit();
                allowance.withdraw()
            })
            .count();
        assert_eq!(later, 200);
    }
}
