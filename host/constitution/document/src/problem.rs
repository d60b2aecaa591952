//! What is wrong with a document, with its place and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Place;

/// One thing that keeps a document from being used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable and lower-case, for programs: `unknown-field`, `ill-typed-cell`.
    pub code: String,
    /// Where.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in one sentence.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if !self.place.pointer.is_empty() {
            write!(f, " (at {})", self.place.pointer)?;
        }
        write!(f, "\n  fix: {}", self.fix)
    }
}

impl std::error::Error for Problem {}
