//! How a request ended, with everything that was tried on the way.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::step::{AttemptId, Role, StopWhy};
use crate::gates::Blocked;
use crate::{ErrorClass, Usage};

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// It answered to the end.
    Answered,
    /// It failed.
    Failed {
        /// How.
        class: ErrorClass,
        /// One sentence.
        detail: String,
    },
    /// It was ended, and not for a failure of its own.
    Stopped(StopWhy),
}

/// One attempt, from beginning to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Which.
    pub attempt: AttemptId,
    /// The adapter.
    pub plugin: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// Why it was made.
    pub role: Role,
    /// Whether it went through an open breaker because nothing else was left.
    pub forced: bool,
    /// When it began.
    pub started_ms: u64,
    /// When the first piece came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_piece_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: u64,
    /// How.
    pub end: AttemptEnd,
    /// What was set aside for it.
    pub reserved_micro: u64,
    /// What it cost.
    pub cost_micro: u64,
    /// Whether that is guessed from the text.
    pub is_estimate: bool,
    /// Whether the caller has had anything of it.
    pub is_used: bool,
}

/// What every ending tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// The attempts, in the order in which they ended.
    pub attempts: Vec<AttemptRecord>,
    /// What all of them cost.
    pub cost_micro: u64,
    /// Models whose breaker was overruled because nothing else was left.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub breakers_overruled: Vec<Arc<str>>,
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The attempt that completed it.
    pub attempt: AttemptId,
    /// Its candidate.
    pub candidate: usize,
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    pub finish: String,
    /// What the last attempt used, if its provider said something credible.
    pub usage: Option<Usage>,
    /// How often another model had to write on.
    pub continuations: u32,
    /// What was tried.
    pub trail: Trail,
}

/// Why an answer that had begun is not complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// Bytes of text that went out.
    pub sent_bytes: u64,
    /// Why nobody writes on.
    pub why: GiveUp,
}

/// The short of why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// There was nobody to ask.
    NoCandidates,
    /// The time was used up, or what was left would not have been enough.
    Deadline,
    /// Every model that could be asked failed.
    AllFailed,
    /// A failure that is the same everywhere.
    Fatal,
    /// Nobody was asked, because the money does not suffice.
    OverBudget,
    /// Nobody was asked, because every model is being left alone or is used up.
    AllBlocked,
    /// As many attempts as one request may have.
    TooManyAttempts,
    /// A part of the answer was out that nobody can write on.
    NotContinuable,
    /// The caller has gone.
    Cancelled,
}

/// Why there is no answer, model by model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GiveUp {
    /// In short.
    pub cause: Cause,
    /// Each candidate, in the order of the ranking.
    pub reasons: Vec<Reason>,
    /// The earliest time at which asking again may help, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_at_ms: Option<u64>,
    /// What was tried.
    pub trail: Trail,
}

/// Why one candidate gave no answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The adapter.
    pub plugin: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// How often it was asked.
    pub attempts: u32,
    /// Why not.
    pub why: WhyNot,
}

/// Why a candidate was not asked, or not again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// It failed, lastly like this.
    Failed {
        /// How.
        class: ErrorClass,
        /// One sentence.
        detail: String,
    },
    /// It could not be asked.
    Blocked(Blocked),
    /// Another failure spoke for this model too.
    SameAs {
        /// The model that failed.
        model: Arc<str>,
        /// How.
        class: ErrorClass,
    },
    /// It was stopped for another that was faster.
    Outrun,
    /// Its turn did not come.
    NotReached,
}

impl GiveUp {
    /// The failure to report to the caller, where models were asked: the last one.
    pub fn last_failure(&self) -> Option<(ErrorClass, &str)> {
        let mut ends = self.trail.attempts.iter().rev().map(|it| &it.end);
        ends.find_map(|end| match end {
            AttemptEnd::Failed { class, detail } => Some((*class, detail.as_str())),
            _ => None,
        })
    }
}

impl Trail {
    /// What attempts cost of which the caller has had nothing.
    pub fn wasted_micro(&self) -> u64 {
        let unused = self.attempts.iter().filter(|it| !it.is_used);
        unused.fold(0, |sum, it| it.cost_micro.saturating_add(sum))
    }

    /// Attempts whose failure was of a class.
    pub fn failures(&self, wanted: ErrorClass) -> usize {
        let is_wanted = |it: &&AttemptRecord| matches!(it.end, AttemptEnd::Failed { class, .. } if class == wanted);
        self.attempts.iter().filter(is_wanted).count()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCandidates => "there is no model to ask",
            Self::Deadline => "no answer came within the deadline",
            Self::AllFailed => "every model that could be asked failed",
            Self::Fatal => "the request failed in a way that is the same everywhere",
            Self::OverBudget => "the budget does not suffice",
            Self::AllBlocked => "no model can be asked now",
            Self::TooManyAttempts => "as many attempts as a request may have failed",
            Self::NotContinuable => "the answer broke off where no other model can write on",
            Self::Cancelled => "the caller has gone",
        })
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { class, detail } => write!(f, "{class}: {detail}"),
            Self::Blocked(blocked) => blocked.fmt(f),
            Self::SameAs { model, class } => write!(f, "{class} at {model} of the same plugin"),
            Self::Outrun => f.write_str("another was faster"),
            Self::NotReached => f.write_str("its turn did not come"),
        }
    }
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        for Reason {
            plugin,
            model,
            attempts,
            why,
        } in &self.reasons
        {
            write!(f, "\n  {model} ({plugin}), asked {attempts}×: {why}")?;
        }
        for model in &self.trail.breakers_overruled {
            write!(
                f,
                "\n  the breaker of {model} was overruled, because nothing else was left"
            )?;
        }
        match self.retry_at_ms {
            Some(at) => write!(f, "\n  asking again may help from {at} on"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer is not complete; {} bytes of it went out: {}",
            self.sent_bytes, self.why
        )
    }
}
