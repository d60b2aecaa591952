//! Latencies in logarithmic buckets: percentiles within a fifth, in 256 bytes.

use serde::{Deserialize, Serialize};

const BUCKETS: usize = 64;

/// Counts by half octave: bucket *b* holds values up to about 2^((b+1)/2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    counts: Vec<u32>,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if self.counts[bucket] == u32::MAX {
            self.halve();
        }
        self.counts[bucket] += 1;
    }

    /// Gives what was counted so far half its weight against what follows.
    pub fn halve(&mut self) {
        for count in &mut self.counts {
            *count /= 2;
        }
    }

    /// The value that `quantile` of the counted ones do not exceed, by the middle of its bucket; 0 if there are none.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let total: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let wanted = (quantile.clamp(0.0, 1.0) * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return middle(bucket);
            }
        }
        0
    }

    /// Whether a snapshot's histogram is one this code can have written.
    pub(crate) fn is_sound(&self) -> bool {
        self.counts.len() <= BUCKETS
    }
}

fn bucket(value: u64) -> usize {
    let value = value.max(1);
    let octave = value.ilog2() as usize;
    let upper_half = octave > 0 && value >> (octave - 1) & 1 == 1;
    (2 * octave + usize::from(upper_half)).min(BUCKETS - 1)
}

fn middle(bucket: usize) -> u64 {
    let low = 1_u64 << (bucket / 2);
    // The lower half of an octave starts at 1.0 times its power of two, the upper at 1.5.
    if bucket < 2 {
        1
    } else if bucket.is_multiple_of(2) {
        low + low / 4
    } else {
        low + low / 2 + low / 4
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_a_quarter(values in proptest::collection::vec(4_u64..4_000_000_000, 1..200)) {
            let mut histogram = Histogram::default();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            values.into_iter().for_each(|value| histogram.record(value));
            let exact = sorted[(sorted.len().div_ceil(2)) - 1] as f64;
            let found = histogram.quantile(0.5) as f64;
            prop_assert!((found / exact - 1.0).abs() <= 0.26, "{found} for {exact}");
        }

        #[test]
        fn every_value_has_a_bucket(value: u64) {
            let mut histogram = Histogram::default();
            histogram.record(value);
            prop_assert!(histogram.is_sound());
        }
    }
}
