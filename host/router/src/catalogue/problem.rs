//! What is wrong with a `models.json`.

use std::fmt;

use serde::Serialize;

/// The file's name, for messages.
const FILE: &str = "models.json";

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverlayProblem {
    /// The JSON pointer of the part, empty for the whole document.
    pub pointer: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in one sentence.
    pub fix: String,
}

/// Why a `models.json` was not taken: everything at once. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverlayProblems(pub Vec<OverlayProblem>);

/// A part of the overlay that applies to nothing now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The JSON pointer of the part.
    pub pointer: String,
    /// What is the matter.
    pub message: String,
}

impl fmt::Display for OverlayProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}: {}", self.message)?;
        if !self.pointer.is_empty() {
            write!(f, " (at {})", self.pointer)?;
        }
        write!(f, "\n  fix: {}", self.fix)
    }
}

impl fmt::Display for OverlayProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for OverlayProblems {}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}: {} (at {})", self.message, self.pointer)
    }
}

/// A name as a part of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
