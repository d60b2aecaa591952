//! What the driver is told to do, and what it tells.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::outcome::{Broken, Finished, GiveUp};
use crate::{Failure, Usage};

/// An attempt of a request, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub u32);

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Call a model.
    Start(Start),
    /// Call a model in addition to the one that is being asked. Whichever answers first is heard.
    Hedge(Start),
    /// Nothing, until then or until an event.
    WaitUntil(u64),
    /// End a call. Nothing that still comes of it is heard.
    Stop {
        /// Which.
        attempt: AttemptId,
        /// Why.
        why: StopWhy,
    },
    /// The answer is complete. Nothing comes after this.
    Finished(Box<Finished>),
    /// A part of the answer has gone out and the rest will not come. The caller must be told. Nothing comes after this.
    Broken(Box<Broken>),
    /// There is no answer, and why. Nothing comes after this.
    GiveUp(Box<GiveUp>),
}

/// A call to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Which attempt it is; events name it.
    pub attempt: AttemptId,
    /// Position among the candidates.
    pub candidate: usize,
    /// The adapter.
    pub plugin: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// What kind of attempt it is.
    pub role: Role,
    /// When the dispatch will stop it, if by then there is no answer (no first piece of it, for a stream).
    pub timeout_at_ms: u64,
    /// When all attempts have to have ended. The adapter's own deadline.
    pub deadline_ms: u64,
    /// What has gone out of an answer that broke off, for this model to write on.
    pub continuation: Option<Continuation>,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The first.
    First,
    /// The same model again.
    Retry,
    /// Another model, because one failed.
    Fallback,
    /// Another model at the same time, because one is slow.
    Hedge,
    /// Another model writes on where one broke off.
    Continuation,
}

impl Role {
    /// As it stands in records, metrics and traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Fallback => "fallback",
            Self::Hedge => "hedge",
            Self::Continuation => "continuation",
        }
    }
}

/// Why a call is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopWhy {
    /// It took longer than its share of the time.
    Timeout,
    /// No time is left for anybody.
    Deadline,
    /// Another was faster.
    Outrun,
    /// What it sends is no answer.
    Garbage,
    /// The caller has gone.
    Cancelled,
}

/// What a model needs to write on where another broke off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// What has gone out: the assistant's turn so far.
    pub sent: Arc<str>,
    /// What to ask for after it.
    pub instruction: Arc<str>,
}

/// What a driver tells of an attempt.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A piece of the answer.
    Text(&'a str),
    /// A piece of reasoning of so many bytes that is not part of the answer.
    Thinking(u64),
    /// A tool call, or a piece of one, of so many bytes.
    ToolCall(u64),
    /// A piece of an answer that is no text, of so many bytes: a vector, a picture.
    Data(u64),
    /// The answer has ended.
    End(End<'a>),
    /// The attempt has failed.
    Failed(&'a Failure),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct End<'a> {
    /// `stop`, `length`, `tool_calls` or `content_filter`. Absent where the provider did not say: then it broke off.
    pub finish: Option<&'a str>,
    /// What it used, where the provider says so.
    pub usage: Option<Usage>,
}

/// What to do with a piece that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Hand it on to the caller as it is.
    Pass,
    /// Hand this text on in its place; it may be empty.
    Text(String),
    /// Drop it: it is late, doubled, or not an answer.
    Drop,
}
