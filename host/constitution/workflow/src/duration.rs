//! Durations as the specification writes them: ISO 8601 text or an object of units. All become milliseconds; a year counts
//! 365 days and a month 30, since a duration has no calendar to look in.

use serde_json::Value;

const SECOND: f64 = 1_000.0;
const DAY: f64 = 86_400.0 * SECOND;
/// About 285 years, and far from every overflow.
const MAX_MS: f64 = 9.0e12;

/// The milliseconds of a duration.
///
/// # Errors
/// One sentence, where it is none.
pub fn milliseconds(value: &Value) -> Result<u64, String> {
    let total = match value {
        Value::String(text) => iso(text)?,
        Value::Object(fields) => {
            let mut total = 0.0;
            for (unit, count) in fields {
                let of_unit = match unit.as_str() {
                    "days" => DAY,
                    "hours" => 3_600.0 * SECOND,
                    "minutes" => 60.0 * SECOND,
                    "seconds" => SECOND,
                    "milliseconds" => 1.0,
                    _ => return Err(format!("\"{unit}\" is no unit of a duration")),
                };
                let count = count
                    .as_f64()
                    .ok_or_else(|| format!("the {unit} of a duration must be a number"))?;
                total += of_unit * count;
            }
            total
        }
        other => {
            return Err(format!(
                "{other} is no duration: write PT30S or {{\"seconds\": 30}}"
            ));
        }
    };
    if !(0.0..=MAX_MS).contains(&total) {
        return Err("a duration lies between 0 and 285 years".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Ok(total.round() as u64)
}

fn iso(text: &str) -> Result<f64, String> {
    let wrong = || format!("\"{text}\" is no ISO 8601 duration: write it like P1DT2H or PT30S");
    let body = text.strip_prefix('P').ok_or_else(wrong)?;
    let (mut total, mut digits, mut time, mut parts) = (0.0, String::new(), false, 0);
    for c in body.chars() {
        let unit = match (c, time) {
            ('0'..='9' | '.', _) => {
                digits.push(c);
                continue;
            }
            ('T', false) if digits.is_empty() => {
                time = true;
                continue;
            }
            ('Y', false) => 365.0 * DAY,
            ('M', false) => 30.0 * DAY,
            ('W', false) => 7.0 * DAY,
            ('D', false) => DAY,
            ('H', true) => 3_600.0 * SECOND,
            ('M', true) => 60.0 * SECOND,
            ('S', true) => SECOND,
            _ => return Err(wrong()),
        };
        total += unit * digits.parse::<f64>().map_err(|_| wrong())?;
        digits.clear();
        parts += 1;
    }
    if parts == 0 || !digits.is_empty() {
        return Err(wrong());
    }
    Ok(total)
}

/// A duration as a person says it: `2 days`, `90 minutes`, `1.5 s`.
pub(crate) fn in_words(ms: u64) -> String {
    let units = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    for (unit, name) in units {
        if ms >= unit && ms.is_multiple_of(unit) {
            let count = ms / unit;
            return format!("{count} {name}{}", if count == 1 { "" } else { "s" });
        }
    }
    format!("{ms} ms")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_count_the_same() {
        for (value, ms) in [
            (json!("PT30S"), 30_000),
            (json!("P1DT2H"), 93_600_000),
            (json!("PT0.5S"), 500),
            (json!("P1W"), 604_800_000),
            (json!({"days": 1, "hours": 2}), 93_600_000),
            (json!({"milliseconds": 7}), 7),
        ] {
            assert_eq!(milliseconds(&value), Ok(ms), "{value}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for value in [
            json!("30s"),
            json!("P"),
            json!("PT"),
            json!("P1"),
            json!("PT1D"),
            json!({"weeks": 1}),
            json!(5),
            json!({"seconds": -1}),
            json!("P99999Y"),
            json!({"days": "1"}),
            json!("PT1.2.3S"),
        ] {
            assert!(milliseconds(&value).is_err(), "{value}");
        }
    }
}
