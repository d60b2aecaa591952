//! What expressions mean. An operation on values it is not defined for is an error and never a silent null, so that an
//! outcome is not computed from nothing; comparisons alone yield null, which no test takes for true.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::{Decimal, MathematicalOps};

use super::ast::{Arithmetic, Comparison, Ends, Expr, Test};
use super::functions;
use crate::value::{Date, DateTime, DaysDuration, Kind, MonthsDuration, Range, Time, Value};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A name stands for nothing.
    #[error("there is no value \"{0}\"")]
    UnknownName(String),
    /// A function does not exist here.
    #[error("the function \"{0}\" is not carried out in tables")]
    UnknownFunction(String),
    /// An operation is not defined for the kinds of its operands.
    #[error("{0}")]
    Kinds(String),
    /// A number is too great, or divided by zero.
    #[error("{0}")]
    Arithmetic(String),
    /// It goes on too long.
    #[error("the expression nests too many calls")]
    TooDeep,
}

/// Where names and functions are found.
pub trait Scope {
    /// What a name stands for.
    fn value(&self, name: &str) -> Option<Result<Value, EvalError>>;

    /// Calls a function that is not built in; nothing where it does not exist.
    fn call(
        &self,
        _name: &[Arc<str>],
        _arguments: &[(Option<Arc<str>>, Value)],
    ) -> Option<Result<Value, EvalError>> {
        None
    }
}

/// No name at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Scope for NoNames {
    fn value(&self, _name: &str) -> Option<Result<Value, EvalError>> {
        None
    }
}

/// Names of one's own, before those of another scope.
pub struct Variables<'s> {
    /// The names.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Where names that are missing are looked for.
    pub outer: Option<&'s dyn Scope>,
}

impl Scope for Variables<'_> {
    fn value(&self, name: &str) -> Option<Result<Value, EvalError>> {
        match self.values.get(name) {
            Some(value) => Some(Ok(value.clone())),
            None => self.outer?.value(name),
        }
    }

    fn call(
        &self,
        name: &[Arc<str>],
        arguments: &[(Option<Arc<str>>, Value)],
    ) -> Option<Result<Value, EvalError>> {
        self.outer?.call(name, arguments)
    }
}

