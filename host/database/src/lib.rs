//! A company's records: the engine on disk, watched in all its use.
//!
//! The engine knows how to answer and to change, the watch what is asked and written; neither knows the other. Here they
//! are one database in one folder: every query and every write that the engine tells of goes into the watch, a thread
//! brings relaxed writes to the disk twice a second, and what was watched survives a restart. With [`Database::evolve`]
//! it changes its own schema as well: strategies argue from what was watched, and what helps is kept.
//!
//! ```
//! # use std::sync::Arc;
//! # use polity_database::{Database, Document, Durability};
//! # let folder = tempfile::tempdir()?;
//! let database = Database::open(&folder.path().join("records"), Arc::new(|| 1_700_000_000_000))?;
//! let order = Document::parse(br#"{"customer": "ada", "total": 12.50}"#)?;
//! database.engine().insert("orders", &[order], Durability::Durable)?;
//! database.engine().query("SELECT total FROM orders WHERE customer = 'ada'", &[])?;
//! assert_eq!(database.stats().queries[0].calls, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod database;
mod discreet;
mod evolving;
mod keeper;
mod shapes;
mod watching;

pub use database::{Database, Now, OpenError};
pub use discreet::{Sight, discreet};
pub use evolving::{
    Answered, Asked, CannotTell, Conversation, Effect, Estimate, Evolver, MutationView,
    Observations, Overseer, Rehearsal, Rehearsed, RevertRefused, Settings, Stalled, StrategyView,
    WhatIf, Work,
};

pub use polity_engine::{
    Allowed, BuildState, Collection, Document, DocumentError, Durability, Engine, EngineError,
    Field, Format, Limits, MAX_DOCUMENT, PlanNode, QueryOptions, RowRights, Statement,
    StatementKind, Summary, Value, read_documents,
};
pub use polity_evolve as evolve;
pub use polity_watch::{QueryStats, Stats};
