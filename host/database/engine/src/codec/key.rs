//! Keys whose byte order is the order of the values.
//!
//! One byte of class, then: a number as sign, decimal exponent and pairs of digits, so that 1, 1.0 and a float 1 have
//! the same key and all kinds sort together exactly; a text with its zeros escaped and an end mark, so that a shorter
//! text sorts first and columns can follow one another. Null has the last class: PostgreSQL sorts it behind everything.
//!
//! What the order must not see (how many zeros a decimal had, that a number was a float) goes into a *hint* byte for each
//! column, kept in the entry's value, so that an index can give the exact value back without the row.

use std::sync::Arc;

use crate::value::{Decimal, Value};

const BOOL: u8 = 0x10;
const NUMBER: u8 = 0x30;
const TEXT: u8 = 0x50;
const JSON: u8 = 0x60;
const NULL: u8 = 0xf0;

const NEGATIVE: u8 = 0;
const ZERO: u8 = 1;
const POSITIVE: u8 = 2;
const EXPONENT_BIAS: i32 = 0x4000;

/// The kind the plain key decodes to is right.
const HINT_PLAIN: u8 = 0;
const HINT_FLOAT: u8 = 1;
/// A decimal of scale n is `HINT_DECIMAL + n`.
const HINT_DECIMAL: u8 = 2;

/// The first byte of all keys of the value's class, and the first byte after them.
pub(crate) fn class_bounds(value: &Value) -> (u8, u8) {
    let class = match value {
        Value::Bool(_) => BOOL,
        Value::Int(_) | Value::Dec(_) | Value::Float(_) => NUMBER,
        Value::Text(_) => TEXT,
        Value::Json(_) => JSON,
        Value::Null => NULL,
    };
    (class, class + 1)
}

/// Appends the key of a value.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(b) => out.extend([BOOL, u8::from(*b)]),
        Value::Int(i) => {
            let mut digits = [0u8; 20];
            let len = write_digits(u128::from(i.unsigned_abs()), &mut digits);
            write_number(*i < 0, &digits[..len], len as i32, out);
        }
        Value::Dec(d) => {
            let mut digits = [0u8; 40];
            let len = write_digits(d.mantissa().unsigned_abs(), &mut digits);
            let point = len as i32 - i32::from(d.scale());
            write_number(d.mantissa() < 0, &digits[..len], point, out);
        }
        Value::Float(f) => {
            let text = format!("{:e}", f.abs());
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let digits: Vec<u8> = mantissa
                .bytes()
                .filter(|b| *b != b'.')
                .map(|b| b - b'0')
                .collect();
            let point = exponent.parse::<i32>().unwrap_or(0) + 1;
            write_number(*f < 0.0, &digits, point, out);
        }
        Value::Text(text) => write_text(TEXT, text.as_bytes(), out),
        Value::Json(text) => write_text(JSON, text.as_bytes(), out),
    }
}

/// What the key does not tell about the value.
pub(crate) fn hint(value: &Value) -> u8 {
    match value {
        Value::Float(_) => HINT_FLOAT,
        Value::Dec(d) => HINT_DECIMAL + d.scale(),
        _ => HINT_PLAIN,
    }
}

/// Reads one value from the front; `None` when the bytes are no key.
pub(crate) fn read(bytes: &mut &[u8], hint: u8) -> Option<Value> {
    let (class, rest) = bytes.split_first()?;
    *bytes = rest;
    match *class {
        NULL => Some(Value::Null),
        BOOL => Some(Value::Bool(take(bytes)? != 0)),
        NUMBER => read_number(bytes, hint),
        TEXT => Some(Value::Text(read_text(bytes)?)),
        JSON => Some(Value::Json(read_text(bytes)?)),
        _ => None,
    }
}

/// Passes over one value.
pub(crate) fn skip(bytes: &mut &[u8]) -> Option<()> {
    match take(bytes)? {
        NULL => {}
        BOOL => {
            take(bytes)?;
        }
        NUMBER => {
            let sign = take(bytes)?;
            if sign != ZERO {
                take(bytes)?;
                take(bytes)?;
                let end = if sign == NEGATIVE { 0xff } else { 0 };
                while take(bytes)? != end {}
            }
        }
        TEXT | JSON => loop {
            if take(bytes)? == 0 && take(bytes)? == 1 {
                break;
            }
        },
        _ => return None,
    }
    Some(())
}

fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Digits, greatest first, without leading zeros; returns how many.
fn write_digits(mut value: u128, out: &mut [u8]) -> usize {
    let mut reversed = [0u8; 40];
    let mut len = 0;
    // Most numbers are short, and 64-bit division is several times cheaper.
    while value > u128::from(u64::MAX) {
        reversed[len] = (value % 10) as u8;
        value /= 10;
        len += 1;
    }
    let mut small = value as u64;
    while small > 0 {
        reversed[len] = (small % 10) as u8;
        small /= 10;
        len += 1;
    }
    for (index, digit) in reversed[..len].iter().rev().enumerate() {
        out[index] = *digit;
    }
    len
}