/// The value of an expression.
///
/// # Errors
/// An operation that is not defined for its operands, or a name that stands for nothing.
pub fn evaluate(expr: &Expr, scope: &dyn Scope) -> Result<Value, EvalError> {
    match expr {
        Expr::Literal(value) => Ok(value.clone()),
        Expr::Name(name) => named(name, scope),
        Expr::Path(of, name) => {
            let of = evaluate(of, scope)?;
            field(&of, name)
        }
        Expr::Negate(of) => match evaluate(of, scope)? {
            Value::Number(number) => Ok(Value::Number(-number)),
            Value::Days(days) => Ok(Value::Days(DaysDuration(-days.0))),
            Value::Months(months) => Ok(Value::Months(MonthsDuration(-months.0))),
            other => Err(EvalError::Kinds(format!("{other} cannot be negated"))),
        },
        Expr::Arithmetic(operator, a, b) => {
            arithmetic(*operator, &evaluate(a, scope)?, &evaluate(b, scope)?)
        }
        Expr::Compare(comparison, a, b) => Ok(compare(
            *comparison,
            &evaluate(a, scope)?,
            &evaluate(b, scope)?,
        )),
        Expr::And(a, b) => {
            let a = evaluate(a, scope)?;
            if a == Value::Boolean(false) {
                return Ok(a);
            }
            Ok(match (a, evaluate(b, scope)?) {
                (_, Value::Boolean(false)) => Value::Boolean(false),
                (Value::Boolean(true), Value::Boolean(true)) => Value::Boolean(true),
                _ => Value::Null,
            })
        }
        Expr::Or(a, b) => {
            let a = evaluate(a, scope)?;
            if a == Value::Boolean(true) {
                return Ok(a);
            }
            Ok(match (a, evaluate(b, scope)?) {
                (_, Value::Boolean(true)) => Value::Boolean(true),
                (Value::Boolean(false), Value::Boolean(false)) => Value::Boolean(false),
                _ => Value::Null,
            })
        }
        Expr::In(value, tests) => {
            let value = evaluate(value, scope)?;
            passes_any(tests, &value, scope)
                .map(|passed| passed.map_or(Value::Null, Value::Boolean))
        }
        Expr::If(condition, then, otherwise) => {
            let holds = evaluate(condition, scope)? == Value::Boolean(true);
            evaluate(if holds { then } else { otherwise }, scope)
        }
        Expr::Call(callee, arguments) => {
            let path = callee
                .as_path()
                .ok_or_else(|| EvalError::UnknownFunction("an expression".to_owned()))?;
            let arguments = arguments
                .iter()
                .map(|(name, argument)| Ok((name.clone(), evaluate(argument, scope)?)))
                .collect::<Result<Vec<_>, EvalError>>()?;
            if let Some(result) = scope.call(&path, &arguments) {
                return result;
            }
            let name = path
                .iter()
                .map(|name| &**name)
                .collect::<Vec<_>>()
                .join(".");
            functions::call(&name, &arguments)
        }
        Expr::List(items) => items
            .iter()
            .map(|item| evaluate(item, scope))
            .collect::<Result<Vec<_>, _>>()
            .map(|items| Value::List(items.into())),
        Expr::Context(fields) => {
            let mut inner = Variables {
                values: BTreeMap::new(),
                outer: Some(scope),
            };
            for (name, field) in fields {
                let value = evaluate(field, &inner)?;
                inner.values.insert(name.clone(), value);
            }
            Ok(Value::Context(Arc::new(inner.values)))
        }
        Expr::Range(ends) => range(ends, scope).map(|range| Value::Range(Arc::new(range))),
        Expr::Filter(list, condition) => filter(&evaluate(list, scope)?, condition, scope),
    }
}

/// A name may hold dots; where it stands for nothing, it is a path.
fn named(name: &str, scope: &dyn Scope) -> Result<Value, EvalError> {
    if let Some(value) = scope.value(name) {
        return value;
    }
    let unknown = || EvalError::UnknownName(name.to_owned());
    let (of, last) = name.rsplit_once('.').ok_or_else(unknown)?;
    let mut parts = of.split('.');
    let first = parts
        .next()
        .and_then(|first| scope.value(first))
        .ok_or_else(unknown)??;
    let of = parts.try_fold(first, |of, part| field(&of, part))?;
    field(&of, last)
}

/// Whether a value passes one of several tests: true, false, or nothing where no answer is possible.
pub(crate) fn passes_any(
    tests: &[Test],
    value: &Value,
    scope: &dyn Scope,
) -> Result<Option<bool>, EvalError> {
    let mut answer = Some(false);
    for test in tests {
        match passes(test, value, scope)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => answer = None,
        }
    }
    Ok(answer)
}

/// Whether a value passes a test: true, false, or nothing where the two cannot be compared.
///
/// # Errors
/// The test's own expression has no value.
pub fn passes(test: &Test, value: &Value, scope: &dyn Scope) -> Result<Option<bool>, EvalError> {
    match test {
        Test::Any => Ok(Some(true)),
        Test::Compare(comparison, with) => {
            let with = evaluate(with, scope)?;
            Ok(match compare(*comparison, value, &with) {
                Value::Boolean(passed) => Some(passed),
                _ => None,
            })
        }
        Test::Within(ends) => Ok(range(ends, scope)?.contains(value)),
        Test::Equal(expr) => match evaluate(expr, scope)? {
            Value::Range(range) => Ok(range.contains(value)),
            Value::List(items) if !matches!(value, Value::List(_)) => Ok(Some(
                items.iter().any(|item| item.equals(value) == Some(true)),
            )),
            other => Ok(value.equals(&other)),
        },
        Test::Not(tests) => Ok(passes_any(tests, value, scope)?.map(|passed| !passed)),
        Test::Condition(expr) => {
            let inner = Variables {
                values: BTreeMap::from([(Arc::from("?"), value.clone())]),
                outer: Some(scope),
            };
            Ok(match evaluate(expr, &inner)? {
                Value::Boolean(passed) => Some(passed),
                _ => None,
            })
        }
    }
}

