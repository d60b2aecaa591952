//! Why something was not done with an amendment, told apart by what the caller should do about it.

use polity_constitution::Problems;
use polity_inbox::{DecideError, InboxError, RaiseError};
use polity_ledger::{CommitError, ReadError};
use polity_repository::GitError;

use crate::constitution_live::ReloadError;
use crate::drain::Draining;

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum AmendmentError {
    /// There is no such amendment.
    #[error("there is no amendment `{asked}`{}", proposal(near))]
    Unknown {
        /// The name that was asked for.
        asked: String,
        /// Names that look like it.
        near: Vec<String>,
    },
    /// It lacks something, or asks for something that an amendment cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Somebody may not do it.
    #[error("{0}")]
    Forbidden(String),
    /// People have still to vote.
    #[error("{0}")]
    Waiting(String),
    /// What was agreed on is not what there is now; says how to go on.
    #[error("{0}")]
    Moved(String),
    /// The amendment is closed.
    #[error("{0}")]
    Closed(String),
    /// The proposed constitution does not load.
    #[error("the proposed constitution is not as it should be: {0}")]
    Problems(#[from] Problems),
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A vote was not taken.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The votes could not be opened.
    #[error(transparent)]
    Raise(#[from] RaiseError),
    /// The inbox does not read.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The ledger does not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger takes no events.
    #[error("it could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// What was merged could not be put in force.
    #[error("it is merged and not in force: {0}")]
    Reload(#[from] ReloadError),
    /// Something of the machine.
    #[error("{0}")]
    Failed(String),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
}

fn proposal(near: &[String]) -> String {
    match near {
        [] => "; see which there are: polity amend list".to_owned(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}
