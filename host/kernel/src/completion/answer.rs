//! What a caller gets.

use std::sync::Arc;

use polity_runtime::Delta;
use polity_runtime::plugin::Outcome;
use uuid::Uuid;

use super::{About, AnswerStream};

/// The answer to a completion.
#[derive(Debug)]
pub enum Answer {
    /// All of it.
    Whole(Completed),
    /// Piece by piece. Dropping it stops the guest and the call upstream.
    Stream(AnswerStream),
}

/// A completion that has ended well.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The decision that let it happen, for `explain`.
    pub decision_id: Uuid,
    /// The model's id.
    pub model: Arc<str>,
    /// The adapter.
    pub plugin: Arc<str>,
    /// Why this model answered, where it was not simply named: one sentence of printable ASCII.
    pub why: Option<Arc<str>>,
    /// The answer in the order it came; empty at the end of a stream, whose pieces have gone out before.
    pub content: Vec<Delta>,
    /// How it ended and what it used. Where the provider did not say, the tokens are guessed.
    pub outcome: Outcome,
    /// What it cost.
    pub cost_micro: u64,
    /// How it came about, where there is more to say than who gave it.
    pub about: Option<Box<About>>,
}
