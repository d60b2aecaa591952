//! One commit: what happened, what changes with it, and what must still be true for either to be.

use uuid::Uuid;

use crate::Event;
use crate::store::StoreError;

/// Longest state key. Short keys keep storage pages small; see the sled store.
const MAX_KEY: usize = 512;
/// A storage batch is kept under 1,000 rows, since readers wait while one is applied; an event is three rows
/// at most.
const MAX_ROWS: usize = 900;

/// Events and changes of state that are written together or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    pub(crate) events: Vec<Event>,
    /// In order; a later change of one key outdoes an earlier one.
    pub(crate) changes: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) expectations: Vec<(String, Option<Vec<u8>>)>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ids of its events, in order.
    pub event_ids: Vec<Uuid>,
    /// The place of its last event. `None` when it has no event, or when it was handed in relaxed and has no place yet.
    pub last_seq: Option<u64>,
}

/// Why a commit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another commit was faster. Read again and decide again.
    #[error("`{key}` is no longer what this commit expected: {found}")]
    Conflict {
        /// The first key whose value was not the expected one.
        key: String,
        /// What is there instead, in words.
        found: &'static str,
    },
    /// It can never be made, whatever the state.
    #[error("{0}")]
    Invalid(String),
    /// The ledger takes no more commits: storage failed, or another writer took over. What was acknowledged before is
    /// safe.
    #[error("the ledger has stopped: {0}; restart after the cause is gone")]
    Stopped(String),
}

impl Commit {
    /// An empty commit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an event.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Sets a state key.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.changes.push((key.into(), Some(value.into())));
        self
    }

    /// Removes a state key. It need not exist.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.changes.push((key.into(), None));
        self
    }

    /// Makes the commit only if the key does not exist.
    #[must_use]
    pub fn expect_absent(mut self, key: impl Into<String>) -> Self {
        self.expectations.push((key.into(), None));
        self
    }

    /// Makes the commit only if the key has exactly this value.
    #[must_use]
    pub fn expect_value(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.expectations.push((key.into(), Some(value.into())));
        self
    }

    pub(crate) fn rows(&self) -> usize {
        self.events.len() * 3 + self.changes.len()
    }

    pub(crate) fn check(&self) -> Result<(), CommitError> {
        if let Some(fault) = self.events.iter().find_map(Event::fault) {
            return Err(CommitError::Invalid(fault));
        }
        for (key, _) in self.changes.iter().chain(&self.expectations) {
            if key.is_empty() || key.len() > MAX_KEY || key.contains('\0') {
                return Err(CommitError::Invalid(format!(
                    "the state key {key:?} is empty, longer than {MAX_KEY} bytes or has a zero byte"
                )));
            }
        }
        if self.rows() + self.expectations.len() > MAX_ROWS {
            return Err(CommitError::Invalid(format!(
                "the commit has {} events, {} changes and {} expectations: split it, {MAX_ROWS} rows (an event is \
                 three) fit one commit",
                self.events.len(),
                self.changes.len(),
                self.expectations.len()
            )));
        }
        Ok(())
    }
}

impl CommitError {
    pub(crate) fn conflict(key: &str, expected: Option<&[u8]>, found: Option<&[u8]>) -> Self {
        let found = match (expected, found) {
            (_, None) => "it does not exist",
            (None, Some(_)) => "it exists",
            (Some(_), Some(_)) => "it has another value",
        };
        Self::Conflict {
            key: key.to_owned(),
            found,
        }
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Stopped(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_no_store_could_hold_is_refused() {
        for key in [String::new(), "k".repeat(MAX_KEY + 1), "a\0b".to_owned()] {
            assert!(matches!(
                Commit::new().put(key.clone(), b"").check(),
                Err(CommitError::Invalid(_))
            ));
            assert!(matches!(
                Commit::new().expect_absent(key).check(),
                Err(CommitError::Invalid(_))
            ));
        }
        assert_eq!(Commit::new().put("k".repeat(MAX_KEY), b"").check(), Ok(()));
    }

    #[test]
    fn a_commit_that_would_hold_up_every_reader_is_refused() {
        let commit = (0..=MAX_ROWS).fold(Commit::new(), |commit, n| commit.put(n.to_string(), b""));
        assert!(commit.check().unwrap_err().to_string().contains("split it"));
    }

    #[test]
    fn a_faulty_event_makes_the_whole_commit_invalid() {
        let commit =
            Commit::new()
                .put("a", b"1")
                .event(Event::new("Bad Kind", "/s", "s", json!({})));
        assert!(matches!(commit.check(), Err(CommitError::Invalid(_))));
    }
}
