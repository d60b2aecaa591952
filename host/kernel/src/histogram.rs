//! How long things took and how many tokens they used, in the buckets that the OpenTelemetry GenAI conventions name:
//! what other programs measure can then be added to it.

use serde::Serialize;

/// How many bounds each scale has.
const BOUNDS: usize = 14;

/// Upper bounds of times in microseconds, from 10 ms in doublings.
const TIMES_US: [u64; BOUNDS] = [
    10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000,
    10_240_000, 20_480_000, 40_960_000, 81_920_000,
];

/// Upper bounds of times in microseconds of what is only computed, from 2 µs in doublings.
const THOUGHTS_US: [u64; BOUNDS] = [
    2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384,
];

/// Upper bounds of numbers of tokens, in steps of four.
const TOKENS: [u64; BOUNDS] = [
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    67_108_864,
];

/// Observations, counted by size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    #[serde(skip)]
    bounds: &'static [u64; BOUNDS],
    counts: [u64; BOUNDS],
    /// Observations in all, those beyond the last bound included.
    pub count: u64,
    /// All of them together: microseconds, or tokens.
    pub sum: u64,
}

impl Histogram {
    /// Of times in microseconds.
    pub(crate) const fn of_times() -> Self {
        Self::with(&TIMES_US)
    }

    /// Of times in microseconds of what asks nobody.
    pub(crate) const fn of_thoughts() -> Self {
        Self::with(&THOUGHTS_US)
    }

    /// Of numbers of tokens.
    pub(crate) const fn of_tokens() -> Self {
        Self::with(&TOKENS)
    }

    const fn with(bounds: &'static [u64; BOUNDS]) -> Self {
        Self {
            bounds,
            counts: [0; BOUNDS],
            count: 0,
            sum: 0,
        }
    }

    pub(crate) fn observe(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        if let Some(bucket) = self.bounds.iter().position(|bound| value <= *bound) {
            self.counts[bucket] += 1;
        }
    }

    /// The bound within which so many of a hundred observations lie; the last one where it is none.
    pub(crate) fn within(&self, percent: u64) -> u64 {
        let wanted = self.count.saturating_mul(percent).div_ceil(100);
        let found = self.cumulative().find(|(_, count)| *count >= wanted);
        found.map_or(self.bounds[BOUNDS - 1], |(bound, _)| bound)
    }

    /// Each upper bound with the number of observations up to it, as Prometheus counts them.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        self.bounds
            .iter()
            .copied()
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
        let mut times = Histogram::of_times();
        for us in [100, 20_000, 999_999_999] {
            times.observe(us);
        }
        let counts: Vec<_> = times.cumulative().collect();
        assert_eq!(counts[0], (10_000, 1));
        assert_eq!(counts[1], (20_000, 2));
        assert_eq!(counts[13], (81_920_000, 2));
        assert_eq!((times.count, times.sum), (3, 1_000_020_099));
        assert_eq!([times.within(30), times.within(60)], [10_000, 20_000]);
        assert_eq!(times.within(100), 81_920_000);
    }

    #[test]
    fn the_bounds_are_those_of_the_conventions() {
        let doubles = TIMES_US.windows(2).all(|pair| pair[1] == 2 * pair[0]);
        assert!(doubles && TIMES_US[0] == 10_000);
        let fours = TOKENS.windows(2).all(|pair| pair[1] == 4 * pair[0]);
        assert!(fours && TOKENS[0] == 1);
    }
}
