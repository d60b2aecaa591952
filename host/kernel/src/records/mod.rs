//! The company's records: asked, changed and told of, each time as an action that the rules see.
//!
//! What a statement is about is known before it runs: the rules judge `records.query`, `records.insert`,
//! `records.update` or `records.delete` with the SQL, its parameters, and the collections and fields it touches. A
//! decision that lets something be changed is on the disk before it is; one that lets something be read is not waited
//! for.

mod answer;
mod backup;
mod error;
mod judge;
mod query;
mod rights;
mod store;
mod write;

pub use answer::{Collected, Piece as RecordPiece, RecordAnswer};
pub use backup::RecordBackup;
pub use error::RecordError;
pub use query::RecordQuery;
pub(crate) use query::quoted;
pub(crate) use store::Records;
pub use write::{Inserted, RecordExport};
