//! What a value is. Kinds form a lattice, so that two of them have one least kind that holds both.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds of values, the narrow ones before the wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// Any other number.
    Number,
    /// `2026-11-23`.
    Date,
    /// `2026-11-23T10:00:00Z`, or with a space and without a zone.
    Timestamp,
    /// A UUID in its usual form.
    Uuid,
    /// Something that looks like a mail address.
    Email,
    /// `http://…` or `https://…`.
    Url,
    /// Any other text.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Kind; 12] = [
        Kind::Null,
        Kind::Bool,
        Kind::Integer,
        Kind::Number,
        Kind::Date,
        Kind::Timestamp,
        Kind::Uuid,
        Kind::Email,
        Kind::Url,
        Kind::Text,
        Kind::Array,
        Kind::Object,
    ];

    /// The kind of a value.
    pub fn of(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Number(number) if number.is_i64() || number.is_u64() => Kind::Integer,
            Value::Number(_) => Kind::Number,
            Value::String(text) => Kind::of_text(text),
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    /// The narrowest kind of a text.
    pub fn of_text(text: &str) -> Kind {
        let bytes = text.as_bytes();
        match bytes.len() {
            10 if is_date(bytes) => Kind::Date,
            19..=35 if is_timestamp(bytes) => Kind::Timestamp,
            36 if is_uuid(bytes) => Kind::Uuid,
            _ if text.starts_with("https://") || text.starts_with("http://") => Kind::Url,
            3..=254 if is_email(text) => Kind::Email,
            _ => Kind::Text,
        }
    }

    /// Whether a value is written as a JSON string.
    pub fn is_textual(self) -> bool {
        matches!(
            self,
            Kind::Date | Kind::Timestamp | Kind::Uuid | Kind::Email | Kind::Url | Kind::Text
        )
    }
}

/// `dddd-dd-dd` with a month and a day that exist.
fn is_date(bytes: &[u8]) -> bool {
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    let two = |at: usize| (bytes[at] - b'0') * 10 + bytes[at + 1] - b'0';
    digits(0..4)
        && bytes[4] == b'-'
        && digits(5..7)
        && bytes[7] == b'-'
        && digits(8..10)
        && (1..=12).contains(&two(5))
        && (1..=31).contains(&two(8))
}

fn is_timestamp(bytes: &[u8]) -> bool {
    let rest = &bytes[10..];
    let time = |at: usize, limit: u8| {
        rest[at].is_ascii_digit()
            && rest[at + 1].is_ascii_digit()
            && (rest[at] - b'0') * 10 + rest[at + 1] - b'0' < limit
    };
    is_date(&bytes[..10])
        && matches!(rest[0], b'T' | b't' | b' ')
        && time(1, 24)
        && rest[3] == b':'
        && time(4, 60)
        && rest[6] == b':'
        && time(7, 61)
        && rest[9..].iter().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z' | b'z')
        })
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !text.contains(char::is_whitespace)
            && !domain.contains('@')
            && domain
                .split_once('.')
                .is_some_and(|(name, top)| !name.is_empty() && !top.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_has_the_narrowest_kind_that_fits() {
        for (value, kind) in [
            (json!(null), Kind::Null),
            (json!(-3), Kind::Integer),
            (json!(u64::MAX), Kind::Integer),
            (json!(0.5), Kind::Number),
            (json!("1996-07-04"), Kind::Date),
            (json!("1996-13-04"), Kind::Text),
            (json!("2021-01-01 00:00:00"), Kind::Timestamp),
            (json!("2019-05-15T15:20:18.123+02:00"), Kind::Timestamp),
            (json!("2019-05-15T25:20:18Z"), Kind::Text),
            (json!("0195f3c4-8f10-7a3b-9c55-8f6f1a2b3c4d"), Kind::Uuid),
            (json!("ada@example.org"), Kind::Email),
            (json!("ada @example.org"), Kind::Text),
            (json!("@x.y"), Kind::Text),
            (json!("https://example.org"), Kind::Url),
            (json!(""), Kind::Text),
        ] {
            assert_eq!(Kind::of(&value), kind, "{value}");
        }
    }

    #[test]
    fn the_list_of_kinds_is_in_their_order() {
        assert!(Kind::ALL.is_sorted());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,60}") {
            prop_assert!(Kind::of_text(&text).is_textual());
        }

        #[test]
        fn nearly_a_date_is_no_panic(text in "[0-9é-]{8,12}[T ]?[0-9:.Zé+]{0,20}") {
            prop_assert!(Kind::of_text(&text).is_textual());
        }
    }
}
