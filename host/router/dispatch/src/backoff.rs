//! How long to wait before the same model is asked again.

use serde::{Deserialize, Serialize};

use crate::Rng;

/// Exponential back-off with equal jitter: half of the time is fixed, half is drawn, so that callers who failed together
/// do not come back together (Brooker, "Exponential backoff and jitter", 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// Before the first retry, at most.
    pub base_ms: u64,
    /// Never longer than this.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: 200,
            max_ms: 8_000,
        }
    }
}

impl Backoff {
    /// The time before the retry with this number, counted from 0. Never 0.
    pub fn delay_ms(&self, retry: u32, rng: &mut Rng) -> u64 {
        let doubled = self
            .base_ms
            .saturating_mul(1u64.checked_shl(retry).unwrap_or(u64::MAX));
        let longest = doubled.min(self.max_ms).max(1);
        (longest / 2 + rng.below(longest / 2 + 1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_until_the_longest_and_are_jittered_by_half() {
        let backoff = Backoff {
            base_ms: 100,
            max_ms: 1000,
        };
        let mut rng = Rng::new(3);
        for (retry, longest) in [
            (0, 100),
            (1, 200),
            (2, 400),
            (3, 800),
            (4, 1000),
            (99, 1000),
        ] {
            let delays: Vec<_> = (0..200)
                .map(|_| backoff.delay_ms(retry, &mut rng))
                .collect();
            assert!(delays.iter().all(|ms| (longest / 2..=longest).contains(ms)));
            assert!(delays.iter().any(|ms| *ms < longest * 6 / 10));
            assert!(delays.iter().any(|ms| *ms > longest * 9 / 10));
        }
    }

    #[test]
    fn a_delay_is_never_nothing() {
        let backoff = Backoff {
            base_ms: 0,
            max_ms: 0,
        };
        assert_eq!(backoff.delay_ms(u32::MAX, &mut Rng::new(0)), 1);
    }
}
