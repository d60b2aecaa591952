//! Canonical JSON (RFC 8785), so that a constitution's digest depends on what its documents say and not on their white
//! space, the order of their fields or how a number is written.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// The canonical form of a JSON value: no white space, fields in the order of their UTF-16 code units, numbers as
/// ECMAScript prints them. Integers that do not fit a double keep their digits instead of being rounded, so two that
/// differ never share a form.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(out, fields),
    }
}

fn write_object(out: &mut String, fields: &Map<String, Value>) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(out, float),
        _ => {
            let _ = write!(out, "{number}");
        }
    }
}

/// ECMAScript's Number::toString, from the shortest digits that round-trip.
fn write_float(out: &mut String, float: f64) {
    if float == 0.0 {
        out.push('0');
        return;
    }
    let shortest = format!("{:e}", float.abs());
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return out.push_str(&shortest);
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // The decimal point stands after this many digits.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = digits.len() as i32;
    if float < 0.0 {
        out.push('-');
    }
    let zeros = |n: i32| "0".repeat(n.max(0) as usize);
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        out.push_str(&zeros(point - count));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point as usize);
        let _ = write!(out, "{whole}.{fraction}");
    } else if (-5..=0).contains(&point) {
        let _ = write!(out, "0.{}{digits}", zeros(-point));
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{:+}", point - 1);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> String {
        canonical(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn fields_are_sorted_by_utf16_code_units() {
        // U+10000 begins with the surrogate D800 and so sorts before U+FB33, against the order of code points.
        assert_eq!(
            of("{\"\u{fb33}\":1,\"\u{10000}\":2,\"b\":3,\"a\":4}"),
            "{\"a\":4,\"b\":3,\"\u{10000}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn numbers_print_as_in_ecmascript() {
        for (text, expected) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("333333333.33333329", "333333333.3333333"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("-1.5e-9", "-1.5e-9"),
            ("123456789012345680000.0", "123456789012345680000"),
            ("18446744073709551615", "18446744073709551615"),
            ("-3", "-3"),
            ("12.5e1", "125"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_must_be_escaped_is_escaped() {
        assert_eq!(
            canonical(&json!("\u{1}\n\"\\/é\u{7f}")),
            "\"\\u0001\\n\\\"\\\\/é\u{7f}\""
        );
    }

    #[test]
    fn white_space_and_order_do_not_matter() {
        assert_eq!(
            of("{ \"b\" : [1 , 2], \"a\": null }"),
            of("{\"a\":null,\"b\":[1,2]}")
        );
    }

    #[test]
    fn the_canonical_form_parses_to_an_equal_value() {
        let value = json!({"a": [1, 2.5, "x\ty", {"ä": true}], "": null});
        assert_eq!(
            serde_json::from_str::<Value>(&canonical(&value)).unwrap(),
            value
        );
    }
}
