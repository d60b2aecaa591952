//! Whether one field determines others: the mark of a record inside a record.
//!
//! A functional dependency can only be refuted by rows that share a key, so a plain sample of rows finds dependencies
//! everywhere. This sketch keeps *groups whole*: for every field the groups whose key hashes lowest (a bottom-k
//! sample, Cohen and Kaplan 2007). The threshold only falls, so a group that is kept was kept from its first row on.
//! In each group and for each other field the two first values are counted, which gives the share of rows to remove
//! before the dependency holds (the g3 error of Kivinen and Mannila 1995).
//!
//! What holds must also be no accident. If a field agrees on two random rows with probability *p*, it agrees on *n*
//! repeated rows by chance with probability *pⁿ*; its logarithm is reported with the dependency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hash::mix;
use crate::limits::Limits;

const RESERVOIR: usize = 32;
/// A group with more rows is only looked at now and then.
const LARGE_GROUP: u32 = 32;
/// Dependencies that hold worse than this are of no interest to anybody.
const LARGEST_ERROR: f64 = 0.05;

/// The sketch of one collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dependencies {
    fields: Vec<String>,
    keys: Vec<Groups>,
    /// Rows of earlier times, to compare with: neighbours are alike more often than strangers.
    reservoir: Vec<Vec<u64>>,
    agreed: Vec<u32>,
    compared: Vec<u32>,
    rows: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Groups {
    kept: BTreeMap<u64, Group>,
    /// Whether any group was ever left out.
    full: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Group {
    rows: u32,
    cells: Vec<Cell>,
}

/// The two first values of a field in a group, and how often each was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[u32; 5]", into = "[u32; 5]")]
struct Cell {
    rows: u32,
    first: u32,
    firsts: u32,
    second: u32,
    seconds: u32,
}

/// Names would be most of a snapshot.
impl From<[u32; 5]> for Cell {
    fn from([rows, first, firsts, second, seconds]: [u32; 5]) -> Self {
        Self {
            rows,
            first,
            firsts,
            second,
            seconds,
        }
    }
}

impl From<Cell> for [u32; 5] {
    fn from(cell: Cell) -> Self {
        [
            cell.rows,
            cell.first,
            cell.firsts,
            cell.second,
            cell.seconds,
        ]
    }
}

/// A field and what it determines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Determines {
    /// Dotted path of the field.
    pub path: String,
    /// How many different values it has, about.
    pub keys: u64,
    /// Rows that share a value, on average.
    pub rows_per_key: f64,
    /// The fields it determines.
    pub dependents: Vec<Dependent>,
}

/// A field that is determined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependent {
    /// Dotted path.
    pub path: String,
    /// The share of rows that contradict it.
    pub error: f64,
    /// How unlikely it is that independent fields would agree as well: −log10 of the probability.
    pub evidence: f64,
}

impl Dependencies {
    /// Begins to look at a field, unless there are enough, and returns its place.
    pub(crate) fn follow(&mut self, path: &str, most: usize) -> Option<usize> {
        if let Some(place) = self.fields.iter().position(|field| field == path) {
            return Some(place);
        }
        if self.fields.len() >= most {
            return None;
        }
        self.fields.push(path.to_owned());
        self.keys.push(Groups::default());
        self.agreed.push(0);
        self.compared.push(0);
        Some(self.fields.len() - 1)
    }

    /// How many fields are looked at.
    pub(crate) fn width(&self) -> usize {
        self.fields.len()
    }

    /// Starts again without fields that are no longer told apart. Whether there were any; then all places are others.
    pub(crate) fn forget(&mut self, gone: impl Fn(&str) -> bool) -> bool {
        if !self.fields.iter().any(|field| gone(field)) {
            return false;
        }
        *self = Self::default();
        true
    }

    /// A row, as the hash of each field's value in its place; `None` is a null or nothing. Every row has to be told,
    /// or groups are not whole; what is too much for every row is done for some.
    pub(crate) fn row(&mut self, values: &[Option<u64>], limits: &Limits, sampled: bool) {
        self.rows += 1;
        for (key, groups) in values.iter().zip(&mut self.keys) {
            // A null identifies nothing.
            if let Some(key) = key {
                groups.row(mix(*key), values, limits);
            }
        }
        if sampled {
            self.compare(values.iter().map(|value| value.unwrap_or(0)).collect());
        }
    }

