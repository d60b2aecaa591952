//! Splits a body into lines as it arrives.
//!
//! Both stream formats in use, server-sent events and newline-delimited JSON, are made of lines, and a network piece
//! ends anywhere. A line that lies inside one piece is handed out where it is; only a line that spans pieces is
//! copied together.

use memchr::memchr2;
use polity_sdk::{Problem, problem};

use crate::Body;

/// What is asked for at once: a page of tokens, not a file.
const PIECE: u32 = 64 * 1024;

/// The longest line. A whole tool call may be one line; a "line" past this is no model's answer, and must not fill the
/// plugin's memory.
const LONGEST: usize = 8 * 1024 * 1024;

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it says.
    pub text: &'a [u8],
    /// The body ended without an end of this line: the sender may have been cut off inside it.
    pub cut: bool,
}

/// The lines of a body, without their ends: `\n`, `\r\n` or `\r`.
pub struct Lines<B> {
    body: B,
    piece: Vec<u8>,
    at: usize,
    /// The beginning of a line that earlier pieces held.
    begun: Vec<u8>,
    /// `begun` was handed out by the last call.
    spent: bool,
    /// The last line ended with `\r`, so a `\n` that follows belongs to it.
    after_return: bool,
    ended: bool,
}

impl<B: Body> Lines<B> {
    /// The lines of what is left of a body.
    pub fn new(body: B) -> Self {
        Self {
            body,
            piece: Vec::new(),
            at: 0,
            begun: Vec::new(),
            spent: false,
            after_return: false,
            ended: false,
        }
    }

    /// The next line; none after the last.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, Problem> {
        if self.spent {
            self.begun.clear();
            self.spent = false;
        }
        loop {
            if self.after_return && self.at < self.piece.len() {
                self.after_return = false;
                if self.piece[self.at] == b'\n' {
                    self.at += 1;
                }
            }
            let unread = &self.piece[self.at..];
            if let Some(length) = memchr2(b'\n', b'\r', unread) {
                self.after_return = unread[length] == b'\r';
                let line = self.at..self.at + length;
                self.at = line.end + 1;
                if self.begun.is_empty() {
                    return Ok(Some(Line {
                        text: &self.piece[line],
                        cut: false,
                    }));
                }
                self.begun.extend_from_slice(&self.piece[line]);
                self.spent = true;
                return Ok(Some(Line {
                    text: &self.begun,
                    cut: false,
                }));
            }
            if self.begun.len() + unread.len() > LONGEST {
                return Err(problem(
                    "failed",
                    "the stream holds a line of more than 8 MiB",
                ));
            }
            self.begun.extend_from_slice(unread);
            self.at = 0;
            self.piece.clear();
            if !self.ended {
                match self.body.read(PIECE)? {
                    Some(piece) => {
                        self.piece = piece;
                        continue;
                    }
                    None => self.ended = true,
                }
            }
            if self.begun.is_empty() {
                return Ok(None);
            }
            self.spent = true;
            return Ok(Some(Line {
                text: &self.begun,
                cut: true,
            }));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// A body that arrives in the given pieces.
    pub(crate) struct Pieces(pub(crate) VecDeque<Vec<u8>>);

    impl Pieces {
        pub(crate) fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
            Self(pieces.into_iter().map(<[u8]>::to_vec).collect())
        }
    }

    impl Body for Pieces {
        fn status(&self) -> u16 {
            200
        }

        fn headers(&self) -> Vec<(String, String)> {
            Vec::new()
        }

        fn read(&mut self, _: u32) -> Result<Option<Vec<u8>>, Problem> {
            Ok(self.0.pop_front())
        }
    }

    fn lines(body: Pieces) -> (Vec<Vec<u8>>, bool) {
        let mut lines = Lines::new(body);
        let mut all = Vec::new();
        let mut cut = false;
        while let Some(line) = lines.next_line().unwrap() {
            assert!(!cut, "nothing follows a cut");
            all.push(line.text.to_vec());
            cut = line.cut;
        }
        (all, cut)
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line() {
        let (all, cut) = lines(Pieces::of([b"a\nb\r\nc\rd\n\n\r\ne\n".as_slice()]));
        assert_eq!(all, [b"a".as_slice(), b"b", b"c", b"d", b"", b"", b"e"]);
        assert!(!cut);
    }

    #[test]
    fn a_last_line_without_an_end_is_handed_out_and_marked() {
        let (all, cut) = lines(Pieces::of([b"a\nb".as_slice()]));
        assert_eq!(all, [b"a".as_slice(), b"b"]);
        assert!(cut);
    }

    #[test]
    fn an_empty_body_has_no_lines() {
        assert_eq!(lines(Pieces::of([])), (vec![], false));
        assert_eq!(lines(Pieces::of([b"".as_slice(), b""])), (vec![], false));
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let piece = vec![b'x'; 1024 * 1024];
        let mut lines = Lines::new(Pieces((0..9).map(|_| piece.clone()).collect()));
        assert_eq!(lines.next_line().unwrap_err().code, "failed");
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_makes_no_difference(
            text in "[ab\r\n]{0,24}",
            cuts in proptest::collection::vec(0usize..24, 0..6),
        ) {
            let bytes = text.as_bytes();
            let whole = lines(Pieces::of([bytes]));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(lines(Pieces::of(pieces)), whole);
        }
    }
}
