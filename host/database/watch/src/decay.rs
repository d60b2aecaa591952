//! A counter that forgets, so that what was busy last year does not outweigh what is busy now.

use serde::{Deserialize, Serialize};

/// A day of milliseconds.
pub(crate) const DAY_MS: u64 = 86_400_000;

const GRAIN_MS: u64 = 1_000;

/// A sum whose parts lose half their weight in every half-life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decayed {
    value: f64,
    at_ms: u64,
}

impl Decayed {
    /// Adds `amount` at a time. A time before the last one counts as the last one: clocks step back.
    pub fn add(&mut self, amount: f64, at_ms: u64, half_life_ms: u64) {
        // Within a second nothing decays that could be seen, and a power costs more than a sum.
        if self.value != 0.0 && at_ms < self.at_ms.saturating_add(GRAIN_MS) {
            self.value += amount;
            return;
        }
        let at_ms = at_ms.max(self.at_ms);
        self.value = self.value_at(at_ms, half_life_ms) + amount;
        self.at_ms = at_ms;
    }

    /// What is left at a time.
    pub fn value_at(&self, at_ms: u64, half_life_ms: u64) -> f64 {
        let passed = at_ms.saturating_sub(self.at_ms) as f64;
        self.value * (-passed / half_life_ms.max(1) as f64).exp2()
    }

    /// The rate a day that the sum stands for, for something first counted at `since_ms`.
    ///
    /// A steady rate *r* tends to a sum of *r · half-life / ln 2*. What is younger has not got there: its sum is
    /// divided by the weight that its age can have gathered. An hour is the least age, or the first call would be
    /// taken for millions a day.
    pub fn per_day(&self, since_ms: u64, at_ms: u64, half_life_ms: u64) -> f64 {
        let half_life = half_life_ms.max(1) as f64;
        let age = (at_ms.saturating_sub(since_ms) as f64).max(DAY_MS as f64 / 24.0);
        let weight_ms = half_life / std::f64::consts::LN_2 * (1.0 - (-age / half_life).exp2());
        self.value_at(at_ms, half_life_ms) / weight_ms * DAY_MS as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_a_half_life() {
        let mut counter = Decayed::default();
        counter.add(8.0, 1_000, 500);
        assert_eq!(counter.value_at(1_500, 500), 4.0);
        assert_eq!(
            counter.value_at(0, 500),
            8.0,
            "time before the last is the last"
        );
    }

    #[test]
    fn a_steady_rate_is_found_at_every_age() {
        for hours in [2_u64, 24, 240] {
            let mut counter = Decayed::default();
            for step in 0..hours * 60 {
                counter.add(1.0, step * 60_000, DAY_MS);
            }
            let rate = counter.per_day(0, hours * 3_600_000, DAY_MS);
            assert!((rate - 1_440.0).abs() < 20.0, "{hours} h: {rate}");
        }
    }

    #[test]
    fn one_call_is_no_flood() {
        let mut counter = Decayed::default();
        counter.add(1.0, 5_000, DAY_MS);
        assert!(counter.per_day(5_000, 5_001, DAY_MS) < 25.0);
    }
}
