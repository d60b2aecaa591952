//! The heaviest few of very many, with what is known of each.
//!
//! After Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements in data streams"
//! (2005): a newcomer takes the place of the lightest and inherits its weight as possible error. Weights decay, so the
//! heaviest are those of now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decay::Decayed;

/// Up to `capacity` keys by weight.
///
/// Any key whose share of the decayed weight exceeds one in `capacity` is present, whatever the order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeavyHitters<T> {
    capacity: usize,
    half_life_ms: u64,
    slots: BTreeMap<u64, Slot<T>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Slot<T> {
    weight: Decayed,
    inherited: Decayed,
    value: T,
}

impl<T> HeavyHitters<T> {
    /// Keeps at most `capacity` keys, at least one.
    pub fn new(capacity: usize, half_life_ms: u64) -> Self {
        Self {
            capacity: capacity.max(1),
            half_life_ms,
            slots: BTreeMap::new(),
        }
    }

    /// Adds weight to a key and returns what is known of it; `fresh` makes that for a newcomer.
    pub fn add(&mut self, key: u64, weight: f64, at_ms: u64, fresh: impl FnOnce() -> T) -> &mut T {
        let half_life = self.half_life_ms;
        let mut inherited = Decayed::default();
        if !self.slots.contains_key(&key) && self.slots.len() >= self.capacity {
            let lightest = self.slots.iter().min_by(|(_, one), (_, other)| {
                one.weight
                    .value_at(at_ms, half_life)
                    .total_cmp(&other.weight.value_at(at_ms, half_life))
            });
            if let Some((lightest, slot)) = lightest.map(|(key, slot)| (*key, slot.weight)) {
                inherited = slot;
                self.slots.remove(&lightest);
            }
        }
        let slot = self.slots.entry(key).or_insert_with(|| Slot {
            weight: inherited,
            inherited,
            value: fresh(),
        });
        slot.weight.add(weight, at_ms, half_life);
        &mut slot.value
    }

    /// What is known of a key, if it is among the heaviest.
    pub fn get(&self, key: u64) -> Option<&T> {
        self.slots.get(&key).map(|slot| &slot.value)
    }

    /// All that are kept, in the order of their keys, with the weight that is certainly theirs at a time.
    pub fn iter_at(&self, at_ms: u64) -> impl Iterator<Item = (u64, f64, &T)> {
        self.slots.iter().map(move |(key, slot)| {
            let weight = slot.weight.value_at(at_ms, self.half_life_ms);
            let error = slot.inherited.value_at(at_ms, self.half_life_ms);
            (*key, (weight - error).max(0.0), &slot.value)
        })
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.values().map(|slot| &slot.value)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.capacity > 0 && self.slots.len() <= self.capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_newcomer_takes_the_place_of_the_lightest() {
        let mut heavy = HeavyHitters::new(2, 1_000_000);
        for (key, times) in [(1, 5), (2, 3), (3, 1)] {
            (0..times).for_each(|_| *heavy.add(key, 1.0, 0, || 0) += 1);
        }
        assert!(heavy.get(2).is_none());
        let certain: Vec<_> = heavy
            .iter_at(0)
            .map(|(key, weight, _)| (key, weight))
            .collect();
        assert_eq!(certain, [(1, 5.0), (3, 1.0)]);
    }

    #[test]
    fn what_was_heavy_long_ago_gives_way() {
        let mut heavy = HeavyHitters::new(1, 1_000);
        (0..1_000).for_each(|_| *heavy.add(1, 1.0, 0, || ()) = ());
        heavy.add(2, 1.0, 20_000, || ());
        assert!(heavy.get(2).is_some());
    }

    proptest! {
        #[test]
        fn every_key_above_its_share_is_kept(keys in proptest::collection::vec(0_u64..60, 1..400)) {
            let mut heavy = HeavyHitters::new(8, u64::MAX);
            let mut exact = BTreeMap::<u64, usize>::new();
            for key in &keys {
                heavy.add(*key, 1.0, 0, || ());
                *exact.entry(*key).or_default() += 1;
            }
            prop_assert!(heavy.len() <= 8);
            for (key, count) in exact {
                if count * 8 > keys.len() {
                    prop_assert!(heavy.get(key).is_some(), "{key} is {count} of {}", keys.len());
                }
            }
        }
    }
}
