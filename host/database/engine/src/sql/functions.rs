//! The scalar functions, with PostgreSQL's results.

use std::sync::Arc;

use crate::catalogue::Type;
use crate::error::EngineError;
use crate::value::{Decimal, Value};

/// No function makes a text longer than this.
const MAX_TEXT: usize = 1 << 20;

/// A scalar function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Lower,
    Upper,
    Length,
    OctetLength,
    Trim,
    TrimLeft,
    TrimRight,
    Substring,
    Replace,
    Concat,
    Left,
    Right,
    Position,
    StartsWith,
    Repeat,
    Reverse,
    SplitPart,
    Abs,
    Sign,
    Round,
    Trunc,
    Floor,
    Ceil,
    Mod,
    Coalesce,
    NullIf,
    Greatest,
    Least,
}

/// Every name a query may call.
pub(crate) const NAMES: &[(&str, Function, std::ops::RangeInclusive<usize>)] = &[
    ("lower", Function::Lower, 1..=1),
    ("upper", Function::Upper, 1..=1),
    ("length", Function::Length, 1..=1),
    ("char_length", Function::Length, 1..=1),
    ("character_length", Function::Length, 1..=1),
    ("octet_length", Function::OctetLength, 1..=1),
    ("btrim", Function::Trim, 1..=2),
    ("ltrim", Function::TrimLeft, 1..=2),
    ("rtrim", Function::TrimRight, 1..=2),
    ("substr", Function::Substring, 2..=3),
    ("substring", Function::Substring, 2..=3),
    ("replace", Function::Replace, 3..=3),
    ("concat", Function::Concat, 1..=100),
    ("left", Function::Left, 2..=2),
    ("right", Function::Right, 2..=2),
    ("strpos", Function::Position, 2..=2),
    ("starts_with", Function::StartsWith, 2..=2),
    ("repeat", Function::Repeat, 2..=2),
    ("reverse", Function::Reverse, 1..=1),
    ("split_part", Function::SplitPart, 3..=3),
    ("abs", Function::Abs, 1..=1),
    ("sign", Function::Sign, 1..=1),
    ("round", Function::Round, 1..=2),
    ("trunc", Function::Trunc, 1..=2),
    ("floor", Function::Floor, 1..=1),
    ("ceil", Function::Ceil, 1..=1),
    ("ceiling", Function::Ceil, 1..=1),
    ("mod", Function::Mod, 2..=2),
    ("coalesce", Function::Coalesce, 1..=100),
    ("nullif", Function::NullIf, 2..=2),
    ("greatest", Function::Greatest, 1..=100),
    ("least", Function::Least, 1..=100),
];

impl Function {
    /// The type of the result.
    pub(crate) fn result(self, arguments: &[Type]) -> Type {
        let first = arguments.first().copied().unwrap_or(Type::Unknown);
        match self {
            Self::Lower
            | Self::Upper
            | Self::Trim
            | Self::TrimLeft
            | Self::TrimRight
            | Self::Substring
            | Self::Replace
            | Self::Concat
            | Self::Left
            | Self::Right
            | Self::Repeat
            | Self::Reverse
            | Self::SplitPart => Type::Text,
            Self::Length | Self::OctetLength | Self::Position => Type::Int,
            Self::StartsWith => Type::Bool,
            Self::Abs | Self::NullIf => first,
            Self::Sign | Self::Round | Self::Trunc | Self::Floor | Self::Ceil => {
                match (first, arguments.len()) {
                    (Type::Dec | Type::Mixed | Type::Unknown, _) | (_, 2) => Type::Dec,
                    _ => Type::Float,
                }
            }
            Self::Mod | Self::Coalesce | Self::Greatest | Self::Least => {
                arguments.iter().fold(Type::Unknown, |a, b| a.join(*b))
            }
        }
    }

    /// Whether its arguments are brought to one type.
    pub(crate) fn joins_arguments(self) -> bool {
        matches!(self, Self::Coalesce | Self::Greatest | Self::Least)
    }

