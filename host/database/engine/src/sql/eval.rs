//! The value of an expression over a row.

use std::cmp::Ordering;

use super::expr::{Arithmetic, Cast, Compare, Expr};
use super::functions::{Function, not_a_number, range};
use crate::catalogue::Type;
use crate::error::EngineError;
use crate::value::{Decimal, Value};

/// Evaluates an expression.
pub(crate) fn eval(expr: &Expr, row: &[Value], parameters: &[Value]) -> Result<Value, EngineError> {
    let go = |e: &Expr| eval(e, row, parameters);
    Ok(match expr {
        Expr::Const(value) => value.clone(),
        Expr::Param(n) => parameters.get(*n).cloned().ok_or_else(|| {
            EngineError::invalid(format!(
                "the query uses ${} and only {} parameters were given",
                n + 1,
                parameters.len()
            ))
        })?,
        Expr::Slot(n) => row.get(*n).cloned().unwrap_or(Value::Null),
        Expr::Aggregate(_) => return Err(EngineError::invalid("an aggregate is not allowed here")),
        Expr::Not(a) => match truth(&go(a)?)? {
            Some(b) => Value::Bool(!b),
            None => Value::Null,
        },
        Expr::Negate(a) => match go(a)? {
            Value::Null => Value::Null,
            Value::Int(i) => Value::Int(i.checked_neg().ok_or_else(range)?),
            Value::Dec(d) => Value::Dec(d.negated()),
            Value::Float(f) => Value::Float(-f),
            other => return Err(not_a_number(&other)),
        },
        Expr::And(list) => {
            let mut unknown = false;
            for part in list {
                match truth(&go(part)?)? {
                    Some(false) => return Ok(Value::Bool(false)),
                    Some(true) => {}
                    None => unknown = true,
                }
            }
            if unknown {
                Value::Null
            } else {
                Value::Bool(true)
            }
        }
        Expr::Or(list) => {
            let mut unknown = false;
            for part in list {
                match truth(&go(part)?)? {
                    Some(true) => return Ok(Value::Bool(true)),
                    Some(false) => {}
                    None => unknown = true,
                }
            }
            if unknown {
                Value::Null
            } else {
                Value::Bool(false)
            }
        }
        Expr::Compare(op, a, b) => compared(*op, &go(a)?, &go(b)?),
        Expr::Arithmetic(op, a, b) => arithmetic(*op, &go(a)?, &go(b)?)?,
        Expr::Concat(a, b) => match (go(a)?, go(b)?) {
            (Value::Null, _) | (_, Value::Null) => Value::Null,
            (a, b) => Function::Concat.call(&[a, b])?,
        },
        Expr::Member(a, b, as_text) => {
            let (value, key) = (go(a)?, go(b)?);
            match key {
                Value::Null => Value::Null,
                key => value.arrow(&key.to_string(), *as_text),
            }
        }
        Expr::IsNull(a, negated) => Value::Bool(go(a)?.is_null() != *negated),
        Expr::IsBool(a, wanted, negated) => {
            Value::Bool((truth(&go(a)?)? == Some(*wanted)) != *negated)
        }
        Expr::Distinct(a, b, negated) => {
            let (a, b) = (go(a)?, go(b)?);
            let same = match (a.is_null(), b.is_null()) {
                (true, true) => true,
                (false, false) => a.compare(&b) == Some(Ordering::Equal),
                _ => false,
            };
            Value::Bool(same == *negated)
        }
        Expr::In(a, list, negated) => {
            let value = go(a)?;
            let mut unknown = value.is_null();
            for item in list {
                match compared(Compare::Eq, &value, &go(item)?) {
                    Value::Bool(true) => return Ok(Value::Bool(!negated)),
                    Value::Null => unknown = true,
                    _ => {}
                }
            }
            if unknown {
                Value::Null
            } else {
                Value::Bool(*negated)
            }
        }
        Expr::Like {
            text,
            pattern,
            escape,
            any_case,
            negated,
        } => match (go(text)?, go(pattern)?) {
            (Value::Null, _) | (_, Value::Null) => Value::Null,
            (Value::Text(text), Value::Text(pattern)) => {
                let found = if *any_case {
                    let lower = |t: &str| {
                        Function::Lower
                            .call(&[Value::from(t)])
                            .map(|v| v.to_string())
                    };
                    like(&lower(&text)?, &lower(&pattern)?, *escape)?
                } else {
                    like(&text, &pattern, *escape)?
                };
                Value::Bool(found != *negated)
            }
            (text, _) => {
                return Err(EngineError::Compute(format!(
                    "LIKE compares texts and this is {} {text}",
                    text.kind()
                )));
            }
        },
        Expr::Case {
            branches,
            otherwise,
            ty,
        } => {
            for (when, then) in branches {
                if truth(&go(when)?)? == Some(true) {
                    return Ok(ty.adapt(go(then)?));
                }
            }
            match otherwise {
                Some(e) => ty.adapt(go(e)?),
                None => Value::Null,
            }
        }
        Expr::Cast(a, to) => cast(go(a)?, *to)?,
        Expr::Call(Function::Coalesce, list) => {
            for part in list {
                let value = go(part)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Value::Null
        }
        Expr::Call(function, list) => {
            let values: Vec<_> = list.iter().map(go).collect::<Result<_, _>>()?;
            function.call(&values)?
        }
    })
}

/// Whether a row passes.
pub(crate) fn passes(
    expr: &Expr,
    row: &[Value],
    parameters: &[Value],
) -> Result<bool, EngineError> {
    Ok(truth(&eval(expr, row, parameters)?)? == Some(true))
}

fn truth(value: &Value) -> Result<Option<bool>, EngineError> {
    match value {
        Value::Bool(b) => Ok(Some(*b)),
        Value::Null => Ok(None),
        other => Err(EngineError::Compute(format!(
            "a condition is true or false, this is {} {other}",
            other.kind()
        ))),
    }
}

pub(crate) fn compared(op: Compare, a: &Value, b: &Value) -> Value {
    a.compare(b)
        .map_or(Value::Null, |order| Value::Bool(op.holds(order)))
}

pub(crate) fn arithmetic(op: Arithmetic, a: &Value, b: &Value) -> Result<Value, EngineError> {
    let zero = || EngineError::Compute("division by zero".to_owned());
    let divides = matches!(op, Arithmetic::Div | Arithmetic::Rem);
    Ok(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Int(a), Value::Int(b)) => {
            if divides && *b == 0 {
                return Err(zero());
            }
            let result = match op {
                Arithmetic::Add => a.checked_add(*b),
                Arithmetic::Sub => a.checked_sub(*b),
                Arithmetic::Mul => a.checked_mul(*b),
                Arithmetic::Div => a.checked_div(*b),
                Arithmetic::Rem => Some(a.wrapping_rem(*b)),
            };
            Value::Int(result.ok_or_else(range)?)
        }
        (Value::Float(_), Value::Int(_) | Value::Dec(_) | Value::Float(_))
        | (Value::Int(_) | Value::Dec(_), Value::Float(_)) => {
            let (a, b) = (float(a), float(b));
            if divides && b == 0.0 {
                return Err(zero());
            }
            let result = match op {
                Arithmetic::Add => a + b,
                Arithmetic::Sub => a - b,
                Arithmetic::Mul => a * b,
                Arithmetic::Div => a / b,
                Arithmetic::Rem => {
                    return Err(EngineError::Compute(
                        "% is not defined for floats: cast to numeric".to_owned(),
                    ));
                }
            };
            if !result.is_finite() {
                return Err(range());
            }
            Value::Float(result)
        }
        (Value::Int(_) | Value::Dec(_), Value::Int(_) | Value::Dec(_)) => {
            let (a, b) = (decimal(a), decimal(b));
            if divides && b.is_zero() {
                return Err(zero());
            }
            let result = match op {
                Arithmetic::Add => a.checked_add(b),
                Arithmetic::Sub => a.checked_sub(b),
                Arithmetic::Mul => a.checked_mul(b),
                Arithmetic::Div => a.checked_div(b),
                Arithmetic::Rem => a.checked_rem(b),
            };
            Value::Dec(result.ok_or_else(range)?)
        }
        (Value::Int(_) | Value::Dec(_) | Value::Float(_), other) | (other, _) => {
            return Err(not_a_number(other));
        }
    })
}