/// What `@"…"` stands for.
pub(super) fn temporal_literal(text: &str) -> Option<Value> {
    Date::parse(text)
        .map(Value::Date)
        .or_else(|| DateTime::parse(text).map(Value::DateTime))
        .or_else(|| Time::parse(text).map(Value::Time))
        .or_else(|| MonthsDuration::parse(text).map(Value::Months))
        .or_else(|| DaysDuration::parse(text).map(Value::Days))
}

fn range(ends: &Ends, scope: &dyn Scope) -> Result<Range, EvalError> {
    let (low, high) = (evaluate(&ends.low, scope)?, evaluate(&ends.high, scope)?);
    // In a value, null is "no end"; in a cell it is an end that is missing.
    if low == Value::Null || high == Value::Null {
        return Err(EvalError::Kinds(
            "an interval cannot end in null".to_owned(),
        ));
    }
    Ok(Range {
        low,
        low_closed: ends.low_closed,
        high,
        high_closed: ends.high_closed,
    })
}

fn field(of: &Value, name: &str) -> Result<Value, EvalError> {
    match of {
        Value::Context(fields) => Ok(fields.get(name).cloned().unwrap_or_default()),
        Value::List(items) => items
            .iter()
            .map(|item| field(item, name))
            .collect::<Result<Vec<_>, _>>()
            .map(|items| Value::List(items.into())),
        Value::Date(date) => part(date.part(name), name, of),
        Value::DateTime(at) => part(at.date().part(name), name, of),
        Value::Null => Ok(Value::Null),
        _ => part(None, name, of),
    }
}

fn part(part: Option<i64>, name: &str, of: &Value) -> Result<Value, EvalError> {
    part.map(|part| Value::Number(part.into()))
        .ok_or_else(|| EvalError::Kinds(format!("{of} has no field \"{name}\"")))
}

fn compare(comparison: Comparison, a: &Value, b: &Value) -> Value {
    let answer = match comparison {
        Comparison::Equal => a.equals(b),
        Comparison::NotEqual => a.equals(b).map(|equal| !equal),
        Comparison::Less => a.order(b).map(Ordering::is_lt),
        Comparison::LessOrEqual => a.order(b).map(Ordering::is_le),
        Comparison::Greater => a.order(b).map(Ordering::is_gt),
        Comparison::GreaterOrEqual => a.order(b).map(Ordering::is_ge),
    };
    answer.map_or(Value::Null, Value::Boolean)
}

