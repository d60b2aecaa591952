//! What the linter has to say, one thing at a time.

use std::fmt;

use polity_tables::{Place, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::code::Code;
use crate::edit::Suggestion;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be meant so.
    Note,
    /// It should be looked at.
    Warning,
    /// It goes wrong when it is used.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which kind of finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is found, in one sentence without a full stop.
    pub message: String,
    /// Other places that belong to it, each with what is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<(Place, String)>,
    /// An input that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Json>,
    /// What would cure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

impl Finding {
    /// A finding without witness and cure.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            place,
            message: message.into(),
            related: Vec::new(),
            witness: None,
            suggestion: None,
        }
    }

    /// With another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With another place.
    #[must_use]
    pub fn related(mut self, place: Place, what: impl Into<String>) -> Self {
        self.related.push((place, what.into()));
        self
    }

    /// With an input that shows it.
    #[must_use]
    pub fn witness(mut self, witness: Json) -> Self {
        self.witness = Some(witness);
        self
    }

    /// With a cure.
    #[must_use]
    pub fn suggest(mut self, suggestion: Suggestion) -> Self {
        self.suggestion = Some(suggestion);
        self
    }
}

/// What keeps a document from being used is a finding too.
impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        let code = match problem.code.as_str() {
            "ill-typed-cell" | "unlisted-value" => Code::IllTypedCell,
            _ => Code::Unreadable,
        };
        Self::new(code, problem.place, problem.message).suggest(Suggestion::words(problem.fix))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
