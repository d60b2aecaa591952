//! Values from JSON and to JSON. JSON has no dates, so that a column's type says what a string is to be read as.

use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value as Json};

use super::{Date, DateTime, DaysDuration, Kind, MonthsDuration, Time, Value};

impl Value {
    /// Reads a JSON value as a value of a kind; nothing where it is of another kind, or a number too long to be exact.
    pub fn from_json(json: &Json, kind: Kind) -> Option<Self> {
        match (json, kind) {
            (Json::Null, _) => Some(Self::Null),
            (Json::Bool(value), Kind::Boolean | Kind::Any) => Some(Self::Boolean(*value)),
            (Json::Number(number), Kind::Number | Kind::Any) => decimal(number).map(Self::Number),
            (Json::Number(number), Kind::Integer) => decimal(number)
                .filter(Decimal::is_integer)
                .map(Self::Number),
            (Json::String(text), kind) => Self::from_text(text, kind),
            (Json::Array(items), Kind::List | Kind::Any) => items
                .iter()
                .map(|item| Self::from_json(item, Kind::Any))
                .collect::<Option<Vec<_>>>()
                .map(|items| Self::List(items.into())),
            (Json::Object(fields), Kind::Context | Kind::Any) => fields
                .iter()
                .map(|(name, value)| {
                    Some((Arc::from(name.as_str()), Self::from_json(value, Kind::Any)?))
                })
                .collect::<Option<_>>()
                .map(|fields| Self::Context(Arc::new(fields))),
            _ => None,
        }
    }

    /// Reads a text as a value of a kind that is written as text.
    pub fn from_text(text: &str, kind: Kind) -> Option<Self> {
        match kind {
            Kind::String | Kind::Any => Some(Self::string(text)),
            Kind::Date => Date::parse(text).map(Self::Date),
            Kind::Time => Time::parse(text).map(Self::Time),
            Kind::DateTime => DateTime::parse(text).map(Self::DateTime),
            Kind::Days => DaysDuration::parse(text).map(Self::Days),
            Kind::Months => MonthsDuration::parse(text).map(Self::Months),
            _ => None,
        }
    }

    /// As JSON. Numbers that a double cannot hold exactly stay exact only to 17 digits; dates and durations become text.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or(Json::Null)
    }
}

/// The number as it was written, if 28 digits hold it. Shortest round-trip printing gives back what stood in the text.
fn decimal(number: &Number) -> Option<Decimal> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    let text = number.to_string();
    exact(&text)
}

/// Reads decimal or scientific notation; nothing where digits would be lost.
pub(crate) fn exact(text: &str) -> Option<Decimal> {
    match text.split_once(['e', 'E']) {
        None => Decimal::from_str_exact(text).ok(),
        Some((mantissa, exponent)) => {
            let exponent = i32::from_str(exponent)
                .ok()
                .filter(|exponent| exponent.abs() <= 28)?;
            let mantissa = Decimal::from_str_exact(mantissa).ok()?;
            let mut scale = Decimal::ONE;
            for _ in 0..exponent.abs() {
                scale = scale.checked_mul(Decimal::TEN)?;
            }
            if exponent < 0 {
                let scaled = mantissa.checked_div(scale)?;
                (scaled.checked_mul(scale)? == mantissa).then_some(scaled)
            } else {
                mantissa.checked_mul(scale)
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Number(value) => {
                let value = value.normalize();
                if let Ok(whole) = i64::try_from(value).and_then(|whole| {
                    if value.is_integer() {
                        Ok(whole)
                    } else {
                        Err(rust_decimal::Error::ConversionTo("i64".into()))
                    }
                }) {
                    return serializer.serialize_i64(whole);
                }
                let nearest = value.to_string().parse::<f64>().unwrap_or(f64::NAN);
                serializer.serialize_f64(nearest)
            }
            Self::String(text) => serializer.serialize_str(text),
            Self::Date(value) => serializer.collect_str(value),
            Self::Time(value) => serializer.collect_str(value),
            Self::DateTime(value) => serializer.collect_str(value),
            Self::Days(value) => serializer.collect_str(value),
            Self::Months(value) => serializer.collect_str(value),
            Self::Range(_) => serializer.collect_str(self),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Context(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields.iter() {
                    map.serialize_entry(&**name, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decimals_are_what_was_written() {
        let sum = |a: &Json, b: &Json| match (
            Value::from_json(a, Kind::Number),
            Value::from_json(b, Kind::Number),
        ) {
            (Some(Value::Number(a)), Some(Value::Number(b))) => a + b,
            other => panic!("{other:?}"),
        };
        assert_eq!(sum(&json!(0.1), &json!(0.2)).to_string(), "0.3");
        assert_eq!(
            Value::from_json(&json!(1e-7), Kind::Number),
            exact("0.0000001").map(Value::Number)
        );
        assert_eq!(Value::from_json(&json!(1e300), Kind::Number), None);
        assert_eq!(Value::from_json(&json!(1.5), Kind::Integer), None);
    }

    #[test]
    fn a_value_of_another_kind_is_no_value() {
        assert_eq!(Value::from_json(&json!("10"), Kind::Number), None);
        assert_eq!(Value::from_json(&json!(10), Kind::String), None);
        assert_eq!(Value::from_json(&json!("2026-02-30"), Kind::Date), None);
        assert_eq!(Value::from_json(&json!("true"), Kind::Boolean), None);
    }

    #[test]
    fn what_was_read_is_written_back() {
        for (json, kind) in [
            (json!(12.5), Kind::Number),
            (json!(7), Kind::Integer),
            (json!("2026-11-23"), Kind::Date),
            (json!("P1Y"), Kind::Months),
            (json!({"a": [1, null, true]}), Kind::Any),
        ] {
            assert_eq!(Value::from_json(&json, kind).unwrap().to_json(), json);
        }
    }
}