    /// What determines what, as far as is known.
    pub fn determined(&self) -> Vec<Determines> {
        self.keys
            .iter()
            .enumerate()
            .map(|(at, groups)| self.determined_by(at, groups))
            .filter(|found| !found.dependents.is_empty())
            .collect()
    }

    fn determined_by(&self, at: usize, groups: &Groups) -> Determines {
        let rows: u64 = groups
            .kept
            .values()
            .map(|group| u64::from(group.rows))
            .sum();
        let dependents = (0..self.fields.len())
            .filter(|other| *other != at)
            .filter_map(|other| {
                let (mut rows, mut wrong, mut repeats) = (0_u64, 0_u64, 0_u64);
                for cell in groups
                    .kept
                    .values()
                    .filter_map(|group| group.cells.get(other))
                {
                    rows += u64::from(cell.rows);
                    wrong += u64::from(cell.rows - cell.firsts.max(cell.seconds));
                    repeats += u64::from(cell.rows.saturating_sub(1));
                }
                let error = wrong as f64 / rows.max(1) as f64;
                // One more agreement and one more comparison than seen: certainty has no logarithm.
                let agreement =
                    (f64::from(self.agreed[other]) + 1.0) / (f64::from(self.compared[other]) + 2.0);
                let evidence = (repeats.saturating_sub(wrong)) as f64 * -agreement.log10();
                (rows > 0 && error <= LARGEST_ERROR).then(|| Dependent {
                    path: self.fields[other].clone(),
                    error,
                    evidence,
                })
            });
        Determines {
            path: self.fields[at].clone(),
            keys: groups.distinct(),
            rows_per_key: rows as f64 / groups.kept.len().max(1) as f64,
            dependents: dependents.collect(),
        }
    }

    /// Learns how often two rows agree on a field by chance.
    fn compare(&mut self, row: Vec<u64>) {
        let place = mix(self.rows) as usize;
        if let Some(other) = self
            .reservoir
            .get(place % RESERVOIR.min(self.reservoir.len()).max(1))
        {
            for (at, value) in row.iter().enumerate() {
                if let Some(theirs) = other.get(at) {
                    self.compared[at] = self.compared[at].saturating_add(1);
                    self.agreed[at] = self.agreed[at].saturating_add(u32::from(theirs == value));
                }
            }
        }
        if self.reservoir.len() < RESERVOIR {
            self.reservoir.push(row);
        } else if mix(self.rows ^ 0x5eed) % self.rows < RESERVOIR as u64 {
            // Every row has the same chance to be one of those kept (Vitter's algorithm R).
            self.reservoir[place % RESERVOIR] = row;
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        let fields = self.fields.len();
        [self.keys.len(), self.agreed.len(), self.compared.len()] == [fields; 3]
            && self.reservoir.len() <= RESERVOIR
            && self
                .keys
                .iter()
                .flat_map(|groups| groups.kept.values())
                .flat_map(|group| &group.cells)
                .all(|cell| cell.rows >= cell.firsts.max(cell.seconds))
    }
}

impl Groups {
    fn row(&mut self, key: u64, values: &[Option<u64>], limits: &Limits) {
        if self.kept.len() >= limits.dependency_groups.max(1) {
            let highest = self.kept.last_key_value().map(|(key, _)| *key);
            if highest.is_some_and(|highest| key > highest) {
                self.full = true;
                return;
            }
            if !self.kept.contains_key(&key) {
                self.full = true;
                self.kept.pop_last();
            }
        }
        let group = self.kept.entry(key).or_default();
        group.rows = group.rows.saturating_add(1);
        // What a large group says, a part of its rows says as well.
        if group.rows > LARGE_GROUP
            && !u64::from(group.rows).is_multiple_of(limits.sample_every.max(1))
        {
            return;
        }
        if group.cells.len() < values.len() {
            group.cells.resize(values.len(), Cell::default());
        }
        for (cell, value) in group.cells.iter_mut().zip(values) {
            cell.count(value.map_or(0, |hash| (hash >> 32) as u32));
        }
    }

