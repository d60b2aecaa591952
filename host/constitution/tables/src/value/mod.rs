//! The values that tables compare: exact decimals instead of floating point, and dates and durations as themselves instead
//! of as text, because `"9" > "10"` and `0.1 + 0.2 != 0.3` have paid out money before.

mod json;
mod kind;
mod temporal;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;

pub(crate) use json::exact;
pub use kind::Kind;
pub use temporal::{Date, DateTime, DaysDuration, MonthsDuration, Time};

/// One value. Cloning is cheap: what is long is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing. Equal to itself, and never less or greater than anything.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// An exact decimal of up to 28 digits.
    Number(Decimal),
    /// A text.
    String(Arc<str>),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A day and a time.
    DateTime(DateTime),
    /// A length of time that clocks measure.
    Days(DaysDuration),
    /// A length of time that calendars measure.
    Months(MonthsDuration),
    /// Values in order.
    List(Arc<[Value]>),
    /// Values by name.
    Context(Arc<BTreeMap<Arc<str>, Value>>),
    /// All values between two.
    Range(Arc<Range>),
}

/// All values between two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lower end; null for none.
    pub low: Value,
    /// Whether the lower end belongs to it.
    pub low_closed: bool,
    /// The upper end; null for none.
    pub high: Value,
    /// Whether the upper end belongs to it.
    pub high_closed: bool,
}

impl Value {
    /// A text.
    pub fn string(text: &str) -> Self {
        Self::String(Arc::from(text))
    }

    /// A context of these fields.
    pub fn context<'n>(fields: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        Self::Context(Arc::new(
            fields
                .into_iter()
                .map(|(name, value)| (Arc::from(name), value))
                .collect(),
        ))
    }

    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Any,
            Self::Boolean(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Date(_) => Kind::Date,
            Self::Time(_) => Kind::Time,
            Self::DateTime(_) => Kind::DateTime,
            Self::Days(_) => Kind::Days,
            Self::Months(_) => Kind::Months,
            Self::List(_) | Self::Range(_) => Kind::List,
            Self::Context(_) => Kind::Context,
        }
    }

    /// The order of two values of one kind; nothing where they have none, and null has none.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => a.order(*b),
            (Self::DateTime(a), Self::DateTime(b)) => a.order(*b),
            (Self::Days(a), Self::Days(b)) => Some(a.cmp(b)),
            (Self::Months(a), Self::Months(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Whether two values are equal; nothing where they are of different kinds. Null is equal to null alone.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Null, Self::Null) => Some(true),
            (Self::Null, _) | (_, Self::Null) => Some(false),
            (Self::Time(a), Self::Time(b)) => a.order(*b).map(Ordering::is_eq),
            (Self::DateTime(a), Self::DateTime(b)) => a.order(*b).map(Ordering::is_eq),
            (Self::List(a), Self::List(b)) => Some(
                a.len() == b.len()
                    && a.iter()
                        .zip(b.iter())
                        .all(|(a, b)| a.equals(b) == Some(true)),
            ),
            (Self::Context(a), Self::Context(b)) => Some(
                a.len() == b.len()
                    && a.iter()
                        .zip(b.iter())
                        .all(|((n, a), (m, b))| n == m && a.equals(b) == Some(true)),
            ),
            (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => Some(a == b),
            _ => None,
        }
    }

    /// A field of a context.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Context(fields) => fields.get(name),
            _ => None,
        }
    }
}

impl Range {
    /// Whether a value lies within; nothing where it cannot be compared.
    pub fn contains(&self, value: &Value) -> Option<bool> {
        let above = match &self.low {
            Value::Null => true,
            low => match value.order(low)? {
                Ordering::Less => false,
                Ordering::Equal => self.low_closed,
                Ordering::Greater => true,
            },
        };
        let below = match &self.high {
            Value::Null => true,
            high => match value.order(high)? {
                Ordering::Less => true,
                Ordering::Equal => self.high_closed,
                Ordering::Greater => false,
            },
        };
        Some(above && below)
    }
}

/// As a literal that can be written into a cell.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{}", value.normalize()),
            Self::String(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
            Self::Date(value) => write!(f, "date(\"{value}\")"),
            Self::Time(value) => write!(f, "time(\"{value}\")"),
            Self::DateTime(value) => write!(f, "date and time(\"{value}\")"),
            Self::Days(value) => write!(f, "duration(\"{value}\")"),
            Self::Months(value) => write!(f, "duration(\"{value}\")"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Context(fields) => {
                f.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{name}: {value}")?;
                }
                f.write_str("}")
            }
            Self::Range(range) => {
                f.write_str(if range.low_closed { "[" } else { "(" })?;
                write!(f, "{}..{}", range.low, range.high)?;
                f.write_str(if range.high_closed { "]" } else { ")" })
            }
        }
    }
}
