//! What can go wrong, told apart by what the caller should do about it.

use polity_ledger::{CommitError, Hash, ReadError};
use uuid::Uuid;

use crate::authority::Refusal;
use crate::item::Item;

/// The ledger under the inbox failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InboxError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// An item is there and does not read.
    #[error("the inbox entry {key} does not read: {reason}")]
    Unreadable {
        /// Its key in the ledger's state.
        key: String,
        /// Why.
        reason: String,
    },
    /// There is no such item.
    #[error("there is no inbox item {0}")]
    NotFound(Uuid),
}

/// Why an item was not raised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RaiseError {
    /// It lacks something, or has too much of it.
    #[error("this cannot be put to a person: {0}")]
    Invalid(String),
    /// The ledger failed.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

/// Why a decision was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// Somebody may not decide it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is closed already: decided by somebody who was faster, or expired.
    #[error("this item is closed: {}", .0.closing())]
    Closed(Box<Item>),
    /// The person decided on something else than what is proposed.
    #[error(
        "the proposal is not the one you saw ({seen}); it is {now}: read it again and decide again"
    )]
    ProposalChanged {
        /// The digest of what the person saw.
        seen: Hash,
        /// The digest of what is proposed.
        now: Hash,
    },
    /// The item does not allow this answer, or the answer lacks something.
    #[error("{0}")]
    Invalid(String),
    /// The ledger failed, or there is no such item.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl From<CommitError> for RaiseError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Invalid(reason) => Self::Invalid(reason),
            error => Self::Inbox(error.into()),
        }
    }
}

impl From<CommitError> for DecideError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Invalid(reason) => Self::Invalid(reason),
            error => Self::Inbox(error.into()),
        }
    }
}
