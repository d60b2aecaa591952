//! Why the schema was not told of or changed.

use polity_constitution::KindError;
use polity_database::Stalled;
use polity_database::evolve::RevertError;
use uuid::Uuid;

use crate::drain::Draining;
use crate::{ActError, Decision, RecordError};

/// Why the schema was not told of or changed.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// There is no such mutation.
    #[error("there is no mutation {0}; `polity db history` lists them")]
    Unknown(Uuid),
    /// It cannot be taken back.
    #[error(transparent)]
    Revert(RevertError),
    /// The journal does not store or read.
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// The records are open without anything that changes their schema.
    #[error("the schema of these records does not change by itself")]
    Still,
    /// The actor may not.
    #[error(
        "{actor} may not change the schema of records: the permission records:write is missing; a role in charter.json grants it"
    )]
    Forbidden {
        /// Who wanted it.
        actor: String,
    },
    /// The rules do not let it happen now.
    #[error("{}", .0.reason)]
    Judged(Box<Decision>),
    /// It could not be judged.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The records cannot be used.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
    /// The kind of action is no kind.
    #[error(transparent)]
    Kind(#[from] KindError),
}
