//! Finds credentials in what passes, and blanks them out.
//!
//! A body comes in pieces of any size, and a credential may lie across two of them. The
//! scrubber passes a piece on at once, except for its last bytes where they could be the
//! beginning of a credential: those wait for the next piece. So tokens stream through
//! without delay, and a plugin without credentials pays nothing at all.

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::forms;

/// Candidates for what is put in place of a credential. One that is part of no form of
/// any credential cannot complete one by standing where it does.
const BLANKS: &[u8] = b"*#_-.~+=:x";

/// Finds the credentials of one plugin in any of their forms.
pub(crate) struct Redactor {
    automaton: AhoCorasick,
    forms: Vec<Zeroizing<String>>,
    /// Whether a form begins with a byte.
    first: [bool; 256],
    /// Length of the longest form.
    longest: usize,
    blank: String,
}

/// A redactor's state between two pieces of one body.
pub(crate) struct Scrubber {
    redactor: Arc<Redactor>,
    held: Bytes,
}

impl Redactor {
    /// None where there is nothing to look for.
    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Self>, aho_corasick::BuildError> {
        let forms: Vec<_> = secrets.flat_map(forms::of).collect();
        let Some(longest) = forms.iter().map(|form| form.len()).max() else {
            return Ok(None);
        };
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms.iter().map(|form| form.as_bytes()))?;
        let mut first = [false; 256];
        for form in &forms {
            if let Some(&byte) = form.as_bytes().first() {
                first[usize::from(byte)] = true;
            }
        }
        let is_free = |byte: u8| !forms.iter().any(|form| form.as_bytes().contains(&byte));
        let byte = BLANKS
            .iter()
            .copied()
            .chain(b'!'..=b'~')
            .find(|byte| is_free(*byte))
            // Credentials are printable, so this is free when nothing printable is.
            .unwrap_or(0x1a);
        Ok(Some(Self {
            automaton,
            first,
            longest,
            blank: char::from(byte).to_string().repeat(3),
            forms,
        }))
    }

    /// True where a credential is in the text.
    pub(crate) fn finds(&self, text: &[u8]) -> bool {
        self.automaton.is_match(text)
    }

    /// A text without credentials.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = self.automaton.find_iter(text).peekable();
        if found.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for place in found {
            // Forms are ASCII, so they begin and end between characters.
            out.push_str(&text[copied..place.start()]);
            out.push_str(&self.blank);
            copied = place.end();
        }
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }

    /// Bytes without credentials; None where there were none to begin with.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Option<Bytes> {
        self.finds(bytes).then(|| {
            let mut out = BytesMut::with_capacity(bytes.len());
            let copied = self.copy_clean(bytes, &mut out);
            out.extend_from_slice(&bytes[copied..]);
            out.freeze()
        })
    }

    /// Copies up to the end of the last credential, blanks in place of credentials, and
    /// answers where that was.
    fn copy_clean(&self, bytes: &[u8], out: &mut BytesMut) -> usize {
        let mut copied = 0;
        for place in self.automaton.find_iter(bytes) {
            out.extend_from_slice(&bytes[copied..place.start()]);
            out.extend_from_slice(self.blank.as_bytes());
            copied = place.end();
        }
        copied
    }

    /// Length of the longest end of `bytes` that begins a credential. `bytes` holds no
    /// whole one.
    fn begun(&self, bytes: &[u8]) -> usize {
        let window = bytes.len().min(self.longest - 1);
        (bytes.len() - window..bytes.len())
            .find(|&at| {
                self.first[usize::from(bytes[at])]
                    && self
                        .forms
                        .iter()
                        .any(|form| form.as_bytes().starts_with(&bytes[at..]))
            })
            .map_or(0, |at| bytes.len() - at)
    }
}

