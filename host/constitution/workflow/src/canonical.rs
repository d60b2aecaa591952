//! Canonical JSON (RFC 8785), so that the digest of a workflow depends on what it says: fields in the order of their
//! UTF-16 code units, no white space, numbers as ECMAScript prints them.

use serde_json::{Number, Value};

/// The canonical form of a value.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Number(number) => out.push_str(&digits(number)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (name, field)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(out, field);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Whole numbers keep their digits, others print as ECMAScript's Number::toString does.
fn digits(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    if float == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{:e}", float.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(0);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let split = |at: i32| digits.split_at(usize::try_from(at).unwrap_or(0));
    let body = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = split(point);
        format!("{whole}.{fraction}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = split(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{:+}", point - 1)
    };
    if float < 0.0 {
        format!("-{body}")
    } else {
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_the_rfc() {
        for (text, form) in [
            (
                "{ \"b\" : [1.0 , 2e21], \"a\": null }",
                "{\"a\":null,\"b\":[1,2e+21]}",
            ),
            (
                "{\"\u{fb33}\":1,\"\u{10000}\":2}",
                "{\"\u{10000}\":2,\"\u{fb33}\":1}",
            ),
            (
                "[0.000001, 1e-7, -0.0, 333333333.33333329, -4.50, 18446744073709551615]",
                "[0.000001,1e-7,0,333333333.3333333,-4.5,18446744073709551615]",
            ),
        ] {
            assert_eq!(canonical(&serde_json::from_str(text).unwrap()), form);
        }
    }
}
