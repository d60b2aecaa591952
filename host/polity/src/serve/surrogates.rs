//! Halves of characters in JSON.
//!
//! `"\ud800"` is JSON by its grammar and no text: it names one half of a character. What is only handed on would carry it
//! past the rules, which cannot read it, to a provider that may read it in any way.

use super::fault::{Fault, Kind};

/// Refuses a document with half a character in it.
pub(crate) fn check(json: &[u8]) -> Result<(), Fault> {
    match lone(json) {
        None => Ok(()),
        Some(at) => Err(Fault::new(
            Kind::Malformed,
            format!(
                "the body is not JSON: the escape at byte {at} is one half of a character; send both halves, or the \
                 character itself"
            ),
        )),
    }
}

/// Where the first escape stands that is one half of a character without the other.
fn lone(json: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = json.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += found;
        at += match unit(json, at) {
            Some(0xd800..=0xdbff) => match unit(json, at + 6) {
                Some(0xdc00..=0xdfff) => 12,
                _ => return Some(at),
            },
            Some(0xdc00..=0xdfff) => return Some(at),
            // An escaped backslash is not the beginning of another escape.
            _ => 2,
        };
    }
    None
}

/// The unit that an escape `\uXXXX` names.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_is_found_and_whole_ones_are_let_pass() {
        for whole in [
            r#""plain""#,
            r#""\ud83c\udfef""#,
            r#""\\ud800""#,
            r#""\u00e9\n\\""#,
            r#""\\\ud83c\udfef""#,
            r#""\"#,
            "",
        ] {
            assert_eq!(lone(whole.as_bytes()), None, "{whole}");
        }
        for (half, at) in [
            (r#""\ud800""#, 1),
            (r#""\uDC00""#, 1),
            (r#""a\ud83c\ud83c""#, 2),
            (r#""\ud83c\udfef\ud83c""#, 13),
            (r#""\\\ud800""#, 3),
            (r#""\ud800"#, 1),
        ] {
            assert_eq!(lone(half.as_bytes()), Some(at), "{half}");
        }
        assert!(check(br#"{"a": "\ud800"}"#).is_err());
    }
}