impl Scrubber {
    pub(crate) fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            held: Bytes::new(),
        }
    }

    /// Takes a piece in and gives out what can be told to hold no credential.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        self.step(piece).0
    }

    /// As [`push`](Self::push), and tells whether a credential was blanked out.
    pub(crate) fn step(&mut self, piece: Bytes) -> (Bytes, bool) {
        let mut piece = if self.held.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
            joined.extend_from_slice(&self.held);
            joined.extend_from_slice(&piece);
            joined.freeze()
        };
        let mut out = BytesMut::new();
        let copied = self.redactor.copy_clean(&piece, &mut out);
        let end = piece.len() - self.redactor.begun(&piece[copied..]);
        self.held = piece.split_off(end);
        if copied == 0 {
            return (piece, false);
        }
        out.extend_from_slice(&piece[copied..]);
        (out.freeze(), true)
    }

    /// What was held back at the end of the body: the beginning of a credential, but not
    /// a credential.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk-0123456789abcdef";

    fn redactor(secrets: &[&str]) -> Arc<Redactor> {
        Arc::new(Redactor::new(secrets.iter().copied()).unwrap().unwrap())
    }

    fn scrub(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        let mut scrubber = Scrubber::new(redactor(secrets));
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&scrubber.finish());
        out
    }

    #[test]
    fn without_credentials_there_is_nothing_to_do() {
        assert!(Redactor::new(std::iter::empty()).unwrap().is_none());
    }

    #[test]
    fn a_credential_across_pieces_is_blanked_out() {
        let text = format!("key={KEY}!");
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(scrub(&[KEY], &pieces), b"key=***!", "{size}");
        }
    }

    #[test]
    fn only_what_could_begin_a_credential_is_held_back() {
        let mut scrubber = Scrubber::new(redactor(&[KEY]));
        assert_eq!(scrubber.push("data: hello\n\n".into()), "data: hello\n\n");
        assert_eq!(scrubber.push("the key is sk-01".into()), "the key is ");
        assert_eq!(scrubber.push("99".into()), "sk-0199");
        assert_eq!(scrubber.finish(), "");
    }

    #[test]
    fn a_piece_without_credentials_is_passed_on_without_copying() {
        let mut scrubber = Scrubber::new(redactor(&[KEY]));
        let piece = Bytes::from(vec![b' '; 100]);
        let address = piece.as_ptr();
        assert_eq!(scrubber.push(piece).as_ptr(), address);
    }

    #[test]
    fn a_credential_in_a_text_is_blanked_out() {
        let redactor = redactor(&[KEY, "pass\"word/1"]);
        assert_eq!(redactor.text("ünchanged"), "ünchanged");
        assert_eq!(
            redactor.text(&format!("ü {KEY} ü pass\\\"word\\/1 pass\\\"word/1")),
            "ü *** ü *** ***"
        );
        assert_eq!(redactor.bytes(b"nothing"), None);
        assert_eq!(redactor.bytes(KEY.as_bytes()), Some("***".into()));
    }

    #[test]
    fn a_blank_cannot_complete_a_credential() {
        // "***" in place of the first would make the second out of what follows.
        let scrubbed = scrub(&["abcdefgh", "***12345"], &[b"abcdefgh12345"]);
        assert_eq!(scrubbed, b"###12345");
    }

    proptest! {
        #[test]
        fn what_comes_out_never_holds_a_credential(
            secrets in proptest::collection::vec("[ab*]{8,12}", 1..3),
            text in "([ab*]{0,20}|SECRET0|SECRET1|BASE0){0,8}",
            cuts in proptest::collection::vec(1usize..9, 1..30),
        ) {
            use base64::Engine;
            let base64 = base64::engine::general_purpose::STANDARD.encode(&secrets[0]);
            let text = text
                .replace("SECRET0", &secrets[0])
                .replace("SECRET1", secrets.last().unwrap())
                .replace("BASE0", &base64);
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let out = scrub(&secrets, &pieces);
            prop_assert!(!redactor(&secrets).finds(&out), "{:?}", String::from_utf8_lossy(&out));
        }

        #[test]
        fn what_holds_no_credential_comes_out_unchanged(
            text in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..50
        ) {
            prop_assume!(!redactor(&[KEY]).finds(&text));
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(scrub(&[KEY], &pieces), text);
        }
    }
}