/// `0.d1d2d3… * 10^point`.
fn write_number(negative: bool, digits: &[u8], point: i32, out: &mut Vec<u8>) {
    out.push(NUMBER);
    let leading = digits.iter().take_while(|d| **d == 0).count();
    let digits = &digits[leading..];
    let used = digits.len() - digits.iter().rev().take_while(|d| **d == 0).count();
    if used == 0 {
        out.push(ZERO);
        return;
    }
    let flip = if negative { 0xff } else { 0 };
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let exponent = (point - leading as i32 + EXPONENT_BIAS) as u16;
    out.extend(exponent.to_be_bytes().map(|b| b ^ flip));
    for pair in digits[..used].chunks(2) {
        let pair = pair[0] * 10 + pair.get(1).copied().unwrap_or(0) + 1;
        out.push(pair ^ flip);
    }
    out.push(flip);
}

fn read_number(bytes: &mut &[u8], hint: u8) -> Option<Value> {
    let sign = take(bytes)?;
    let (mut mantissa, mut count, mut exponent) = (0i128, 0i32, 0i32);
    let mut overflow = false;
    let mut text = String::new();
    if sign != ZERO {
        let flip = if sign == NEGATIVE { 0xff } else { 0 };
        let high = take(bytes)? ^ flip;
        let low = take(bytes)? ^ flip;
        exponent = i32::from(u16::from_be_bytes([high, low])) - EXPONENT_BIAS;
        loop {
            let pair = take(bytes)? ^ flip;
            if pair == 0 {
                break;
            }
            if hint == HINT_FLOAT {
                text.push_str(&format!("{:02}", pair - 1));
            } else {
                let next = mantissa
                    .checked_mul(100)
                    .and_then(|m| m.checked_add(i128::from(pair - 1)));
                overflow |= next.is_none();
                mantissa = next.unwrap_or(0);
            }
            count += 2;
        }
    }
    let negative = sign == NEGATIVE;
    if hint == HINT_FLOAT {
        let value: f64 = if sign == ZERO {
            0.0
        } else {
            format!("0.{text}e{exponent}").parse().ok()?
        };
        return Some(Value::Float(if negative { -value } else { value }));
    }
    // The last pair may carry a zero that makes 39 digits of 38.
    if overflow {
        return None;
    }
    let mut scale = count - exponent;
    let wanted = if hint >= HINT_DECIMAL {
        i32::from(hint - HINT_DECIMAL)
    } else {
        0
    };
    while scale > wanted {
        if mantissa % 10 != 0 {
            break;
        }
        mantissa /= 10;
        scale -= 1;
    }
    while scale < wanted {
        mantissa = mantissa.checked_mul(10)?;
        scale += 1;
    }
    let mantissa = if negative { -mantissa } else { mantissa };
    if hint == HINT_PLAIN
        && scale == 0
        && let Ok(int) = i64::try_from(mantissa)
    {
        return Some(Value::Int(int));
    }
    Decimal::new(mantissa, u8::try_from(scale).ok()?).map(Value::Dec)
}

fn write_text(class: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(class);
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 1]);
}

fn read_text(bytes: &mut &[u8]) -> Option<Arc<str>> {
    let mut out = Vec::new();
    loop {
        match take(bytes)? {
            0 => match take(bytes)? {
                1 => break,
                _ => out.push(0),
            },
            byte => out.push(byte),
        }
    }
    std::str::from_utf8(&out).ok().map(Arc::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1000i64..1000).prop_map(Value::Int),
            (any::<i64>(), 0u8..25)
                .prop_map(|(m, s)| Value::Dec(Decimal::new(m.into(), s).unwrap())),
            (-5000i128..5000, 0u8..4).prop_map(|(m, s)| Value::Dec(Decimal::new(m, s).unwrap())),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(Value::Float),
            (-50i32..50).prop_map(|i| Value::Float(f64::from(i) / 4.0)),
            "[a-c\0\u{1}\u{ff}]{0,6}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ]
    }

    fn key(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|v| write(v, &mut out));
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn keys_sort_as_their_values(a in prop::collection::vec(any_value(), 1..4), b in prop::collection::vec(any_value(), 1..4)) {
            let by_value = a.iter().zip(&b).map(|(a, b)| a.order(b)).find(|o| o.is_ne()).unwrap_or(a.len().cmp(&b.len()));
            prop_assert_eq!(key(&a).cmp(&key(&b)), by_value);
        }

        #[test]
        fn a_key_with_its_hint_gives_the_value_back(values in prop::collection::vec(any_value(), 1..5)) {
            let bytes = key(&values);
            let (mut rest, mut skipped) = (&bytes[..], &bytes[..]);
            for value in &values {
                let back = read(&mut rest, hint(value)).unwrap();
                // The sign of a zero is the one thing a key does not hold.
                let same = matches!((value, &back), (Value::Float(a), Value::Float(b)) if *a == 0.0 && *b == 0.0)
                    || (back.to_string() == value.to_string() && back.kind() == value.kind());
                prop_assert!(same, "{:?} came back as {:?}", value, back);
                skip(&mut skipped).unwrap();
                prop_assert_eq!(rest, skipped);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), hint in any::<u8>()) {
            let mut rest = &bytes[..];
            while read(&mut rest, hint).is_some() {}
            let mut rest = &bytes[..];
            while skip(&mut rest).is_some() {}
        }
    }
}
