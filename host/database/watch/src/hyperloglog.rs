//! How many different values there are, in at most a kibibyte.
//!
//! After Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog" (2007), with linear counting for few values as there;
//! 64-bit hashes need no correction for many. Few values are kept as they are: most fields have few.

use serde::{Deserialize, Serialize};

use crate::hash::hash;

/// 1024 registers: a standard error of 1.04 / √1024 = 3.3 %.
const INDEX_BITS: u32 = 10;
const REGISTERS: usize = 1 << INDEX_BITS;
/// Exact up to here: as long as a list is no larger than the registers.
const EXACT: usize = REGISTERS / 8;

/// A count of distinct values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HyperLogLog(Form);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Exact(Vec<u64>),
    Registers(Vec<u8>),
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self(Form::Exact(Vec::new()))
    }
}

impl HyperLogLog {
    /// Counts a value.
    pub fn add(&mut self, value: &[u8]) {
        self.add_hash(hash(value));
    }

    /// How many different values were counted, about.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Form::Exact(hashes) => hashes.len() as u64,
            Form::Registers(registers) => estimate(registers),
        }
    }

    pub(crate) fn add_hash(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Exact(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else {
                    return;
                };
                hashes.insert(place, hash);
                if hashes.len() > EXACT {
                    let mut registers = vec![0; REGISTERS];
                    hashes
                        .iter()
                        .for_each(|hash| register(&mut registers, *hash));
                    self.0 = Form::Registers(registers);
                }
            }
            Form::Registers(registers) => register(registers, hash),
        }
    }

    /// Whether a snapshot's sketch is one this code can have written.
    pub(crate) fn is_sound(&self) -> bool {
        match &self.0 {
            Form::Exact(hashes) => hashes.len() <= EXACT && hashes.is_sorted(),
            Form::Registers(registers) => registers.len() == REGISTERS,
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    // The guard bit bounds the rank when all other bits are zero.
    let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
    registers[index] = registers[index].max(rank);
}

fn estimate(registers: &[u8]) -> u64 {
    let m = registers.len() as f64;
    let alpha = 0.7213 / (1.0 + 1.079 / m);
    let sum: f64 = registers
        .iter()
        .map(|rank| (-f64::from(*rank)).exp2())
        .sum();
    let raw = alpha * m * m / sum;
    let zeros = registers.iter().filter(|rank| **rank == 0).count();
    if raw <= 2.5 * m && zeros > 0 {
        return (m * (m / zeros as f64).ln()).round() as u64;
    }
    raw.round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(n: u64, salt: u64) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        (0..n).for_each(|i| sketch.add(format!("{salt}-{i}").as_bytes()));
        sketch
    }

    #[test]
    fn few_values_are_counted_exactly_and_repeats_not_at_all() {
        let mut sketch = of(100, 1);
        (0..100).for_each(|i| sketch.add(format!("1-{i}").as_bytes()));
        assert_eq!(sketch.count(), 100);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        // Four standard errors: a wrong alarm in 16,000 cases.
        #[test]
        fn the_error_is_what_the_theory_says(n in 129_u64..60_000, salt: u64) {
            let found = of(n, salt).count() as f64;
            prop_assert!((found / n as f64 - 1.0).abs() < 0.13, "{found} for {n}");
        }
    }
}
