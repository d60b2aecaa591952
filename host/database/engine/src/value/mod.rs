//! One value of a document, and how values compare.
//!
//! The rules are PostgreSQL's, so that a query gives the same rows there: text by its bytes (collation C), numbers by
//! their exact value whatever their kind, nothing equal to null. Documents may hold different kinds under one name;
//! comparing a number with a text is then unknown, as comparing with null is, instead of an error in the middle of a
//! scan.

mod decimal;
mod json;
mod print;

use std::cmp::Ordering;
use std::sync::Arc;

pub use decimal::Decimal;
pub use json::{Document, MAX_DEPTH, MAX_DOCUMENT, MAX_FIELDS};
use serde::{Serialize, Serializer};

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// Truth.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An exact decimal number.
    Dec(Decimal),
    /// A finite float.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// An array or an object, or a number too long for any other kind, as compact JSON text.
    Json(Arc<str>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A name of its kind for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Dec(_) => "number",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Json(_) => "json",
        }
    }

    /// A rough size in memory, for limits.
    pub fn weight(&self) -> usize {
        std::mem::size_of::<Self>()
            + match self {
                Self::Text(text) | Self::Json(text) => text.len(),
                _ => 0,
            }
    }

    /// `a < b` and so on in SQL: unknown (`None`) with null and between kinds that do not compare.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            _ if self.class() == other.class() => Some(self.order(other)),
            _ => None,
        }
    }

    /// A total order, the one of the index keys: booleans, numbers, texts, JSON, and null after all.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Self::Text(a), Self::Text(b)) | (Self::Json(a), Self::Json(b)) => {
                a.as_bytes().cmp(b.as_bytes())
            }
            _ if self.class() == 1 && other.class() == 1 => self.order_numbers(other),
            _ => self.class().cmp(&other.class()),
        }
    }

    fn order_numbers(&self, other: &Self) -> Ordering {
        match (self.as_decimal(), other.as_decimal()) {
            (Some(a), Some(b)) => a.cmp(&b),
            // A float beyond the decimals is farther out than all of them, or nearer to zero.
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Int(_) | Self::Dec(_) | Self::Float(_) => 1,
            Self::Text(_) => 2,
            Self::Json(_) => 3,
            Self::Null => 4,
        }
    }

    fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Int(i) => Some(Decimal::from(*i)),
            Self::Dec(d) => Some(*d),
            Self::Float(f) => Decimal::parse(ryu::Buffer::new().format_finite(*f)),
            _ => None,
        }
    }

    fn as_f64(&self) -> f64 {
        match self {
            Self::Int(i) => *i as f64,
            Self::Dec(d) => d.to_f64(),
            Self::Float(f) => *f,
            _ => 0.0,
        }
    }

    /// Bytes that are equal when the values count as equal in GROUP BY and DISTINCT.
    pub(crate) fn write_identity(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Bool(b) => out.extend([1, u8::from(*b)]),
            Self::Int(i) => {
                out.push(2);
                out.extend(i.to_le_bytes());
            }
            Self::Dec(_) | Self::Float(_) => match self.as_decimal() {
                Some(d) => {
                    let plain = d.without_trailing_zeros();
                    match plain.to_i64_exact() {
                        Some(i) => Self::Int(i).write_identity(out),
                        None => {
                            out.extend([3, plain.scale()]);
                            out.extend(plain.mantissa().to_le_bytes());
                        }
                    }
                }
                None => {
                    out.push(4);
                    out.extend(self.as_f64().to_bits().to_le_bytes());
                }
            },
            Self::Text(text) | Self::Json(text) => {
                out.push(if matches!(self, Self::Text(_)) { 5 } else { 6 });
                out.extend((text.len() as u64).to_le_bytes());
                out.extend(text.as_bytes());
            }
        }
    }
}

/// Same kind and same value; null equals null. For tests and documents, not for SQL.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Self::Dec(value)
    }
}

/// As JSON; an exact number that JSON readers would round (beyond 2^53, or decimal) is still written as a number.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(i) => serializer.serialize_i64(*i),
            Self::Float(f) => serializer.serialize_f64(*f),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Dec(_) | Self::Json(_) => {
                let text = self.to_string();
                match serde_json::value::RawValue::from_string(text.clone()) {
                    Ok(raw) => raw.serialize(serializer),
                    Err(_) => serializer.serialize_str(&text),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_different_kinds_compare_exactly() {
        let big = Value::Int(i64::MAX);
        let next = Value::Dec(Decimal::parse("9223372036854775807.1").unwrap());
        assert_eq!(big.compare(&next), Some(Ordering::Less));
        assert_eq!(
            Value::Float(0.1),
            Value::Dec(Decimal::parse("0.10").unwrap())
        );
        assert_eq!(
            Value::Float(1e300).compare(&Value::Int(5)),
            Some(Ordering::Greater)
        );
        assert_eq!(
            Value::Float(1e-300).compare(&Value::Int(0)),
            Some(Ordering::Greater)
        );
    }

    #[test]
    fn different_kinds_are_unknown_to_each_other() {
        assert_eq!(Value::Int(1).compare(&Value::from("1")), None);
        assert_eq!(Value::Null.compare(&Value::Null), None);
    }

    #[test]
    fn equal_numbers_have_one_identity() {
        let bytes = |v: Value| {
            let mut out = Vec::new();
            v.write_identity(&mut out);
            out
        };
        assert_eq!(
            bytes(Value::Int(3)),
            bytes(Value::Dec(Decimal::parse("3.00").unwrap()))
        );
        assert_eq!(
            bytes(Value::Float(2.5)),
            bytes(Value::Dec(Decimal::parse("2.50").unwrap()))
        );
        assert_ne!(bytes(Value::from("3")), bytes(Value::Int(3)));
    }
}