    /// Calls it. `Coalesce` is the evaluator's: it must not evaluate all its arguments.
    pub(crate) fn call(self, arguments: &[Value]) -> Result<Value, EngineError> {
        match self {
            Self::Concat => {
                let mut out = String::new();
                for value in arguments {
                    out.push_str(&value.to_string());
                }
                return bounded(out);
            }
            Self::Greatest | Self::Least => {
                let known = arguments.iter().filter(|v| !v.is_null());
                let found = if self == Self::Greatest {
                    known.max_by(|a, b| a.order(b))
                } else {
                    known.min_by(|a, b| a.order(b))
                };
                return Ok(found.cloned().unwrap_or(Value::Null));
            }
            Self::NullIf => {
                let equal = arguments[0]
                    .compare(&arguments[1])
                    .is_some_and(|o| o.is_eq());
                return Ok(if equal {
                    Value::Null
                } else {
                    arguments[0].clone()
                });
            }
            Self::Coalesce => {
                return Ok(arguments
                    .iter()
                    .find(|v| !v.is_null())
                    .cloned()
                    .unwrap_or(Value::Null));
            }
            _ => {}
        }
        if arguments.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        self.strict(arguments)
    }

    fn strict(self, arguments: &[Value]) -> Result<Value, EngineError> {
        let text = |n: usize| text_of(&arguments[n]);
        Ok(match self {
            Self::Lower => Value::from(change_case(&text(0)?, |c| c.to_lowercase())),
            Self::Upper => Value::from(change_case(&text(0)?, |c| c.to_uppercase())),
            Self::Length => Value::Int(text(0)?.chars().count() as i64),
            Self::OctetLength => Value::Int(text(0)?.len() as i64),
            Self::Trim | Self::TrimLeft | Self::TrimRight => {
                let set: Vec<char> = if arguments.len() > 1 {
                    text(1)?.chars().collect()
                } else {
                    vec![' ']
                };
                let whole = text(0)?;
                let mut rest: &str = &whole;
                if self != Self::TrimRight {
                    rest = rest.trim_start_matches(&set[..]);
                }
                if self != Self::TrimLeft {
                    rest = rest.trim_end_matches(&set[..]);
                }
                Value::from(rest)
            }
            Self::Substring => {
                let start = int_of(&arguments[1])?;
                let end = match arguments.get(2) {
                    None => i64::MAX,
                    Some(len) => {
                        let len = int_of(len)?;
                        if len < 0 {
                            return Err(EngineError::Compute(
                                "negative substring length not allowed".to_owned(),
                            ));
                        }
                        start.saturating_add(len)
                    }
                };
                let from = start.max(1);
                let skip = usize::try_from(from - 1).unwrap_or(usize::MAX);
                let take = usize::try_from((end - from).max(0)).unwrap_or(usize::MAX);
                Value::from(text(0)?.chars().skip(skip).take(take).collect::<String>())
            }
            Self::Replace => {
                let (whole, from, to) = (text(0)?, text(1)?, text(2)?);
                if from.is_empty() {
                    return Ok(Value::Text(whole));
                }
                if whole.matches(&*from).count().saturating_mul(to.len()) > MAX_TEXT {
                    return bounded_error();
                }
                return bounded(whole.replace(&*from, &to));
            }
            Self::Left | Self::Right => {
                let whole = text(0)?;
                let (count, wanted) = (whole.chars().count() as i64, int_of(&arguments[1])?);
                let take = if wanted < 0 {
                    count.saturating_add(wanted).max(0)
                } else {
                    wanted.min(count)
                } as usize;
                let skip = if self == Self::Left {
                    0
                } else {
                    count as usize - take
                };
                Value::from(whole.chars().skip(skip).take(take).collect::<String>())
            }
            Self::Position => {
                let whole = text(0)?;
                let at = whole
                    .find(&*text(1)?)
                    .map_or(0, |at| whole[..at].chars().count() + 1);
                Value::Int(at as i64)
            }
            Self::StartsWith => Value::Bool(text(0)?.starts_with(&*text(1)?)),
            Self::Repeat => {
                let times = usize::try_from(int_of(&arguments[1])?).unwrap_or(0);
                let whole = text(0)?;
                if whole.len().saturating_mul(times) > MAX_TEXT {
                    return bounded_error();
                }
                Value::from(whole.repeat(times))
            }
            Self::Reverse => Value::from(text(0)?.chars().rev().collect::<String>()),
            Self::SplitPart => {
                let (whole, by, nth) = (text(0)?, text(1)?, int_of(&arguments[2])?);
                if nth == 0 {
                    return Err(EngineError::Compute(
                        "field position must not be zero".to_owned(),
                    ));
                }
                let parts: Vec<&str> = if by.is_empty() {
                    vec![&whole]
                } else {
                    whole.split(&*by).collect()
                };
                let index = if nth > 0 {
                    nth - 1
                } else {
                    parts.len() as i64 + nth
                };
                let part = usize::try_from(index).ok().and_then(|i| parts.get(i));
                Value::from(part.copied().unwrap_or_default())
            }
            Self::Abs => match &arguments[0] {
                Value::Int(i) => Value::Int(i.checked_abs().ok_or_else(range)?),
                Value::Dec(d) if d.mantissa() < 0 => Value::Dec(d.negated()),
                Value::Dec(d) => Value::Dec(*d),
                Value::Float(f) => Value::Float(f.abs()),
                other => return Err(not_a_number(other)),
            },
            Self::Sign => match &arguments[0] {
                Value::Int(i) => Value::Float(i.signum() as f64),
                Value::Dec(d) => Value::Dec((d.mantissa().signum() as i64).into()),
                Value::Float(f) => Value::Float(if *f == 0.0 { 0.0 } else { f.signum() }),
                other => return Err(not_a_number(other)),
            },
            Self::Round | Self::Trunc | Self::Floor | Self::Ceil => self.rounding(arguments)?,
            Self::Mod => {
                super::eval::arithmetic(super::expr::Arithmetic::Rem, &arguments[0], &arguments[1])?
            }
            Self::Concat | Self::Greatest | Self::Least | Self::NullIf | Self::Coalesce => {
                Value::Null
            }
        })
    }

