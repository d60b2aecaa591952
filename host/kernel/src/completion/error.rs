//! Why a completion gave no answer.

use polity_ledger::{CommitError, ReadError};
use polity_router::{Candidate, Reason};
use polity_runtime::failure::CallError;
use uuid::Uuid;

use crate::Decision;
use crate::budget::OverBudget;
use crate::drain::Draining;
use crate::escalation::{EscalateError, RaiseError};

/// Why a completion gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The request is not as it should be.
    #[error("{0}")]
    Invalid(String),
    /// No adapter has the model.
    #[error("there is no model \"{asked}\"{}{}", missing(.out), proposals(.near))]
    UnknownModel {
        /// As the caller named it.
        asked: String,
        /// Models that may have been meant, best first.
        near: Vec<String>,
        /// Plugins in quarantine whose models are not known now.
        out: Vec<String>,
    },
    /// There are models, and none of them may answer.
    #[error("{}", nobody(.0))]
    NoModel(Box<polity_router::Decision>),
    /// The rules do not let it happen.
    #[error("{}", .0.reason)]
    Denied(Box<Decision>),
    /// A person decides.
    #[error("{}", .0.reason)]
    Escalated(Box<Decision>),
    /// The budget does not have enough left.
    #[error("{over}")]
    OverBudget {
        /// What there is, and what it would take.
        over: OverBudget,
        /// Its record.
        decision_id: Uuid,
    },
    /// The adapter or its provider failed; [`CallError::code`] is stable.
    #[error("{model}: {error}")]
    Plugin {
        /// The model.
        model: String,
        /// How it failed.
        error: CallError,
        /// Its record.
        decision_id: Uuid,
    },
    /// The answer had not ended when the caller's deadline passed.
    #[error("the answer did not end within the {deadline_ms} ms that the request allows")]
    Deadline {
        /// The deadline.
        deadline_ms: u64,
        /// Its record, if the rules had spoken by then.
        decision_id: Option<Uuid>,
    },
    /// The rules amended the request into one that cannot be sent.
    #[error("the rules amended the request into one that cannot be sent: {detail}")]
    Amendment {
        /// What is wrong with it.
        detail: String,
        /// Its record.
        decision_id: Uuid,
    },
    /// Several models were to answer together, and nothing came of it.
    #[error("{detail}")]
    NoAnswer {
        /// What was in the way.
        detail: String,
        /// The first failure of one of the models, where one failed.
        cause: Option<Box<CompleteError>>,
        /// Its record.
        decision_id: Uuid,
    },
    /// What a person has to decide could not be put before one.
    #[error("the completion waits for a person, but it could not be put into the inbox: {0}")]
    Inbox(RaiseError),
    /// The ledger could not take the record, and nothing happens here without one.
    #[error("the completion could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// The ledger does not read.
    #[error("what was spent today cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
}

impl CompleteError {
    /// A stable code for programs; for a plugin's failure, the plugin's own.
    pub fn code(&self) -> &str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::UnknownModel { .. } => "unknown-model",
            Self::NoModel(_) => "no-model",
            Self::Denied(_) => "denied",
            Self::Escalated(_) => "escalated",
            Self::OverBudget { .. } => "over-budget",
            Self::Plugin { error, .. } => error.code(),
            Self::Deadline { .. } => "deadline",
            Self::Amendment { .. } => "amendment",
            Self::NoAnswer { .. } => "no-answer",
            Self::Inbox(_) => "inbox",
            Self::Record(_) | Self::Read(_) => "record",
            Self::Draining(_) => "draining",
        }
    }

    /// The decision that tells the story, where there is one.
    pub fn decision_id(&self) -> Option<Uuid> {
        match self {
            Self::Denied(decision) | Self::Escalated(decision) => Some(decision.id),
            Self::OverBudget { decision_id, .. }
            | Self::Plugin { decision_id, .. }
            | Self::NoAnswer { decision_id, .. }
            | Self::Amendment { decision_id, .. } => Some(*decision_id),
            Self::Deadline { decision_id, .. } => *decision_id,
            Self::Invalid(_)
            | Self::UnknownModel { .. }
            | Self::NoModel(_)
            | Self::Inbox(_)
            | Self::Record(_)
            | Self::Read(_)
            | Self::Draining(_) => None,
        }
    }
}

impl From<EscalateError> for CompleteError {
    fn from(error: EscalateError) -> Self {
        match error {
            EscalateError::Inbox(error) => Self::Inbox(error),
            EscalateError::Record(error) => Self::Record(error),
        }
    }
}

/// Models whose reasons are told; nobody reads more of them in one sentence.
const MAX_TOLD: usize = 12;

/// Each model with every condition that it breaks.
fn nobody(decision: &polity_router::Decision) -> String {
    if decision.candidates.is_empty() {
        return "no adapter has a model to choose from; `polity plugin list` shows what adapters wait for"
            .to_owned();
    }
    let told: Vec<String> = decision
        .candidates
        .iter()
        .take(MAX_TOLD)
        .map(|candidate| {
            let reasons: Vec<String> = candidate.reasons.iter().map(ToString::to_string).collect();
            format!("{}: {}", candidate.model, reasons.join(", and "))
        })
        .collect();
    let more = match decision.candidates.len().saturating_sub(MAX_TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let unable = |candidate: &Candidate| {
        let mut reasons = candidate.reasons.iter();
        reasons.any(|reason| matches!(reason, Reason::LacksAbilities { .. }))
    };
    // Then another model would help, and an adapter may wait for no more than a credential.
    let hint = match decision.candidates.iter().all(unable) {
        true => "; `polity plugin list` shows what other adapters wait for",
        false => "",
    };
    format!(
        "no model may answer this request. {}{more}{hint}",
        told.join("; ")
    )
}

/// Whose models are missing.
fn missing(out: &[String]) -> String {
    match out {
        [] => String::new(),
        [one] => format!(
            ", but {one} is in quarantine, and its models with it (`polity plugin inspect {one}` says why)"
        ),
        more => format!(
            ", but {} are in quarantine, and their models with them (`polity plugin list` says why)",
            more.join(" and ")
        ),
    }
}

fn proposals(near: &[String]) -> String {
    match near {
        [] => "; `polity models` lists those there are".to_owned(),
        _ => format!("; did you mean {}?", near.join(" or ")),
    }
}
