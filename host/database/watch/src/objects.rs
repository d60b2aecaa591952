//! Telling a record from a map.
//!
//! In `{"id": 1, "total": 2}` the keys are names and there are few of them; in `{"u17": …, "u8123": …}` they are data
//! and there is no end of them. Every key of a map would become a path with statistics, then a proposal, then a
//! column. The tell is where an object's content lies: a record keeps it in keys that most documents have, however
//! much junk surrounds them; a map spreads it over keys that few documents share.

use serde::{Deserialize, Serialize};

/// Fewer different keys than this are no burden even if they are data.
const FEWEST_KEYS: u32 = 32;
/// A name is common when one in twenty of the documents with the object has it.
const COMMON_SHARE: f64 = 0.05;
/// What half of the documents have is a field even if it looks like data: a sheet with a column for each year.
const USUAL_SHARE: f64 = 0.5;
/// A record has at least half of its content in fields.
const RECORD_MASS: f64 = 0.5;

/// What is known of one object path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ObjectUse {
    pub(crate) docs: u64,
    /// Keys that got a path of their own.
    pub(crate) keys: u32,
    /// When to look next: looking costs a walk over the keys.
    pub(crate) look_at: u32,
    pub(crate) map: bool,
}

impl ObjectUse {
    /// A key got a path. Whether it is time to look at what kind of object this is.
    pub(crate) fn gained_key(&mut self) -> bool {
        self.keys += 1;
        if self.map || self.keys < self.look_at.max(FEWEST_KEYS) {
            return false;
        }
        self.look_at = self.keys.saturating_mul(2);
        true
    }

    /// Whether a key that was in so many documents is a field rather than data.
    pub(crate) fn is_field(&self, key: &str, docs: u64) -> bool {
        let share = docs as f64 / self.docs.max(1) as f64;
        share >= USUAL_SHARE || share >= COMMON_SHARE && !looks_like_data(key)
    }

    /// Whether this is a map, by its keys and in how many documents each was.
    pub(crate) fn is_map<'a>(&self, keys: impl Iterator<Item = (&'a str, u64)>) -> bool {
        let (mut all, mut mass, mut of_fields) = (0_u32, 0_u64, 0_u64);
        for (key, docs) in keys {
            all += 1;
            mass += docs;
            if self.is_field(key, docs) {
                of_fields += docs;
            }
        }
        all >= FEWEST_KEYS && (of_fields as f64) < RECORD_MASS * mass as f64
    }
}

/// Digits, marks or a great length: rarely a name that a programmer gave.
fn looks_like_data(key: &str) -> bool {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    key.is_empty()
        || key.len() > 40
        || key.contains(['@', '/', ' ', ':'])
        || digits * 2 >= key.len()
        || key.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(docs: u64) -> ObjectUse {
        ObjectUse {
            docs,
            ..ObjectUse::default()
        }
    }

    fn is_map(docs: u64, keys: &[(String, u64)]) -> bool {
        object(docs).is_map(keys.iter().map(|(key, docs)| (key.as_str(), *docs)))
    }

    #[test]
    fn a_record_stays_one_under_much_junk() {
        let names = (1..=15).map(|n| ("name_".repeat(n), 1_000));
        let junk = (0..9_000).map(|n| (n.to_string(), 1));
        assert!(!is_map(1_000, &names.chain(junk).collect::<Vec<_>>()));
    }

    #[test]
    fn an_object_with_few_keys_is_a_record() {
        let keys: Vec<_> = (0..31).map(|n| (n.to_string(), 1)).collect();
        assert!(!is_map(31, &keys));
    }

    #[test]
    fn a_sheet_with_a_column_for_each_year_is_a_record() {
        let keys: Vec<_> = (1950..2020).map(|n| (n.to_string(), 80)).collect();
        assert!(!is_map(100, &keys));
    }

    #[test]
    fn rare_words_as_keys_make_a_map() {
        let keys: Vec<_> = (1..200).map(|n| ("ab".repeat(n), 2)).collect();
        assert!(is_map(400, &keys));
    }

    #[test]
    fn users_as_keys_make_a_map_even_if_some_are_busy() {
        let keys: Vec<_> = (1..200).map(|n| (format!("u{n}9{n}"), 400 / n)).collect();
        assert!(is_map(1_000, &keys));
    }

    #[test]
    fn names_with_a_digit_are_names() {
        assert!(!looks_like_data("address_line_2"));
        assert!(!looks_like_data("x_1"));
        assert!(looks_like_data("u8123"));
        assert!(looks_like_data("2026-11-23"));
        assert!(looks_like_data("ada@example.org"));
    }
}