    fn rounding(self, arguments: &[Value]) -> Result<Value, EngineError> {
        let places = match arguments.get(1) {
            Some(places) => i32::try_from(int_of(places)?).map_err(|_| range())?,
            None => 0,
        };
        let exact = |d: Decimal| {
            let cut = match self {
                Self::Round => d.round(places),
                Self::Trunc => d.trunc(places),
                Self::Floor => d.floor(),
                _ => d.ceil(),
            };
            cut.map(Value::Dec).ok_or_else(range)
        };
        match &arguments[0] {
            Value::Dec(d) => exact(*d),
            Value::Int(i) if arguments.len() == 2 => exact((*i).into()),
            // Without places PostgreSQL rounds integers as floats.
            Value::Int(i) => Ok(Value::Float(*i as f64)),
            Value::Float(_) if arguments.len() == 2 => Err(EngineError::Compute(
                "a float is not rounded to places: cast it to numeric first".to_owned(),
            )),
            Value::Float(f) => Ok(Value::Float(match self {
                Self::Round => f.round_ties_even(),
                Self::Trunc => f.trunc(),
                Self::Floor => f.floor(),
                _ => f.ceil(),
            })),
            other => Err(not_a_number(other)),
        }
    }
}

/// One character for one, as the C library does it.
fn change_case<I: Iterator<Item = char>>(text: &str, change: impl Fn(char) -> I) -> String {
    text.chars()
        .map(|c| {
            let mut changed = change(c);
            match (changed.next(), changed.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

fn text_of(value: &Value) -> Result<Arc<str>, EngineError> {
    match value {
        Value::Text(text) | Value::Json(text) => Ok(text.clone()),
        other => Err(EngineError::Compute(format!(
            "this function takes a text and got {} {other}: cast it to text",
            other.kind()
        ))),
    }
}

fn int_of(value: &Value) -> Result<i64, EngineError> {
    match value {
        Value::Int(i) => Ok(*i),
        other => Err(EngineError::Compute(format!(
            "an integer is needed here, this is {} {other}",
            other.kind()
        ))),
    }
}

pub(crate) fn not_a_number(value: &Value) -> EngineError {
    EngineError::Compute(format!(
        "a number is needed here, this is {} {value}",
        value.kind()
    ))
}

pub(crate) fn range() -> EngineError {
    EngineError::Compute("a number is out of range".to_owned())
}

fn bounded(text: String) -> Result<Value, EngineError> {
    if text.len() > MAX_TEXT {
        bounded_error()
    } else {
        Ok(Value::from(text))
    }
}

fn bounded_error() -> Result<Value, EngineError> {
    Err(EngineError::Compute(format!(
        "the resulting text would be longer than {MAX_TEXT} bytes"
    )))
}
