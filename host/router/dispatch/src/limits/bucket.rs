//! A token bucket in whole numbers.

/// Fills up evenly within a minute. May go below empty, when what was used turns out to be more than was asked for.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_minute: u64,
    /// What is in it, in sixty-thousandths, so that each millisecond adds a whole number.
    level: i128,
    filled_at_ms: u64,
}

/// Parts of one unit: milliseconds of a minute.
const PARTS: i128 = 60_000;

impl Bucket {
    pub(super) fn new(per_minute: u64, now_ms: u64) -> Self {
        Self {
            per_minute,
            level: i128::from(per_minute) * PARTS,
            filled_at_ms: now_ms,
        }
    }

    pub(super) fn per_minute(&self) -> u64 {
        self.per_minute
    }

    /// When so many will be in it; now, if they are. `None` where it never holds so many.
    pub(super) fn ready_at(&mut self, wanted: u64, now_ms: u64) -> Option<u64> {
        self.fill(now_ms);
        if wanted > self.per_minute {
            return None;
        }
        let missing = i128::from(wanted) * PARTS - self.level;
        if missing <= 0 {
            return Some(now_ms);
        }
        let rate = i128::from(self.per_minute.max(1));
        let wait = u64::try_from((missing + rate - 1) / rate).unwrap_or(u64::MAX);
        Some(now_ms.saturating_add(wait))
    }

    pub(super) fn take(&mut self, amount: u64) {
        // As far below empty as a minute refills: a wrong count must not shut the model for hours.
        let lowest = -i128::from(self.per_minute) * PARTS;
        self.level = (self.level - i128::from(amount) * PARTS).max(lowest);
    }

    pub(super) fn give_back(&mut self, amount: u64) {
        let full = i128::from(self.per_minute) * PARTS;
        self.level = (self.level + i128::from(amount) * PARTS).min(full);
    }

    /// No more than this is left, the provider says.
    pub(super) fn at_most(&mut self, left: u64, now_ms: u64) {
        self.fill(now_ms);
        self.level = self.level.min(i128::from(left) * PARTS);
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_at_ms);
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
        let full = i128::from(self.per_minute) * PARTS;
        let added = i128::from(passed).saturating_mul(i128::from(self.per_minute));
        self.level = self.level.saturating_add(added).min(full);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_full_at_first_and_fills_up_evenly() {
        let mut bucket = Bucket::new(60, 0);
        assert_eq!(bucket.ready_at(60, 0), Some(0));
        bucket.take(60);
        assert_eq!(bucket.ready_at(1, 0), Some(1_000));
        assert_eq!(bucket.ready_at(30, 0), Some(30_000));
        assert_eq!(bucket.ready_at(61, 0), None);
        assert_eq!(bucket.ready_at(1, 1_000), Some(1_000));
    }

    #[test]
    fn a_wrong_count_costs_a_minute_at_most() {
        let mut bucket = Bucket::new(60, 0);
        bucket.take(u64::MAX);
        assert_eq!(bucket.ready_at(1, 0), Some(61_000));
    }

    proptest! {
        #[test]
        fn no_more_than_a_full_bucket_and_its_refill_is_ever_taken(
            per_minute in 1u64..500,
            steps in prop::collection::vec((0u64..20_000, 1u64..50), 1..100),
        ) {
            let mut bucket = Bucket::new(per_minute, 0);
            let (mut now, mut taken) = (0, 0u64);
            for (passed, wanted) in steps {
                now += passed;
                if bucket.ready_at(wanted, now) == Some(now) {
                    bucket.take(wanted);
                    taken += wanted;
                }
                prop_assert!(taken * 60_000 <= per_minute * 60_000 + now * per_minute);
            }
        }

        #[test]
        fn it_is_ready_when_it_says(per_minute in 1u64..10_000, used in 0u64..20_000, wanted in 1u64..10_000) {
            let mut bucket = Bucket::new(per_minute, 0);
            bucket.take(used);
            match bucket.ready_at(wanted, 0) {
                None => prop_assert!(wanted > per_minute),
                Some(at) => prop_assert_eq!(bucket.ready_at(wanted, at), Some(at)),
            }
        }
    }
}
