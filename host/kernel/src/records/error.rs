//! Why records were not asked or changed.

use polity_database::{EngineError, OpenError};
use uuid::Uuid;

use crate::drain::Draining;
use crate::{ActError, Decision};

/// Why records were not asked or changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The statement or the documents are refused, or the store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// One of several documents is refused.
    #[error("document {at}: {error}")]
    Document {
        /// Which, counted from 0.
        at: usize,
        /// Why.
        error: EngineError,
    },
    /// A parameter is no value.
    #[error("parameter ${number}: {error}")]
    Parameter {
        /// Which, counted from 1 as in the SQL.
        number: usize,
        /// Why.
        error: EngineError,
    },
    /// It changes records, and the actor may only ask for them.
    #[error(
        "{actor} may ask for records and not change them: the permission records:write is missing; a role in charter.json grants it"
    )]
    Forbidden {
        /// Who wanted it.
        actor: String,
    },
    /// It touches what the charter keeps for others.
    #[error(
        "{actor} may not touch {what}: the charter's records.restricted keeps it for holders of {}", roles.join(" or ")
    )]
    Restricted {
        /// Who wanted it.
        actor: String,
        /// The collection or the field.
        what: String,
        /// Who may.
        roles: Vec<String>,
    },
    /// It takes a whole collection, of which the charter lets the actor touch some rows.
    #[error(
        "{actor} may not touch every row of {collection:?}: the charter's records.rows keeps some for others; ask for rows with a SELECT, which gives those that may be seen"
    )]
    Rows {
        /// Who wanted it.
        actor: String,
        /// Of what.
        collection: String,
    },
    /// The rules do not let it happen.
    #[error("{}", .0.reason)]
    Denied(Box<Decision>),
    /// A person decides.
    #[error("{}", .0.reason)]
    Escalated(Box<Decision>),
    /// The rules amended it into something else than what was asked for.
    #[error("the rules amended it into what cannot be done: {detail}")]
    Amendment {
        /// What is wrong with it.
        detail: String,
        /// Its record.
        decision_id: Uuid,
    },
    /// It could not be judged.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The database does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
    /// It ran into a bug; the log has the details.
    #[error("the work on the records ended before its end; the log has the details")]
    Broken,
}