fn decimal(value: &Value) -> Decimal {
    match value {
        Value::Int(i) => (*i).into(),
        Value::Dec(d) => *d,
        _ => 0.into(),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Int(i) => *i as f64,
        Value::Dec(d) => d.to_f64(),
        Value::Float(f) => *f,
        _ => 0.0,
    }
}

/// A cast as PostgreSQL does it.
pub(crate) fn cast(value: Value, to: Cast) -> Result<Value, EngineError> {
    let wrong = |value: &Value, to: Type| {
        EngineError::Compute(format!(
            "{} {:?} is no {to}",
            value.kind(),
            value.to_string()
        ))
    };
    let to = match to {
        Cast::To(to) => to,
        Cast::Scale(places) => {
            return match cast(value, Cast::To(Type::Dec))? {
                Value::Dec(d) => d.round(places).map(Value::Dec).ok_or_else(range),
                other => Ok(other),
            };
        }
        Cast::Length(len) => {
            return Ok(match cast(value, Cast::To(Type::Text))? {
                Value::Text(text) => Value::from(text.chars().take(len).collect::<String>()),
                other => other,
            });
        }
    };
    Ok(match (to, value) {
        (_, Value::Null) => Value::Null,
        (Type::Text, Value::Bool(b)) => Value::from(if b { "true" } else { "false" }),
        (Type::Text, value) => Value::from(value.to_string()),
        (Type::Int, Value::Int(i)) => Value::Int(i),
        (Type::Int, Value::Bool(b)) => Value::Int(i64::from(b)),
        (Type::Int, Value::Dec(d)) => Value::Int(
            d.round(0)
                .and_then(Decimal::to_i64_exact)
                .ok_or_else(range)?,
        ),
        (Type::Int, Value::Float(f)) => {
            let rounded = f.round_ties_even();
            if !(-9.2e18..9.2e18).contains(&rounded) {
                return Err(range());
            }
            Value::Int(rounded as i64)
        }
        (Type::Int, Value::Text(t)) => Value::Int(
            t.trim()
                .parse()
                .map_err(|_| wrong(&Value::Text(t.clone()), to))?,
        ),
        (Type::Dec, Value::Int(i)) => Value::Dec(i.into()),
        (Type::Dec, Value::Dec(d)) => Value::Dec(d),
        (Type::Dec, Value::Float(f)) => Value::Dec(Decimal::from_f64(f).ok_or_else(range)?),
        (Type::Dec, Value::Text(t)) => {
            Value::Dec(Decimal::parse(t.trim()).ok_or_else(|| wrong(&Value::Text(t.clone()), to))?)
        }
        (Type::Float, Value::Text(t)) => {
            let parsed: Option<f64> = t.trim().parse().ok().filter(|f: &f64| f.is_finite());
            Value::Float(parsed.ok_or_else(|| wrong(&Value::Text(t.clone()), to))?)
        }
        (Type::Float, value @ (Value::Int(_) | Value::Dec(_) | Value::Float(_))) => {
            Value::Float(float(&value))
        }
        (Type::Bool, Value::Bool(b)) => Value::Bool(b),
        (Type::Bool, Value::Int(i)) => Value::Bool(i != 0),
        (Type::Bool, Value::Text(t)) => match t.trim().to_ascii_lowercase().as_str() {
            "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Value::Bool(true),
            "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => {
                Value::Bool(false)
            }
            _ => return Err(wrong(&Value::Text(t.clone()), to)),
        },
        (Type::Json, Value::Text(t)) => Value::from_json(&t)?,
        (Type::Json, value) => value,
        (to, value) => return Err(wrong(&value, to)),
    })
}

