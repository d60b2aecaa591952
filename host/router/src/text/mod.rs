//! What a text looks like to the predictor: hashed words and a few measures of its shape.
//!
//! Both come from one pass over at most [`HEAD`] + [`TAIL`] bytes, so that a text of any length takes bounded time. No
//! vocabulary is kept and no word is stored: a predictor that leaves the company tells nobody what was asked.

mod shape;
mod words;

pub(crate) use shape::{SHAPE, Shape};
pub(crate) use words::Words;

/// Bytes that are read of the beginning of a text. A request says what it wants early.
pub(crate) const HEAD: usize = 1536;

/// Bytes that are read of its end, where the question stands after a long quotation.
pub(crate) const TAIL: usize = 512;

/// What a text looks like.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) words: Words,
    pub(crate) shape: Shape,
}

impl Look {
    /// Reads a text once.
    pub(crate) fn at(text: &str) -> Self {
        let (head, tail) = ends(text.as_bytes());
        let mut words = Words::new(head.len() + tail.len());
        words.read(head);
        words.read(tail);
        Self {
            words,
            shape: Shape::of(head, tail, text.len()),
        }
    }
}

/// The beginning and the end of a text; the end is empty where the beginning is all. Cuts may fall inside a character:
/// nothing after this needs whole ones.
fn ends(text: &[u8]) -> (&[u8], &[u8]) {
    if text.len() <= HEAD + TAIL {
        (text, &[])
    } else {
        (&text[..HEAD], &text[text.len() - TAIL..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_read_at_both_ends_only() {
        let long = format!(
            "{}{}{}",
            "alpha ".repeat(600),
            "x".repeat(1 << 20),
            " omega".repeat(200)
        );
        let look = Look::at(&long);
        let omega = Look::at("omega").words;
        assert!(look.words.near().contains(&omega.near()[0]));
        assert!(look.words.near().len() + look.words.far().len() < 6000);
    }

    #[test]
    fn a_cut_inside_a_character_does_no_harm() {
        for shift in 0..4 {
            let text = format!("{}{}", "a".repeat(shift), "日本語".repeat(2000));
            assert!(!Look::at(&text).words.near().is_empty());
        }
    }
}
