//! Where one model stopped and another writes on.
//!
//! Models that are told to continue a text like to repeat its last words, or all of it. What the new one repeats of the
//! old one's end is left out, so that the reader sees one text.

/// How far back a repetition is looked for, beside one from the very beginning.
const LOOK_BACK: usize = 2048;

/// Shorter repetitions of the end are words that happen to come twice.
const SHORTEST: usize = 12;

/// Shorter repetitions of everything are, too.
const SHORTEST_WHOLE: usize = 4;

/// Holds the first text of a continuation back for as long as it may be a repetition.
#[derive(Clone, Debug)]
pub(super) struct Seam {
    /// What has gone out.
    before: Box<str>,
    /// Positions in `before` from which it is the same as what is held.
    matching: Vec<usize>,
    held: String,
}

impl Seam {
    pub(super) fn new(sent: &str) -> Self {
        let start = sent.ceil_char_boundary(sent.len().saturating_sub(LOOK_BACK));
        let ends = sent[start..].char_indices().map(|(at, _)| start + at);
        // A model that starts over starts at the very beginning.
        let beginning = (start > 0).then_some(0);
        let matching = beginning.into_iter().chain(ends).collect();
        Self {
            before: sent.into(),
            matching,
            held: String::new(),
        }
    }

    /// Takes a piece; returns what of it, and of what was held, goes out, and whether the seam is behind us.
    pub(super) fn push(&mut self, piece: &str) -> (String, bool) {
        for (at, c) in piece.char_indices() {
            let length = self.held.len();
            let rest_of = |from: &usize| &self.before[*from + length..];
            // The longest repetition is complete when what was sent is used up.
            let complete = self
                .matching
                .iter()
                .any(|from| is_long_enough(*from, length) && rest_of(from).is_empty());
            if complete {
                return (piece[at..].to_owned(), true);
            }
            let before = &self.before;
            self.matching
                .retain(|from| before[*from + length..].starts_with(c));
            if self.matching.is_empty() {
                let mut out = std::mem::take(&mut self.held);
                out.push_str(&piece[at..]);
                return (out, true);
            }
            self.held.push(c);
        }
        (String::new(), false)
    }

    /// The continuation has ended while it was held: what goes out of it.
    pub(super) fn finish(self) -> String {
        let length = self.held.len();
        let is_repetition = self
            .matching
            .iter()
            .any(|from| is_long_enough(*from, length) && *from + length == self.before.len());
        if is_repetition {
            String::new()
        } else {
            self.held
        }
    }
}

fn is_long_enough(from: usize, length: usize) -> bool {
    let shortest = if from == 0 { SHORTEST_WHOLE } else { SHORTEST };
    length >= shortest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(sent: &str, pieces: &[&str]) -> String {
        let mut seam = Some(Seam::new(sent));
        let mut out = sent.to_owned();
        for piece in pieces {
            match seam.as_mut() {
                None => out.push_str(piece),
                Some(held) => {
                    let (text, is_over) = held.push(piece);
                    out.push_str(&text);
                    if is_over {
                        seam = None;
                    }
                }
            }
        }
        if let Some(seam) = seam {
            out.push_str(&seam.finish());
        }
        out
    }

    const SENT: &str = "The capital of France is";

    #[test]
    fn a_model_that_writes_on_is_left_alone() {
        assert_eq!(
            join(SENT, &[" Par", "is."]),
            "The capital of France is Paris."
        );
    }

    #[test]
    fn a_model_that_starts_over_is_not_seen_to() {
        assert_eq!(
            join(SENT, &["The cap", "ital of France", " is Paris."]),
            "The capital of France is Paris."
        );
    }

    #[test]
    fn a_model_that_repeats_the_last_words_is_not_seen_to() {
        assert_eq!(
            join(SENT, &["of France is", " Paris."]),
            "The capital of France is Paris."
        );
    }

    #[test]
    fn a_short_repetition_is_a_word_that_comes_twice() {
        assert_eq!(join("that is", &[" is it"]), "that is is it");
    }

    #[test]
    fn a_text_that_starts_alike_and_goes_on_otherwise_goes_out_whole() {
        assert_eq!(
            join("The capital of Italy", &["The capital of Spain"]),
            "The capital of ItalyThe capital of Spain"
        );
    }

    #[test]
    fn nothing_that_was_held_is_lost_at_the_end() {
        assert_eq!(join("abc abc", &["abc"]), "abc abcabc");
    }

    proptest! {
        #[test]
        fn what_was_sent_stays_and_what_is_new_comes(
            sent in "[ab ]{0,30}\\PC{0,10}",
            pieces in prop::collection::vec("[ab ]{0,6}", 0..6),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let joined = join(&sent, &pieces);
            prop_assert!(joined.starts_with(&sent));
            // What is left out is a repetition of the end, and nothing else is.
            let (new, whole) = (&joined[sent.len()..], pieces.concat());
            prop_assert!(whole.ends_with(new));
            let left_out = &whole[..whole.len() - new.len()];
            prop_assert!(sent.ends_with(left_out));
        }
    }
}
