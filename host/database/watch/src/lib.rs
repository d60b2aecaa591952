//! What records are used for, in bounded memory.
//!
//! A schema can change itself only if somebody remembers how it is used. This crate is that memory: the engine tells
//! it of every execution and every write, and it keeps counters and sketches whose size does not grow with the load.
//! It holds no row and no literal of a query, so that what it shows may be shown to a strategy that must never see
//! either.
//!
//! - *Queries*: an engine states a [`Shape`], the query without its literals. The heaviest shapes are kept by
//!   Space-Saving with decay ([`HeavyHitters`]), each with calls, rows, a latency histogram and the hours it runs in.
//! - *Fields*: for every dotted path of incoming documents, presence, kinds, distinct values ([`HyperLogLog`]), sizes,
//!   days it was seen in, when it was last written and last read.
//! - *Keys that are data* (`{"by_user": {"u1": …, "u2": …}}`) would make a path of every value. An object whose
//!   content is mostly in rare keys is a map, and all its keys count as the one path `by_user.*`.
//! - *Dependencies*: whether one field determines another, from whole groups of a bottom-k sample of its values.
//!
//! Time is told by the caller and never read from a clock; nothing is random. The same facts give the same snapshot.
//!
//! ```
//! use polity_watch::{Execution, Op, Shape, Watch};
//!
//! let mut watch = Watch::default();
//! watch.wrote("orders", &serde_json::json!({"customer": "ALFKI", "total": 12.5}), 1_000);
//! let shape = Shape::select("orders").filter("customer", Op::Equal);
//! watch.executed(&Execution::of(&shape).examined(1).returned(1).took_us(40), 2_000);
//!
//! let stats = watch.stats(2_000);
//! assert_eq!(stats.queries[0].shape.collection, "orders");
//! assert_eq!(stats.fields[0].path, "customer");
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod count_min;
mod decay;
mod dependency;
mod execution;
mod field;
mod hash;
mod heavy;
mod histogram;
mod hyperloglog;
mod kind;
mod limits;
mod objects;
mod path;
mod queries;
mod records;
mod shape;
mod snapshot;
mod stats;
mod value_shape;
mod watch;

pub use count_min::CountMin;
pub use decay::Decayed;
pub use dependency::{Dependencies, Dependent, Determines};
pub use execution::Execution;
pub use field::FieldUse;
pub use heavy::HeavyHitters;
pub use histogram::Histogram;
pub use hyperloglog::HyperLogLog;
pub use kind::Kind;
pub use limits::Limits;
pub use path::{escape, join, segments};
pub use shape::{Fingerprint, Op, Order, Predicate, Shape};
pub use snapshot::SnapshotError;
pub use stats::{AccessStats, CollectionStats, FieldStats, KindCount, QueryStats, Stats};
pub use watch::Watch;
