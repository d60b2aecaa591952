//! What an answer says, put together of its pieces and passed on.

use polity_sdk::Problem;
use polity_sdk::model::Delta;

use crate::{Fragment, Seam, Sink, forward};

/// The text of an answer and the reasoning before it. Of either goes out what its pieces complete, and nothing that is
/// empty.
#[derive(Debug, Default)]
pub struct Speech {
    text: Seam,
    thought: Seam,
    has_said: bool,
}

impl Speech {
    /// A piece of the text.
    pub fn say(&mut self, piece: Fragment<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        let text = self.text.join(piece);
        self.pass(text, Delta::Text, sink)
    }

    /// A piece of the reasoning.
    pub fn think(&mut self, piece: Fragment<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        let thought = self.thought.join(piece);
        self.pass(thought, Delta::Thinking, sink)
    }

    /// Says what is left where either ended inside a character.
    pub fn end(&mut self, sink: &mut impl Sink) -> Result<(), Problem> {
        let (thought, text) = (self.thought.end(), self.text.end());
        self.pass(thought.to_owned(), Delta::Thinking, sink)?;
        self.pass(text.to_owned(), Delta::Text, sink)
    }

    /// Some of the text has gone out.
    pub fn has_said(&self) -> bool {
        self.has_said
    }

    fn pass(
        &mut self,
        words: String,
        delta: fn(String) -> Delta,
        sink: &mut impl Sink,
    ) -> Result<(), Problem> {
        if words.is_empty() {
            return Ok(());
        }
        let delta = delta(words);
        self.has_said |= matches!(delta, Delta::Text(_));
        forward(sink, delta)
    }
}
