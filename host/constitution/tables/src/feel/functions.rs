//! The functions that are built in: those that sums, prices and dates need. What is missing is named when it is called.

use std::sync::Arc;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::eval::{EvalError, temporal_literal};
use crate::value::{Date, DateTime, DaysDuration, MonthsDuration, Time, Value};

/// More items than this are no list that a table needs.
const MAX_ITEMS: usize = 100_000;

pub(super) fn call(
    name: &str,
    arguments: &[(Option<Arc<str>>, Value)],
) -> Result<Value, EvalError> {
    let values: Vec<&Value> = arguments.iter().map(|(_, value)| value).collect();
    let cannot = || {
        let list: Vec<_> = values.iter().map(ToString::to_string).collect();
        EvalError::Kinds(format!(
            "{name}({}): the function is not defined for this",
            list.join(", ")
        ))
    };
    let result = match (name, values.as_slice()) {
        ("date", [Value::String(text)]) => Date::parse(text).map(Value::Date),
        ("date", [Value::DateTime(at)]) => Some(Value::Date(at.date())),
        ("date", [Value::Date(date)]) => Some(Value::Date(*date)),
        ("date", [Value::Number(y), Value::Number(m), Value::Number(d)]) => whole(*y)
            .zip(whole(*m).zip(whole(*d)))
            .and_then(|(y, (m, d))| Date::new(y, m, d))
            .map(Value::Date),
        ("time", [Value::String(text)]) => Time::parse(text).map(Value::Time),
        ("date and time", [Value::String(text)]) => DateTime::parse(text)
            .or_else(|| Date::parse(text).map(Date::midnight))
            .map(Value::DateTime),
        ("duration", [Value::String(text)]) => MonthsDuration::parse(text)
            .map(Value::Months)
            .or_else(|| DaysDuration::parse(text).map(Value::Days)),
        ("number", [Value::String(text)]) => Decimal::from_str_exact(text).ok().map(Value::Number),
        ("string", [Value::String(text)]) => Some(Value::String(text.clone())),
        ("string", [Value::Null]) => Some(Value::Null),
        ("string", [Value::Date(value)]) => Some(Value::string(&value.to_string())),
        ("string", [Value::Time(value)]) => Some(Value::string(&value.to_string())),
        ("string", [Value::DateTime(value)]) => Some(Value::string(&value.to_string())),
        ("string", [Value::Days(value)]) => Some(Value::string(&value.to_string())),
        ("string", [Value::Months(value)]) => Some(Value::string(&value.to_string())),
        ("string", [value]) => Some(Value::string(&value.to_string())),
        ("string length", [Value::String(text)]) => Some(number(text.chars().count())),
        ("upper case", [Value::String(text)]) => Some(Value::string(&text.to_uppercase())),
        ("lower case", [Value::String(text)]) => Some(Value::string(&text.to_lowercase())),
        ("contains", [Value::String(text), Value::String(part)]) => {
            Some(Value::Boolean(text.contains(&**part)))
        }
        ("starts with", [Value::String(text), Value::String(part)]) => {
            Some(Value::Boolean(text.starts_with(&**part)))
        }
        ("not", [Value::Boolean(value)]) => Some(Value::Boolean(!value)),
        ("not", [_]) => Some(Value::Null),
        ("floor", [Value::Number(value)]) => Some(Value::Number(value.floor())),
        ("ceiling", [Value::Number(value)]) => Some(Value::Number(value.ceil())),
        ("abs", [Value::Number(value)]) => Some(Value::Number(value.abs())),
        ("decimal", [Value::Number(value), Value::Number(digits)]) => {
            round(*value, *digits, RoundingStrategy::MidpointNearestEven)
        }
        ("round half up", [Value::Number(value), Value::Number(digits)]) => {
            round(*value, *digits, RoundingStrategy::MidpointAwayFromZero)
        }
        ("round up", [Value::Number(value), Value::Number(digits)]) => {
            round(*value, *digits, RoundingStrategy::AwayFromZero)
        }
        ("round down", [Value::Number(value), Value::Number(digits)]) => {
            round(*value, *digits, RoundingStrategy::ToZero)
        }
        ("modulo", [Value::Number(a), Value::Number(b)]) if !b.is_zero() => {
            // The result has the divisor's sign.
            a.checked_rem(*b)
                .and_then(|rest| {
                    if rest.is_zero() || rest.is_sign_negative() == b.is_sign_negative() {
                        Some(rest)
                    } else {
                        rest.checked_add(*b)
                    }
                })
                .map(Value::Number)
        }
        ("min" | "max", _) => extreme(name == "max", &spread(&values)),
        ("sum", _) => fold(&spread(&values), Decimal::ZERO, Decimal::checked_add),
        ("count", [Value::List(items)]) => Some(number(items.len())),
        ("mean", _) => {
            let items = spread(&values);
            match fold(&items, Decimal::ZERO, Decimal::checked_add) {
                Some(Value::Number(sum)) if !items.is_empty() => sum
                    .checked_div(Decimal::from(items.len()))
                    .map(Value::Number),
                _ => None,
            }
        }
        ("list contains", [Value::List(items), value]) => Some(Value::Boolean(
            items.iter().any(|item| item.equals(value) == Some(true)),
        )),
        ("append", [Value::List(items), rest @ ..]) => {
            list(items.iter().chain(rest.iter().copied()).cloned().collect())
        }
        ("concatenate", lists) => {
            let mut all = Vec::new();
            for items in lists {
                match items {
                    Value::List(items) if all.len() + items.len() <= MAX_ITEMS => {
                        all.extend(items.iter().cloned())
                    }
                    _ => return Err(cannot()),
                }
            }
            list(all)
        }
        ("remove", [Value::List(items), Value::Number(at)]) => {
            let at = at.to_i64().unwrap_or(0);
            let at = if at < 0 {
                i64::try_from(items.len()).unwrap_or(0) + at
            } else {
                at - 1
            };
            list(
                items
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| i64::try_from(*index) != Ok(at))
                    .map(|(_, item)| item.clone())
                    .collect(),
            )
        }
        ("flatten", [Value::List(items)]) => {
            let mut flat = Vec::new();
            flatten(items, &mut flat, 0).then(|| list(flat)).flatten()
        }
        ("reverse", [Value::List(items)]) => list(items.iter().rev().cloned().collect()),
        ("distinct values", [Value::List(items)]) => {
            let mut kept: Vec<Value> = Vec::new();
            for item in items.iter() {
                if kept.len() <= 1000 && !kept.iter().any(|known| known.equals(item) == Some(true))
                {
                    kept.push(item.clone());
                }
            }
            list(kept)
        }
        ("is defined", [value]) => Some(Value::Boolean(**value != Value::Null)),
        ("@", [Value::String(text)]) => temporal_literal(text),
        _ if KNOWN.contains(&name) => None,
        _ => return Err(EvalError::UnknownFunction(name.to_owned())),
    };
    result.ok_or_else(cannot)
}