    /// The k-th lowest hash of evenly spread ones says how many there are.
    fn distinct(&self) -> u64 {
        match self.kept.last_key_value() {
            Some((highest, _)) if self.full => {
                let share = (*highest as f64 + 1.0) / 2_f64.powi(64);
                ((self.kept.len() - 1) as f64 / share).round() as u64
            }
            _ => self.kept.len() as u64,
        }
    }
}

impl Cell {
    fn count(&mut self, value: u32) {
        if self.rows == u32::MAX {
            return;
        }
        self.rows += 1;
        if self.firsts == 0 || self.first == value {
            self.first = value;
            self.firsts += 1;
        } else if self.seconds == 0 || self.second == value {
            self.second = value;
            self.seconds += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::hash;

    /// Feeds rows of numbers, one for each of the named fields.
    fn sketch(names: &[&str], rows: impl Iterator<Item = Vec<u64>>) -> Dependencies {
        let limits = Limits::default();
        let mut sketch = Dependencies::default();
        for name in names {
            sketch.follow(name, limits.dependency_fields);
        }
        for row in rows {
            let hashes: Vec<Option<u64>> = row
                .iter()
                .map(|value| Some(hash(&value.to_le_bytes())))
                .collect();
            sketch.row(&hashes, &limits, true);
        }
        sketch
    }

    fn dependents<'a>(all: &'a [Determines], path: &str) -> Vec<&'a Dependent> {
        all.iter()
            .filter(|found| found.path == path)
            .flat_map(|found| &found.dependents)
            .collect()
    }

    #[test]
    fn a_key_determines_what_belongs_to_it_and_nothing_else() {
        let rows =
            (0..5_000_u64).map(|n| vec![mix(n) % 700, mix(mix(n) % 700) % 300, mix(n ^ 77) % 50]);
        let found = sketch(&["key", "name", "other"], rows).determined();
        let of_key = dependents(&found, "key");
        assert_eq!(of_key.len(), 1);
        assert_eq!((of_key[0].path.as_str(), of_key[0].error), ("name", 0.0));
        assert!(of_key[0].evidence > 100.0);
        assert!(dependents(&found, "other").is_empty());
        let keys = found
            .iter()
            .find(|found| found.path == "key")
            .map_or(0, |found| found.keys);
        assert!((500..900).contains(&keys), "{keys}");
    }

    #[test]
    fn one_wrong_row_in_a_hundred_is_one_hundredth() {
        let rows = (0..10_000_u64).map(|n| {
            vec![
                n % 20,
                if mix(n).is_multiple_of(100) {
                    n
                } else {
                    n % 20
                },
            ]
        });
        let found = sketch(&["key", "name"], rows).determined();
        let error = dependents(&found, "key")[0].error;
        assert!((0.005..0.015).contains(&error), "{error}");
    }

    #[test]
    fn a_field_that_is_nearly_constant_is_determined_without_evidence() {
        let rows = (0..400_u64).map(|n| vec![n % 200, u64::from(n == 3)]);
        let found = sketch(&["key", "flag"], rows).determined();
        assert!(dependents(&found, "key")[0].evidence < 2.0);
    }

    #[test]
    fn rows_that_never_repeat_are_no_evidence() {
        let found = sketch(&["id", "name"], (0..100).map(|n| vec![n, mix(n)])).determined();
        assert_eq!(dependents(&found, "id")[0].evidence, 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn independent_fields_are_never_found_with_evidence(seed: u64, keys in 2_u64..400, values in 2_u64..400) {
            let rows = (0..3_000_u64).map(|n| vec![mix(n ^ seed) % keys, mix(mix(n ^ seed) ^ 9) % values]);
            let found = sketch(&["a", "b"], rows).determined();
            for dependent in dependents(&found, "a") {
                prop_assert!(dependent.evidence < 6.0 || dependent.error > 0.01, "{dependent:?}");
            }
        }
    }
}
