//! A document engine that speaks SQL, over ordered bytes.
//!
//! Records come as JSON documents and are asked for in SQL; nothing has to be declared first and nothing is lost on the
//! way in. The answers are PostgreSQL's (three-valued logic, exact numbers, integer division, nulls last, text by bytes),
//! so that the same query gives the same rows when a company moves there. Every order and every aggregate the engine keeps
//! beside the rows can be made, hidden, shown and dropped while it runs, because something else watches how it is used
//! and changes them: [`Observer`] tells what is asked, [`Engine::what_if`] what an index would be worth,
//! [`QueryOptions::masked`] runs one query without it, [`Mutation`] makes it and comes back with the way back.
//!
//! ```
//! # use std::sync::Arc;
//! # use polity_engine::{Document, Durability, Engine, MemoryKv, Options, Value};
//! let engine = Engine::open(Arc::new(MemoryKv::default()), Options::default())?;
//! let order = Document::parse(br#"{"id": 7, "customer": "ada", "total": 12.50}"#)?;
//! engine.insert("orders", &[order], Durability::Durable)?;
//! let answer = engine.query("SELECT customer, total * 2 FROM orders WHERE id = $1", &[Value::Int(7)])?;
//! assert_eq!(answer.rows[0][1].to_string(), "25.00");
//! # Ok::<(), polity_engine::EngineError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod catalogue;
mod change;
mod changing;
mod codec;
mod data_engine;
mod engine;
mod error;
mod exec;
mod front;
mod kv;
mod observe;
mod path;
mod plan;
mod rights;
mod sql;
mod statement;
mod transfer;
mod value;

pub use catalogue::{
    AggregateKind, BuildState, Catalogue, Collection, Field, FieldState, Index, Rollup, Type,
};
pub use change::build::Progress;
pub use change::forecast::{Change, Forecast, Forecaster, WhatIf};
pub use change::mutation::{Aggregate, Mutation};
pub use data_engine::DataEngine;
pub use engine::{Answer, Engine, Options, QueryOptions, Summary};
pub use error::{DocumentError, EngineError, Place};
pub use exec::Limits;
pub use front::Durability;
pub use kv::{Fault, FaultyKv, KvError, KvStore, MemoryKv, Op, Pair, SledKv, TreeId};
pub use observe::{
    NoObserver, Observer, Predicate, QueryObservation, QueryShape, WriteKind, WriteObservation,
};
pub use path::FieldPath;
pub use plan::PlanNode;
pub use rights::{Allowed, RowRights};
pub use statement::{Statement, StatementKind};
pub use transfer::{Format, OnProgress, read_documents};
pub use value::{Decimal, Document, MAX_DEPTH, MAX_DOCUMENT, MAX_FIELDS, Value};
