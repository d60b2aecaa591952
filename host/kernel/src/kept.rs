//! Texts in the ledger: whole where they are short, by digest where they are long.
//!
//! A record keeps the exact bytes that the rules judged, because a replay has to judge the same bytes; a value that was
//! parsed and written again would be another text. But one prompt may have megabytes, and a ledger is for ever.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::sha256;

/// The longest text that a record keeps whole.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// How much of a longer text is kept for people to recognise it by.
const HEAD_BYTES: usize = 1 << 10;

/// A JSON text in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Kept {
    /// All of it.
    Whole(String),
    /// What it was, for whoever has it elsewhere.
    Cut {
        /// Its beginning.
        head: String,
        /// Its length.
        bytes: u64,
        /// SHA-256 in hexadecimal.
        sha256: String,
    },
}

/// What a record says of a text that it does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omitted {
    /// The text's first bytes.
    pub head: String,
    /// The text's length in bytes.
    pub bytes: u64,
    /// The text's SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Kept {
    pub(crate) fn new(text: String) -> Self {
        if text.len() <= MAX_BYTES {
            return Self::Whole(text);
        }
        Self::Cut {
            bytes: text.len() as u64,
            sha256: sha256(&text),
            head: cut(&text, HEAD_BYTES).to_owned(),
        }
    }

    pub(crate) fn whole(&self) -> Option<&str> {
        match self {
            Self::Whole(text) => Some(text),
            Self::Cut { .. } => None,
        }
    }

    /// The parsed text, or what is known of it. A text that was kept parsed when it was judged.
    pub(crate) fn read(self) -> (Value, Option<Omitted>) {
        match self {
            Self::Whole(text) => (
                serde_json::from_str(&text).unwrap_or(Value::String(text)),
                None,
            ),
            Self::Cut {
                head,
                bytes,
                sha256,
            } => (
                Value::Null,
                Some(Omitted {
                    head,
                    bytes,
                    sha256,
                }),
            ),
        }
    }
}

impl From<Kept> for Value {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Whole(text) => text.into(),
            Kept::Cut {
                head,
                bytes,
                sha256,
            } => {
                serde_json::json!({ "head": head, "bytes": bytes, "sha256": sha256 })
            }
        }
    }
}

/// At most so many bytes of a text, up to a character's end.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_kept_to_the_byte() {
        let kept = Kept::new("{\"b\":1, \"a\":2.50}".into());
        let stored = Value::from(kept);
        let read: Kept = serde_json::from_value(stored).unwrap();
        assert_eq!(read.whole(), Some("{\"b\":1, \"a\":2.50}"));
    }

    #[test]
    fn a_long_text_is_kept_by_its_digest_and_its_beginning() {
        let text = format!("\"{}\"", "ä".repeat(MAX_BYTES));
        let kept: Kept = serde_json::from_value(Kept::new(text.clone()).into()).unwrap();
        let (value, omitted) = kept.read();
        let omitted = omitted.unwrap();
        assert_eq!(value, Value::Null);
        assert_eq!(omitted.bytes, text.len() as u64);
        assert_eq!(omitted.sha256, sha256(&text));
        assert!(text.starts_with(&omitted.head) && omitted.head.len() > 1000);
    }
}