fn arithmetic(operator: Arithmetic, a: &Value, b: &Value) -> Result<Value, EvalError> {
    use Arithmetic::{Add, Divide, Multiply, Power, Subtract};
    let too_great = || EvalError::Arithmetic(format!("the result of {a} and {b} is too great"));
    let negated = |value: i128| value.checked_neg();
    match (operator, a, b) {
        (_, Value::Number(a), Value::Number(b)) => numbers(operator, *a, *b).map(Value::Number),
        (Add, Value::String(a), Value::String(b)) => {
            if a.len() + b.len() > 1 << 20 {
                return Err(EvalError::Arithmetic(
                    "the text is longer than a megabyte".to_owned(),
                ));
            }
            Ok(Value::String(Arc::from(format!("{a}{b}"))))
        }
        (Add | Subtract, Value::Days(a), Value::Days(b)) => {
            let b = if operator == Subtract {
                negated(b.0)
            } else {
                Some(b.0)
            };
            let sum = b.and_then(|b| a.0.checked_add(b)).ok_or_else(too_great)?;
            Ok(Value::Days(DaysDuration(sum)))
        }
        (Add | Subtract, Value::Months(a), Value::Months(b)) => {
            let b = if operator == Subtract {
                b.0.checked_neg()
            } else {
                Some(b.0)
            };
            let sum = b.and_then(|b| a.0.checked_add(b)).ok_or_else(too_great)?;
            Ok(Value::Months(MonthsDuration(sum)))
        }
        (Add | Subtract, Value::DateTime(at), Value::Days(days)) => {
            let days = if operator == Subtract {
                negated(days.0)
            } else {
                Some(days.0)
            };
            days.and_then(|days| at.nanoseconds().checked_add(days))
                .and_then(|sum| DateTime::of_nanoseconds(sum, at.is_fixed()))
                .map(Value::DateTime)
                .ok_or_else(too_great)
        }
        (Add | Subtract, Value::Date(date), Value::Days(days)) => {
            let days = if operator == Subtract {
                negated(days.0)
            } else {
                Some(days.0)
            };
            days.and_then(|days| date.midnight().nanoseconds().checked_add(days))
                .and_then(|sum| DateTime::of_nanoseconds(sum, false))
                .map(|at| Value::Date(at.date()))
                .ok_or_else(too_great)
        }
        (Subtract, Value::Date(a), Value::Date(b)) => Ok(Value::Days(DaysDuration(
            i128::from(a.days() - b.days()) * 86_400_000_000_000,
        ))),
        (Subtract, Value::DateTime(a), Value::DateTime(b)) if a.is_fixed() == b.is_fixed() => {
            Ok(Value::Days(DaysDuration(a.nanoseconds() - b.nanoseconds())))
        }
        _ => {
            let (sign, done) = match operator {
                Add => ("+", "added"),
                Subtract => ("-", "subtracted"),
                Multiply => ("*", "multiplied"),
                Divide => ("/", "divided"),
                Power => ("**", "raised to a power"),
            };
            Err(EvalError::Kinds(format!(
                "{a} {sign} {b}: these cannot be {done}"
            )))
        }
    }
}

fn numbers(operator: Arithmetic, a: Decimal, b: Decimal) -> Result<Decimal, EvalError> {
    let result = match operator {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide if b.is_zero() => {
            return Err(EvalError::Arithmetic(format!("{a} is divided by zero")));
        }
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Power => power(a, b),
    };
    result.ok_or_else(|| EvalError::Arithmetic(format!("the result of {a} and {b} is too great")))
}

fn power(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    if !exponent.is_integer() {
        return if base.is_sign_negative() {
            None
        } else {
            base.checked_powd(exponent)
        };
    }
    let exponent = i64::try_from(exponent)
        .ok()
        .filter(|exponent| exponent.abs() <= 100_000)?;
    // By squaring; the reciprocal comes last, so that it is rounded once.
    let (mut result, mut square, mut left) = (Decimal::ONE, base, exponent.unsigned_abs());
    while left > 0 {
        if left & 1 == 1 {
            result = result.checked_mul(square)?;
        }
        left >>= 1;
        if left > 0 {
            square = square.checked_mul(square)?;
        }
    }
    if exponent < 0 {
        Decimal::ONE.checked_div(result)
    } else {
        Some(result)
    }
}