/// `LIKE` in time proportional to text times pattern: after a mismatch only the last `%` is tried again.
/// Characters that one pattern is compared with at most, in all its attempts: a tenth of a second. Text and pattern can be
/// megabytes long, and a pattern of many `%` is tried at every place.
const LIKE_STEPS: u64 = 1 << 26;

fn like(text: &str, pattern: &str, escape: Option<char>) -> Result<bool, EngineError> {
    enum Piece {
        Any,
        One,
        Char(char),
    }
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            c if Some(c) == escape => Piece::Char(chars.next().ok_or_else(|| {
                EngineError::Compute("LIKE pattern must not end with escape character".to_owned())
            })?),
            '%' => Piece::Any,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut t, mut p) = (0, 0);
    let mut retry = None;
    let mut steps = 0;
    while t < text.len() {
        steps += 1;
        if steps > LIKE_STEPS {
            return Err(EngineError::Compute(
                "LIKE compares too much: shorten the pattern, or the text by substr".to_owned(),
            ));
        }
        match pieces.get(p) {
            Some(Piece::Any) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(Piece::One) => {
                t += 1;
                p += 1;
            }
            Some(Piece::Char(c)) if *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match &mut retry {
                Some((any, from)) => {
                    *from += 1;
                    t = *from;
                    p = *any + 1;
                }
                None => return Ok(false),
            },
        }
    }
    Ok(pieces[p..].iter().all(|piece| matches!(piece, Piece::Any)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_matches_as_in_postgresql() {
        for (text, pattern, found) in [
            ("abc", "a%", true),
            ("abc", "%b%", true),
            ("abc", "a_c", true),
            ("abc", "a_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("", "_", false),
            ("éa", "_a", true),
            ("aaab", "%a%ab", true),
        ] {
            assert_eq!(
                like(text, pattern, Some('\\')).unwrap(),
                found,
                "{text} {pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_made_to_hang_does_not() {
        let text = "a".repeat(20_000);
        assert!(!like(&text, &format!("{}b", "%a".repeat(50)), None).unwrap());
    }
}
