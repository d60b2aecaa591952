//! What went wrong with records, as a fault of the part of the request that is to blame.

use std::time::Duration;

use polity_database::EngineError;
use polity_kernel::{ActError, Decision, RecordError};

use crate::serve::fault::{Fault, Kind};
use crate::serve::json::nearest;

/// Of a request whose body holds a statement.
pub(super) fn of_statement(error: RecordError) -> Fault {
    match error {
        RecordError::Engine(error) => engine(error, "/sql"),
        RecordError::Parameter { number, error } => {
            Fault::at(format!("/params/{}", number - 1), error.to_string())
        }
        other => of_document(other),
    }
}

/// Of a request whose path names a collection and whose body holds documents.
pub(in crate::serve::api) fn of_document(error: RecordError) -> Fault {
    match error {
        RecordError::Engine(error) => engine(error, ""),
        RecordError::Document { at, error } => Fault::at(format!("/{at}"), error.to_string()),
        RecordError::Forbidden { .. } => Fault::new(Kind::Forbidden, error.to_string())
            .with("permission", polity_constitution::Permission::RecordsWrite),
        RecordError::Restricted { .. } | RecordError::Rows { .. } => {
            Fault::new(Kind::Forbidden, error.to_string())
        }
        RecordError::Denied(decision) => judged(Kind::Denied, &decision),
        RecordError::Escalated(decision) => {
            judged(Kind::Escalated, &decision).with("inbox_items", &decision.inbox_items)
        }
        RecordError::Amendment { decision_id, .. } => {
            Fault::new(Kind::Denied, error.to_string()).decided_by(decision_id)
        }
        RecordError::Act(ActError::Invalid(detail)) => Fault::new(Kind::Invalid, detail),
        RecordError::Draining(_) | RecordError::Act(ActError::Draining(_)) => {
            Fault::new(Kind::Draining, error.to_string()).retry_after(Duration::from_secs(5))
        }
        RecordError::Parameter { .. }
        | RecordError::Act(_)
        | RecordError::Open(_)
        | RecordError::Broken => Fault::internal(error),
    }
}

/// A collection that is not there.
pub(in crate::serve::api) fn no_collection<'n>(
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Fault {
    let near = nearest(name, known);
    let near = near.map(|near| format!("; did you mean {near:?}?"));
    Fault::new(
        Kind::NotFound,
        format!(
            "there is no collection {name:?}{}",
            near.unwrap_or_default()
        ),
    )
}

fn judged(kind: Kind, decision: &Decision) -> Fault {
    Fault::new(kind, decision.reason.clone()).decided_by(decision.id)
}

fn engine(error: EngineError, pointer: &str) -> Fault {
    let said = error.to_string();
    match error {
        EngineError::Unknown {
            what: "collection", ..
        } if pointer.is_empty() => Fault::new(Kind::NotFound, said),
        EngineError::Exists { .. } => Fault::new(Kind::Conflict, said),
        EngineError::Beyond { .. } => Fault::new(Kind::Forbidden, said),
        EngineError::Limit { what, .. } if what.contains("time") => Fault::new(Kind::Timeout, said),
        EngineError::Store(_) | EngineError::Stopped { .. } => Fault::internal(said),
        _ => Fault::at(pointer, said),
    }
}
