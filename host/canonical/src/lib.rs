//! One spelling for each JSON value (RFC 8785), so that equal values have equal digests.
//!
//! One departure from the RFC: a whole number that fits 64 bits is written with all its digits, where the RFC would
//! round it to a double above 2^53. Amounts in micro-units must not be rounded. That is why this is not one of the
//! libraries that follow the RFC to the letter.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use serde_json::{Map, Number, Value};

/// The canonical text of a value.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Whether a value is nested at most `levels` deep.
pub fn is_within_depth(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => {
            levels > 0 && items.iter().all(|item| is_within_depth(item, levels - 1))
        }
        Value::Object(fields) => {
            levels > 0
                && fields
                    .values()
                    .all(|field| is_within_depth(field, levels - 1))
        }
        _ => true,
    }
}

/// Appends the canonical text of a value.
pub fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(fields, out),
    }
}

/// Appends a string in quotes. The only escapes are those of RFC 8785: `\"`, `\\`, the five short ones, and `\u00xx` for other control characters.
pub fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut written = 0;
    for (index, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0c => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[written..index]);
        written = index + 1;
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
}

fn write_object(fields: &Map<String, Value>, out: &mut String) {
    // The RFC sorts by UTF-16 units. The map sorts by bytes, or not at all if a dependency switched that off.
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn write_number(number: &Number, out: &mut String) {
    if let Some(whole) = number.as_u64() {
        out.push_str(&whole.to_string());
    } else if let Some(whole) = number.as_i64() {
        out.push_str(&whole.to_string());
    } else if let Some(float) = number.as_f64() {
        write_float(float, out);
    } else {
        out.push_str(&number.to_string());
    }
}

/// As ECMAScript writes a number: the shortest digits that read back as the same double, laid out by its exponent.
fn write_float(float: f64, out: &mut String) {
    if float == 0.0 {
        return out.push('0');
    }
    if float < 0.0 {
        out.push('-');
    }
    let scientific = format!("{:e}", float.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match point {
        1..=21 if length <= point => {
            out.push_str(&digits);
            out.push_str(&zeros(point - length));
        }
        1..=21 => {
            let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or(0));
            out.push_str(whole);
            out.push('.');
            out.push_str(rest);
        }
        -5..=0 => {
            out.push_str("0.");
            out.push_str(&zeros(-point));
            out.push_str(&digits);
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            out.push_str(first);
            if !rest.is_empty() {
                out.push('.');
                out.push_str(rest);
            }
            out.push('e');
            out.push(if point > 0 { '+' } else { '-' });
            out.push_str(&(point - 1).abs().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Any JSON value of moderate size.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |f| Number::from_f64(f).map(Value::Number)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn the_example_of_rfc_8785_comes_out_as_printed_there() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn names_are_sorted_by_utf_16_units() {
        // U+1F600 is above U+FB33 by code point, but its first UTF-16 unit is below.
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "1": 3, "\r": 4});
        assert_eq!(
            to_string(&value),
            "{\"\\r\":4,\"1\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn floats_are_written_as_ecmascript_does() {
        for (float, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (123.456, "123.456"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
        ] {
            let mut out = String::new();
            write_float(float, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn amounts_above_2_to_the_53_keep_all_their_digits() {
        assert_eq!(to_string(&json!(u64::MAX)), "18446744073709551615");
        assert_eq!(to_string(&json!(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn depth_counts_containers() {
        assert!(is_within_depth(&json!(1), 0));
        assert!(is_within_depth(&json!([[1]]), 2));
        assert!(!is_within_depth(&json!([{"a": [1]}]), 2));
    }

    proptest! {
        #[test]
        fn canonical_text_is_json_and_a_fixed_point(value in any_json()) {
            let text = to_string(&value);
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(to_string(&read), text);
        }

        #[test]
        fn canonical_text_keeps_the_value(value in any_json()) {
            let read: Value = serde_json::from_str(&to_string(&value)).unwrap();
            prop_assert!(same(&read, &value), "{read} is not {value}");
        }
    }

    /// Equality that does not tell 1.0 from 1: canonical JSON has one spelling for both.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
            }
            (a, b) => a == b,
        }
    }
}