/// Names whose arguments were wrong, as opposed to names that do not exist.
const KNOWN: [&str; 31] = [
    "@",
    "abs",
    "append",
    "ceiling",
    "concatenate",
    "contains",
    "count",
    "date",
    "date and time",
    "decimal",
    "distinct values",
    "duration",
    "flatten",
    "floor",
    "is defined",
    "list contains",
    "lower case",
    "mean",
    "modulo",
    "not",
    "number",
    "remove",
    "reverse",
    "round down",
    "round half up",
    "round up",
    "starts with",
    "string",
    "string length",
    "time",
    "upper case",
];

fn number(count: usize) -> Value {
    Value::Number(Decimal::from(count))
}

fn whole(number: Decimal) -> Option<i64> {
    number.is_integer().then(|| number.to_i64()).flatten()
}

fn list(items: Vec<Value>) -> Option<Value> {
    (items.len() <= MAX_ITEMS).then(|| Value::List(items.into()))
}

fn round(value: Decimal, digits: Decimal, strategy: RoundingStrategy) -> Option<Value> {
    let digits = whole(digits)
        .and_then(|digits| u32::try_from(digits).ok())
        .filter(|digits| *digits <= 28)?;
    Some(Value::Number(
        value.round_dp_with_strategy(digits, strategy),
    ))
}

/// `max(1, 2)` and `max([1, 2])` mean the same.
fn spread<'v>(values: &[&'v Value]) -> Vec<&'v Value> {
    match values {
        [Value::List(items)] => items.iter().collect(),
        values => values.to_vec(),
    }
}

fn extreme(greatest: bool, values: &[&Value]) -> Option<Value> {
    let mut best = *values.first()?;
    for value in &values[1..] {
        if value.order(best)?
            == if greatest {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Less
            }
        {
            best = value;
        }
    }
    best.order(best).map(|_| best.clone())
}

fn fold(
    values: &[&Value],
    start: Decimal,
    step: fn(Decimal, Decimal) -> Option<Decimal>,
) -> Option<Value> {
    values
        .iter()
        .try_fold(start, |sum, value| match value {
            Value::Number(number) => step(sum, *number),
            _ => None,
        })
        .map(Value::Number)
}

fn flatten(items: &[Value], flat: &mut Vec<Value>, depth: usize) -> bool {
    depth < 64
        && items.iter().all(|item| match item {
            Value::List(inner) => flatten(inner, flat, depth + 1),
            other => {
                flat.push(other.clone());
                flat.len() <= MAX_ITEMS
            }
        })
}
