//! What is known of one path of a collection's documents.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decay::{DAY_MS, Decayed};
use crate::hash::hash;
use crate::heavy::HeavyHitters;
use crate::hyperloglog::HyperLogLog;
use crate::kind::Kind;
use crate::value_shape::value_shape;

const SHAPES: usize = 8;
/// Texts are hashed and shaped up to here; a megabyte of text is one value like any other.
const TEXT_BYTES: usize = 256;

/// Use of one field: what it holds, and who asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldUse {
    pub(crate) docs: u64,
    pub(crate) kinds: Vec<KindUse>,
    pub(crate) filled: Decayed,
    pub(crate) days: u32,
    pub(crate) last_day: u64,
    pub(crate) bytes: u64,
    pub(crate) distinct: HyperLogLog,
    /// How many values went into `distinct` and `shapes`.
    pub(crate) sampled: u64,
    pub(crate) shapes: HeavyHitters<String>,
    pub(crate) elements: u64,
    pub(crate) most_elements: u64,
    pub(crate) first_ms: u64,
    pub(crate) last_filled_ms: Option<u64>,
    /// Documents of the collection before this field's first.
    pub(crate) docs_before: u64,
    pub(crate) reads: u64,
    pub(crate) filters: u64,
    pub(crate) last_read_ms: Option<u64>,
    pub(crate) longest_read_gap_ms: u64,
    /// Its place among the fields that are looked at for dependencies.
    pub(crate) place: Option<u16>,
}

/// How often, and on how many days, a field had values of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KindUse {
    pub(crate) kind: Kind,
    pub(crate) count: u64,
    pub(crate) recent: Decayed,
    pub(crate) days: u32,
    pub(crate) last_day: u64,
}

impl FieldUse {
    pub(crate) fn new(at_ms: u64, docs_before: u64, half_life_ms: u64) -> Self {
        Self {
            docs: 0,
            kinds: Vec::new(),
            filled: Decayed::default(),
            days: 0,
            last_day: 0,
            bytes: 0,
            distinct: HyperLogLog::default(),
            sampled: 0,
            shapes: HeavyHitters::new(SHAPES, half_life_ms),
            elements: 0,
            most_elements: 0,
            first_ms: at_ms,
            last_filled_ms: None,
            docs_before,
            reads: 0,
            filters: 0,
            last_read_ms: None,
            longest_read_gap_ms: 0,
            place: None,
        }
    }

    /// A document had this value here.
    pub(crate) fn held(&mut self, value: &Value, at_ms: u64, half_life_ms: u64, sample: bool) {
        self.docs += 1;
        let kind = Kind::of(value);
        let day = at_ms / DAY_MS;
        let of_kind = match self.kinds.iter_mut().position(|known| known.kind == kind) {
            Some(at) => &mut self.kinds[at],
            None => {
                self.kinds.push(KindUse {
                    kind,
                    count: 0,
                    recent: Decayed::default(),
                    days: 0,
                    last_day: 0,
                });
                let last = self.kinds.len() - 1;
                &mut self.kinds[last]
            }
        };
        of_kind.recent.add(1.0, at_ms, half_life_ms);
        if of_kind.count == 0 || day > of_kind.last_day {
            of_kind.days += 1;
            of_kind.last_day = day;
        }
        of_kind.count += 1;
        if kind == Kind::Null {
            return;
        }

        self.filled.add(1.0, at_ms, half_life_ms);
        if self.last_filled_ms.is_none() || day > self.last_day {
            self.days += 1;
            self.last_day = day;
        }
        self.last_filled_ms = self.last_filled_ms.max(Some(at_ms));
        self.bytes = self.bytes.saturating_add(size(value));
        if let Value::Array(elements) = value {
            let count = elements.len() as u64;
            self.elements = self.elements.saturating_add(count);
            self.most_elements = self.most_elements.max(count);
        }
        if let (true, Some(hash)) = (sample, value_hash(value)) {
            self.sampled += 1;
            self.distinct.add_hash(hash);
            if let Value::String(text) = value {
                let shape = value_shape(prefix(text));
                self.shapes
                    .add(crate::hash::hash(shape.as_bytes()), 1.0, at_ms, || {
                        shape.clone()
                    });
            }
        }
    }

    /// A query named this field.
    pub(crate) fn read(&mut self, filtered: bool, at_ms: u64) {
        self.reads += 1;
        self.filters += u64::from(filtered);
        if let Some(last) = self.last_read_ms {
            self.longest_read_gap_ms = self.longest_read_gap_ms.max(at_ms.saturating_sub(last));
        }
        self.last_read_ms = self.last_read_ms.max(Some(at_ms));
    }

    pub(crate) fn nulls(&self) -> u64 {
        self.kinds
            .iter()
            .find(|known| known.kind == Kind::Null)
            .map_or(0, |known| known.count)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.distinct.is_sound() && self.shapes.is_sound() && self.kinds.len() <= Kind::ALL.len()
    }
}

/// About how many bytes a value takes.
pub(crate) fn size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text.len() as u64,
        Value::Array(list) => 2 * list.len() as u64,
        Value::Object(object) => 2 * object.len() as u64,
    }
}

/// Scalars with one hash are one value; 1 and 1.0 are, as they are in SQL.
pub(crate) fn value_hash(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::Bool(flag) => Some(hash(&[1, u8::from(*flag)])),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Some(hash(format!("2{whole}").as_bytes())),
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
                Some(hash(format!("2{}", float as i64).as_bytes()))
            }
            (None, Some(float)) => Some(hash(&float.to_bits().to_le_bytes())),
            (None, None) => None,
        },
        Value::String(text) => {
            Some(hash(prefix(text).as_bytes()) ^ crate::hash::mix(text.len() as u64))
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn prefix(text: &str) -> &str {
    let end = text.floor_char_boundary(TEXT_BYTES);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_burst_on_one_day_is_one_day() {
        let mut field = FieldUse::new(0, 0, DAY_MS);
        (0..500).for_each(|at| field.held(&json!("x"), at, DAY_MS, true));
        assert_eq!(
            (field.days, field.docs, field.distinct.count()),
            (1, 500, 1)
        );
        field.held(&json!("y"), 3 * DAY_MS, DAY_MS, true);
        assert_eq!(field.days, 2);
    }

    #[test]
    fn null_is_presence_without_content() {
        let mut field = FieldUse::new(0, 0, DAY_MS);
        field.held(&json!(null), 5, DAY_MS, true);
        assert_eq!((field.docs, field.nulls(), field.days), (1, 1, 0));
        assert_eq!(field.last_filled_ms, None);
    }

    #[test]
    fn the_longest_silence_between_reads_is_remembered() {
        let mut field = FieldUse::new(0, 0, DAY_MS);
        for at in [10, 20, 100, 110] {
            field.read(at == 100, at);
        }
        assert_eq!(
            (field.longest_read_gap_ms, field.reads, field.filters),
            (80, 4, 1)
        );
    }

    #[test]
    fn one_is_one_however_it_is_written() {
        assert_eq!(value_hash(&json!(1)), value_hash(&json!(1.0)));
        assert_ne!(value_hash(&json!(1)), value_hash(&json!("1")));
        assert_ne!(value_hash(&json!("")), value_hash(&json!(null)));
    }

    #[test]
    fn long_texts_that_begin_alike_are_told_apart_by_length() {
        let (one, other) = ("é".repeat(1_000), "é".repeat(1_001));
        assert_ne!(value_hash(&json!(one)), value_hash(&json!(other)));
    }
}
