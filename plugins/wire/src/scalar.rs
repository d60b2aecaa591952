//! The two scalars of every vendor's JSON, read the way a stream needs them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A string that borrows from the input wherever it holds no escape. (An `Option<Cow<str>>` never borrows.)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

/// A number of tokens. Whatever is not a number that can be one counts as zero: a wrong usage report must not lose an
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count(pub u64);

struct TextVisitor;
struct CountVisitor;

impl Text<'_> {
    /// The string itself.
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor).map(Count)
    }
}

impl<'de> Visitor<'de> for CountVisitor {
    type Value = u64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number of tokens")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<u64, E> {
        Ok(count)
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<u64, E> {
        Ok(count.max(0).unsigned_abs())
    }

    fn visit_f64<E: Error>(self, count: f64) -> Result<u64, E> {
        // `as` saturates, and turns what is not a number into zero.
        Ok(count as u64)
    }

    fn visit_unit<E: Error>(self) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut sequence: A) -> Result<u64, A::Error> {
        while sequence.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(0)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<u64, A::Error> {
        while map
            .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
            .is_some()
        {}
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_without_escapes_is_borrowed_even_inside_an_option() {
        let text: Option<Text<'_>> = serde_json::from_str(r#""plain – ünïcode""#).unwrap();
        assert!(matches!(text, Some(Text(Cow::Borrowed("plain – ünïcode")))));
        let text: Option<Text<'_>> = serde_json::from_str(r#""a \"quote\" \u00e9""#).unwrap();
        assert_eq!(&*text.unwrap(), "a \"quote\" é");
    }

    #[test]
    fn a_usage_that_is_no_number_of_tokens_counts_as_zero() {
        let counts: Vec<Count> =
            serde_json::from_str(r#"[7, -3, 2.9, 1e300, null, "12", true, [1, 2], {"a": {}}]"#)
                .unwrap();
        let counts: Vec<u64> = counts.into_iter().map(|count| count.0).collect();
        assert_eq!(counts, [7, 0, 2, u64::MAX, 0, 0, 0, 0, 0]);
    }
}
