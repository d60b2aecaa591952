//! What can go wrong, told apart by what the caller should do about it.

use serde::Serialize;

use crate::kv::KvError;

/// Why a statement or a change was not carried out. Nothing of it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EngineError {
    /// The SQL text does not parse.
    #[error("this is not SQL that can be read: {reason}")]
    Syntax {
        /// What the parser found, with line and column.
        reason: String,
    },
    /// A part of SQL that this engine does not carry out.
    #[error("{part} is not supported{}{hint}", place(at))]
    Unsupported {
        /// The exact part.
        part: String,
        /// Where, when the parser knows.
        at: Option<Place>,
        /// What to write instead; empty when there is nothing.
        hint: String,
    },
    /// A name that is not there.
    #[error("there is no {what} {name:?}{}{}", place(at), known(valid))]
    Unknown {
        /// Collection, field, index…
        what: &'static str,
        /// The name.
        name: String,
        /// Where.
        at: Option<Place>,
        /// What there is instead.
        valid: Vec<String>,
    },
    /// The statement is understood and makes no sense.
    #[error("{reason}{}", place(at))]
    Invalid {
        /// Why.
        reason: String,
        /// Where.
        at: Option<Place>,
    },
    /// A value cannot be computed: division by zero, a number out of range, a text that is no number.
    #[error("{0}")]
    Compute(String),
    /// A document is refused at the door.
    #[error("{0}")]
    Document(#[from] DocumentError),
    /// There is already something with this name or key.
    #[error("{what} {name:?} is already there")]
    Exists {
        /// Collection, index, document…
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A limit was reached; the limits are the caller's.
    #[error("the query was stopped: {what} is over the limit of {limit}; {hint}")]
    Limit {
        /// Rows, bytes, time…
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What to do.
        hint: &'static str,
    },
    /// The caller may not touch such a row.
    #[error(
        "a row that would be written to {collection:?} is not one of those that may be touched: write only rows that you can read"
    )]
    Beyond {
        /// The collection.
        collection: String,
    },
    /// A change of the schema cannot be made on this data.
    #[error("{0}")]
    Mutation(String),
    /// The store below failed.
    #[error(transparent)]
    Store(#[from] KvError),
    /// An earlier write did not reach the disk; nothing is written until the engine has been told to recover.
    #[error(
        "writing has stopped because an earlier write did not reach the disk ({reason}): make room or repair the disk, then call recover"
    )]
    Stopped {
        /// What happened then.
        reason: String,
    },
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum DocumentError {
    /// Not JSON.
    #[error("the document is not JSON: {reason} at byte {at}")]
    Syntax {
        /// What was found.
        reason: String,
        /// Where.
        at: usize,
    },
    /// Not UTF-8.
    #[error("the document is not UTF-8 from byte {at} on: convert it first")]
    Encoding {
        /// Where.
        at: usize,
    },
    /// A key twice in one object; keeping either would lose the other.
    #[error("the key {key:?} is twice in one object, at byte {at}: rename one of them")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where the second is.
        at: usize,
    },
    /// Nested too deep.
    #[error("the document is nested deeper than {limit} levels at byte {at}: flatten it")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where.
        at: usize,
    },
    /// Too big.
    #[error(
        "the document has {bytes} bytes and the limit is {limit}: keep big content in a file and store its address"
    )]
    TooBig {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many fields.
    #[error(
        "the document has more than {limit} fields: put those that belong together into an object"
    )]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// The outermost value is no object.
    #[error("a document is a JSON object, this is {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// The key is of a kind that cannot be a key.
    #[error("the id of a document is a number or a text, this is {found}")]
    BadId {
        /// What it is.
        found: &'static str,
    },
    /// A value against the declared schema.
    #[error("the field {field:?} is declared as {declared} and this is {found}")]
    WrongType {
        /// The field.
        field: String,
        /// What the schema says.
        declared: String,
        /// What came.
        found: String,
    },
    /// A declared field is missing.
    #[error("the field {field:?} is required")]
    Missing {
        /// The field.
        field: String,
    },
}

/// A place in the SQL text, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl EngineError {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
            at: None,
        }
    }

    pub(crate) fn beyond_rights(collection: &str) -> Self {
        Self::Beyond {
            collection: collection.to_owned(),
        }
    }

    pub(crate) fn unsupported(part: impl Into<String>, at: Option<Place>) -> Self {
        Self::Unsupported {
            part: part.into(),
            at,
            hint: String::new(),
        }
    }

    pub(crate) fn with_hint(self, text: &str) -> Self {
        match self {
            Self::Unsupported { part, at, .. } => Self::Unsupported {
                part,
                at,
                hint: format!("; {text}"),
            },
            other => other,
        }
    }
}

fn place(at: &Option<Place>) -> String {
    at.map(|at| format!(" (line {}, column {})", at.line, at.column))
        .unwrap_or_default()
}

fn known(valid: &[String]) -> String {
    match valid.len() {
        0 => String::new(),
        1..=12 => format!("; there is: {}", valid.join(", ")),
        more => format!("; there are {more}, among them: {}", valid[..12].join(", ")),
    }
}
