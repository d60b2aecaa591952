//! Errors as problem details (RFC 9457), with the standard types of the specification.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the types of standard errors live. The specification has moved house and its texts name several addresses; see
/// [`same_type`].
const BASE: &str = "https://open-workflow-specification.org/spec/1.0.0/errors/";

/// Addresses that have stood before the names of standard errors.
const ALIASES: [&str; 7] = [
    BASE,
    "https://open-workflow-specification.org/dsl/errors/types/",
    "https://open-workflow-specification.org/errors/types/",
    "https://open-workflow-specification.org/1.0.0/errors/",
    "https://serverlessworkflow.io/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
    "https://serverlessworkflow.io.io/dsl/errors/types/",
];

/// A standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// The workflow asks for what this host does not do.
    Configuration,
    /// Data does not fit its schema.
    Validation,
    /// An expression failed.
    Expression,
    /// Nobody knows who asks.
    Authentication,
    /// Who asks may not.
    Authorization,
    /// It took too long.
    Timeout,
    /// The other side failed.
    Communication,
    /// This side failed.
    Runtime,
}

/// An error of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A URI that says what went wrong.
    #[serde(rename = "type")]
    pub kind: String,
    /// A status code in the sense of HTTP.
    pub status: u16,
    /// JSON pointer to the task.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// What went wrong, in general.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What went wrong this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whatever else the error says. Boxed, since results carry errors everywhere.
    #[serde(flatten)]
    pub more: Box<Map<String, Value>>,
}

impl FaultKind {
    const fn facts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Configuration => ("configuration", 400, "Configuration Error"),
            Self::Validation => ("validation", 400, "Validation Error"),
            Self::Expression => ("expression", 400, "Expression Error"),
            Self::Authentication => ("authentication", 401, "Authentication Error"),
            Self::Authorization => ("authorization", 403, "Authorization Error"),
            Self::Timeout => ("timeout", 408, "Timeout Error"),
            Self::Communication => ("communication", 500, "Communication Error"),
            Self::Runtime => ("runtime", 500, "Runtime Error"),
        }
    }
}

impl Fault {
    /// A standard error.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        let (name, status, title) = kind.facts();
        Self {
            kind: format!("{BASE}{name}"),
            status,
            instance: String::new(),
            title: Some(title.to_owned()),
            detail: Some(detail.into()),
            more: Box::default(),
        }
    }

    /// A failure of the other side, with its status.
    pub fn communication(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::new(FaultKind::Communication, detail)
        }
    }

    /// The error as data.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// An error that a document raises.
    pub(crate) fn raised(error: &Value) -> Self {
        let mut more = error.as_object().cloned().unwrap_or_default();
        let mut text = |name: &str| match more.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        let kind = text("type").unwrap_or_else(|| format!("{BASE}runtime"));
        let instance = text("instance").unwrap_or_default();
        let (title, detail) = (text("title"), text("detail"));
        let status = more
            .remove("status")
            .and_then(|status| status.as_u64())
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(500);
        Self {
            kind,
            status,
            instance,
            title,
            detail,
            more: Box::new(more),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.title.as_deref().unwrap_or(&self.kind),
            self.status
        )?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if !self.instance.is_empty() {
            write!(f, " at {}", self.instance)?;
        }
        Ok(())
    }
}

/// True where two URIs name the same standard error, whichever of the addresses it stands under, or are equal.
pub(crate) fn same_type(a: &str, b: &str) -> bool {
    let name = |uri: &str| {
        ALIASES
            .iter()
            .find_map(|base| uri.strip_prefix(base).map(str::to_owned))
    };
    a == b || name(a).is_some_and(|a| Some(a) == name(b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_standard_error_is_known_under_all_its_addresses() {
        let ours = Fault::communication(404, "no such pet").kind;
        assert!(same_type(
            &ours,
            "https://open-workflow-specification.org/dsl/errors/types/communication"
        ));
        assert!(same_type(
            &ours,
            "https://serverlessworkflow.io/spec/1.0.0/errors/communication"
        ));
        assert!(!same_type(
            &ours,
            "https://serverlessworkflow.io/spec/1.0.0/errors/timeout"
        ));
        assert!(!same_type(
            "https://a.example/communication",
            "https://b.example/communication"
        ));
    }

    #[test]
    fn a_raised_error_keeps_what_it_says() {
        let error =
            json!({"type": "https://x.example/late", "status": 409, "title": "Late", "days": 3});
        let fault = Fault::raised(&error);
        assert_eq!(fault.to_value(), error);
        assert_eq!(
            serde_json::from_value::<Fault>(fault.to_value()).unwrap(),
            fault
        );
    }
}
