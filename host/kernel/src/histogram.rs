//! How long things took, in buckets that do not change.

use serde::Serialize;

/// Upper bounds in microseconds: from an answer out of memory to the patience of an operator.
const BOUNDS_US: [u64; 18] = [
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
];

/// Times, counted by length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    counts: [u64; BOUNDS_US.len()],
    /// Observations in all, those beyond the last bound included.
    pub count: u64,
    /// All times together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    pub(crate) fn observe(&mut self, us: u64) {
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        if let Some(bucket) = BOUNDS_US.iter().position(|bound| us <= *bound) {
            self.counts[bucket] += 1;
        }
    }

    /// The bound in microseconds within which so many of a hundred observations lie; the last one where it is none.
    pub(crate) fn within(&self, percent: u64) -> u64 {
        let wanted = self.count.saturating_mul(percent).div_ceil(100);
        let found = self.cumulative().find(|(_, count)| *count >= wanted);
        found.map_or(BOUNDS_US[BOUNDS_US.len() - 1], |(bound, _)| bound)
    }

    /// Each upper bound in microseconds with the number of observations up to it, as Prometheus counts them.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        BOUNDS_US
            .into_iter()
            .zip(self.counts)
            .scan(0, |sum, (bound, count)| {
                *sum += count;
                Some((bound, *sum))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_counts_in_its_bucket_and_all_above() {
        let mut times = Histogram::default();
        for us in [100, 1_000, 999_999_999] {
            times.observe(us);
        }
        let counts: Vec<_> = times.cumulative().collect();
        assert_eq!(counts[0], (250, 1));
        assert_eq!(counts[2], (1_000, 2));
        assert_eq!(counts[17], (120_000_000, 2));
        assert_eq!((times.count, times.sum_us), (3, 1_000_001_099));
        assert_eq!([times.within(30), times.within(60)], [250, 1_000]);
        assert_eq!(times.within(100), 120_000_000);
    }
}
