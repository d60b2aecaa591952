//! Texts that arrive in pieces, cut inside a character.
//!
//! A vendor cuts its answer between tokens, and a token is no character: an emoji that is written as two escapes comes
//! as `"\ud83d"` in one piece and `"\ude00"` in the next. Neither is a text, so a piece is read as the bytes that it
//! stands for, and what its end lacks is held back until the next one brings it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// What stands where half a character came without its other half.
const UNREADABLE: &str = "\u{fffd}";

/// A piece of a text, which may begin and end inside a character. Half of a pair of escapes is kept in the three bytes
/// that UTF-8 would give its number if it allowed that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fragment<'a>(Cow<'a, [u8]>);

/// Where the pieces of one text are put together.
#[derive(Debug, Default)]
pub struct Seam {
    /// The beginning of a character, at most four bytes.
    held: Vec<u8>,
}

/// What a run of bytes that is no text may be.
enum Odd {
    /// The beginning of a character, of which more may come.
    Begun,
    /// Both halves of one character, in six bytes.
    Whole(char),
    /// So many bytes that no other bytes can mend.
    Broken(usize),
}

struct FragmentVisitor;

impl Fragment<'_> {
    /// There is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of all pieces, if this is all of them.
    pub fn into_string(self) -> String {
        let mut seam = Seam::default();
        let mut text = seam.join(self);
        text.push_str(seam.end());
        text
    }
}

impl Seam {
    /// The characters that this piece completes; empty if it completes none.
    pub fn join(&mut self, fragment: Fragment<'_>) -> String {
        let bytes = if self.held.is_empty() {
            fragment.0
        } else {
            self.held.extend_from_slice(&fragment.0);
            Cow::Owned(std::mem::take(&mut self.held))
        };
        // Nearly every piece is a text as it is.
        let bytes = match String::from_utf8(bytes.into_owned()) {
            Ok(text) => return text,
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(bytes.len());
        let mut rest = &*bytes;
        loop {
            let (valid, odd) = split(rest);
            text.push_str(valid);
            if odd.is_empty() {
                return text;
            }
            match look(odd) {
                Odd::Begun => {
                    self.held.extend_from_slice(odd);
                    return text;
                }
                Odd::Whole(character) => {
                    text.push(character);
                    rest = &odd[6..];
                }
                Odd::Broken(length) => {
                    text.push_str(UNREADABLE);
                    rest = &odd[length.min(odd.len())..];
                }
            }
        }
    }

    /// What is left to say at the end of the text: a mark for a character that was never completed.
    pub fn end(&mut self) -> &'static str {
        if self.held.is_empty() {
            return "";
        }
        self.held.clear();
        UNREADABLE
    }
}

/// What can be read, and what follows.
fn split(bytes: &[u8]) -> (&str, &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, &[]),
        Err(error) => {
            let (valid, odd) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), odd)
        }
    }
}

/// What bytes are that begin with something else than a character.
fn look(odd: &[u8]) -> Odd {
    match *odd {
        [0xed, high @ 0xa0..=0xaf, low @ 0x80..=0xbf, ref rest @ ..] => match *rest {
            [0xed, high_2 @ 0xb0..=0xbf, low_2 @ 0x80..=0xbf, ..] => {
                let unit = |high: u8, low: u8| u32::from(high & 0x0f) << 6 | u32::from(low & 0x3f);
                let number = 0x1_0000 + (unit(high, low) << 10) + unit(high_2, low_2);
                char::from_u32(number).map_or(Odd::Broken(6), Odd::Whole)
            }
            [] => Odd::Begun,
            _ => Odd::Broken(3),
        },
        [0xed, 0xb0..=0xbf, 0x80..=0xbf, ..] => Odd::Broken(3),
        _ => match std::str::from_utf8(odd) {
            Err(error) if error.error_len().is_none() => Odd::Begun,
            Err(error) => Odd::Broken(error.error_len().unwrap_or(1)),
            Ok(_) => Odd::Broken(odd.len()),
        },
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fragment<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, because only there halves of characters are let pass.
        deserializer
            .deserialize_bytes(FragmentVisitor)
            .map(Fragment)
    }
}

impl<'de> Visitor<'de> for FragmentVisitor {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts that come out of the pieces of a JSON string each.
    fn joined(pieces: &[&str]) -> Vec<String> {
        let mut seam = Seam::default();
        let mut texts: Vec<String> = pieces
            .iter()
            .map(|piece| seam.join(serde_json::from_str(piece).unwrap()))
            .collect();
        texts.push(seam.end().to_owned());
        texts
    }

    #[test]
    fn two_halves_in_two_pieces_are_one_character() {
        assert_eq!(
            joined(&[r#""Hi \ud83d""#, r#""\ude00!""#]),
            ["Hi ", "😀!", ""]
        );
        assert_eq!(
            joined(&[r#""\ud83d""#, r#""""#, r#""\ude00""#]),
            ["", "", "😀", ""]
        );
        assert_eq!(
            joined(&[r#""\ud83d\ude00\ud83c""#, r#""\udfef""#]),
            ["😀", "🏯", ""]
        );
    }

    #[test]
    fn half_a_character_without_its_other_half_is_marked_and_loses_nothing_else() {
        assert_eq!(joined(&[r#""a\ud83d""#]), ["a", "\u{fffd}"]);
        assert_eq!(joined(&[r#""a\ud83d""#, r#""b""#]), ["a", "\u{fffd}b", ""]);
        assert_eq!(joined(&[r#""\ude00a""#]), ["\u{fffd}a", ""]);
        assert_eq!(
            joined(&[r#""\ud83d""#, r#""\ud83d\ude00""#]),
            ["", "\u{fffd}😀", ""]
        );
    }

    #[test]
    fn a_text_without_escapes_is_not_copied_to_be_read() {
        let fragment: Fragment<'_> = serde_json::from_str("\"plain – ünïcode\"").unwrap();
        assert!(matches!(fragment.0, Cow::Borrowed(_)));
        assert!(serde_json::from_str::<Fragment<'_>>("7").is_err());
        assert!(serde_json::from_str::<Fragment<'_>>("[1]").is_err());
    }

    proptest! {
        #[test]
        fn a_text_cut_between_any_two_bytes_is_the_same_text(
            text in "[a–é日😀🏯]{0,8}",
            cuts in proptest::collection::vec(0usize..40, 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut seam = Seam::default();
            let mut whole: String = cuts
                .windows(2)
                .map(|pair| seam.join(Fragment(Cow::Borrowed(&bytes[pair[0]..pair[1]]))))
                .collect();
            whole.push_str(seam.end());
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn a_text_of_escapes_cut_between_any_two_of_them_is_the_same_text(
            text in "[aé😀🏯]{0,6}",
            cuts in proptest::collection::vec(0usize..12, 0..6),
        ) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(units.len())).collect();
            cuts.extend([0, units.len()]);
            cuts.sort_unstable();
            let mut seam = Seam::default();
            let mut whole = String::new();
            for pair in cuts.windows(2) {
                let escapes: String = units[pair[0]..pair[1]]
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect();
                whole.push_str(&seam.join(serde_json::from_str(&format!("\"{escapes}\"")).unwrap()));
            }
            whole.push_str(seam.end());
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn no_bytes_at_all_are_too_odd(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..5)) {
            let mut seam = Seam::default();
            for piece in &pieces {
                seam.join(Fragment(Cow::Borrowed(piece)));
                prop_assert!(seam.held.len() <= 4);
            }
        }
    }
}