fn filter(list: &Value, condition: &Expr, scope: &dyn Scope) -> Result<Value, EvalError> {
    let single = [list.clone()];
    let items: &[Value] = match list {
        Value::List(items) => items,
        Value::Null => &[],
        _ => &single,
    };
    if condition.is_constant()
        && let Value::Number(index) = evaluate(condition, scope)?
    {
        let index = i64::try_from(index).unwrap_or(0);
        let at = if index > 0 {
            usize::try_from(index - 1).ok()
        } else {
            items
                .len()
                .checked_sub(usize::try_from(-index).unwrap_or(0))
        };
        return Ok(at
            .filter(|_| index != 0)
            .and_then(|at| items.get(at))
            .cloned()
            .unwrap_or_default());
    }
    let mut kept = Vec::new();
    for item in items {
        let mut values = BTreeMap::from([(Arc::from("item"), item.clone())]);
        if let Value::Context(fields) = item {
            values.extend(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        let inner = Variables {
            values,
            outer: Some(scope),
        };
        if evaluate(condition, &inner)? == Value::Boolean(true) {
            kept.push(item.clone());
        }
    }
    Ok(Value::List(kept.into()))
}

/// Checks a value against the kind that was promised.
pub(crate) fn is_of(value: &Value, kind: Kind) -> bool {
    match (value, kind) {
        (Value::Null, _) | (_, Kind::Any) => true,
        (Value::Number(number), Kind::Integer) => number.is_integer(),
        (value, kind) => value.kind() == kind,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_expression, parse_tests};
    use super::*;

    fn value_of(text: &str) -> String {
        match parse_expression(text, &[]).map(|expr| evaluate(&expr, &NoNames)) {
            Ok(Ok(value)) => value.to_string(),
            Ok(Err(error)) => format!("error: {error}"),
            Err(error) => format!("syntax: {error}"),
        }
    }

    fn passed(cell: &str, value: &Value) -> Option<bool> {
        passes_any(&parse_tests(cell, &[]).unwrap(), value, &NoNames).unwrap()
    }

    #[test]
    fn arithmetic_is_exact_and_says_when_it_cannot_be_done() {
        for (text, result) in [
            ("0.1 + 0.2 = 0.3", "true"),
            ("(1 + 2) * 3 - 4 / 2", "7"),
            ("2 ** 10", "1024"),
            ("2 ** -2", "0.25"),
            ("-2 ** 2", "4"),
            ("1 / 0", "error: 1 is divided by zero"),
            ("null + 1", "error: null + 1: these cannot be added"),
            ("\"1\" * 2", "error: \"1\" * 2: these cannot be multiplied"),
            ("10 ** 40", "error: the result of 10 and 40 is too great"),
            (
                "date(\"2026-03-01\") - duration(\"P1D\")",
                "date(\"2026-02-28\")",
            ),
            (
                "date(\"2026-03-01\") - date(\"2026-02-28\")",
                "duration(\"P1D\")",
            ),
            ("if 1 < null then 1 else 2", "2"),
            ("[1, 2, 3][2]", "2"),
            ("[1, 2, 3][item > 1]", "[2, 3]"),
            ("{a: 1, b: a + 1}.b", "2"),
            ("max(1, 3, 2) + count([1, 2])", "5"),
            ("{\"a\": 5}.a between 1 and 5", "true"),
            ("5 in (1..5)", "false"),
            ("5 in (1, 5)", "true"),
            (
                "every x in y satisfies z",
                "syntax: \"every\" is not carried out in tables",
            ),
            (
                "foo(1)",
                "error: the function \"foo\" is not carried out in tables",
            ),
        ] {
            assert_eq!(value_of(text), result, "{text}");
        }
    }

    #[test]
    fn null_never_passes_a_test_of_order() {
        for cell in [
            "< 5",
            ">= 5",
            "[1..5]",
            "not(< 5)",
            "not([1..5])",
            "? < 5",
            "< 5, > 7",
        ] {
            assert_eq!(passed(cell, &Value::Null), None, "{cell}");
        }
        assert_eq!(passed("null", &Value::Null), Some(true));
        assert_eq!(passed("not(null)", &Value::Null), Some(false));
        assert_eq!(passed("not(\"a\")", &Value::Null), Some(true));
    }

    #[test]
    fn a_value_of_another_kind_never_passes_a_test_of_order() {
        for cell in ["< 5", ">= 5", "[1..5]", "not(< 5)"] {
            assert_eq!(passed(cell, &Value::string("4")), None, "{cell}");
        }
        assert_eq!(passed("4", &Value::string("4")), None);
    }
}
