//! JSON to jaq's values and back, within bounds.

use jaq_json::{Map, Num, Val};
use serde_json::{Number, Value};

/// Deepest value that passes in either direction.
const MAX_DEPTH: usize = 256;

pub(super) fn of(value: &Value) -> Result<Val, String> {
    inward(value, 0)
}

pub(super) fn from(value: &Val) -> Result<Value, String> {
    outward(value, 0)
}

fn too_deep() -> String {
    format!("the data is nested more than {MAX_DEPTH} deep")
}

fn inward(value: &Value, depth: usize) -> Result<Val, String> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(match value {
        Value::Null => Val::Null,
        Value::Bool(truth) => Val::Bool(*truth),
        Value::Number(number) => Val::Num(number_in(number)),
        Value::String(text) => Val::utf8_str(text.clone()),
        Value::Array(items) => Val::Arr(
            items
                .iter()
                .map(|item| inward(item, depth + 1))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
        ),
        Value::Object(fields) => Val::obj(
            fields
                .iter()
                .map(|(name, field)| Ok((Val::utf8_str(name.clone()), inward(field, depth + 1)?)))
                .collect::<Result<Map, String>>()?,
        ),
    })
}

fn number_in(number: &Number) -> Num {
    match (number.as_i64(), number.as_f64()) {
        (Some(int), _) => Num::from_integral(int),
        (None, Some(float)) if number.is_f64() => Num::Float(float),
        _ => Num::from_integral(number.as_u64().unwrap_or_default()),
    }
}

fn outward(value: &Val, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(truth) => Value::Bool(*truth),
        Val::Num(number) => number_out(number),
        Val::TStr(text) | Val::BStr(text) => {
            Value::String(String::from_utf8_lossy(text).into_owned())
        }
        Val::Arr(items) => Value::Array(
            items
                .iter()
                .map(|item| outward(item, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Val::Obj(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| {
                    let name = match name {
                        Val::TStr(text) => String::from_utf8_lossy(text).into_owned(),
                        other => other.to_string(),
                    };
                    Ok((name, outward(field, depth + 1)?))
                })
                .collect::<Result<_, String>>()?,
        ),
    })
}

/// Infinities and not-a-number become null, as jq prints them.
fn number_out(number: &Num) -> Value {
    let float = |float: f64| Number::from_f64(float).map_or(Value::Null, Value::Number);
    match number {
        Num::Int(int) => Value::from(*int as i64),
        Num::Float(value) => float(*value),
        Num::BigInt(_) | Num::Dec(_) => {
            let text = number.to_string();
            match (
                text.parse::<i64>(),
                text.parse::<u64>(),
                text.parse::<f64>(),
            ) {
                (Ok(int), ..) => int.into(),
                (_, Ok(int), _) => int.into(),
                (.., Ok(value)) => float(value),
                _ => Value::Null,
            }
        }
    }
}
