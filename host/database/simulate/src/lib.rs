//! Months of a database's life in seconds.
//!
//! Whether a schema may be left to change itself cannot be tried out on somebody's data for half a year. Here the
//! memory, the strategies and the life of mutations run as they are; only the engine is a cost model and the clock a
//! number. What comes out is what would have been built, kept and taken back, and what all of it cost beside a
//! database that never changes.
//!
//! ```
//! let workload = serde_json::from_value(serde_json::json!({
//!     "days": 10,
//!     "collections": [{
//!         "name": "orders", "rows": 20_000, "row_bytes": 200, "writes_per_day": 200,
//!         "fields": [{"path": "customer", "distinct": 2_000}, {"path": "total", "distinct": 5_000, "kind": "integer"}]
//!     }],
//!     "queries": [{
//!         "shape": {"collection": "orders", "predicates": [{"path": "customer", "op": "equal"}]},
//!         "phases": [{"calls_per_day": 1_000}]
//!     }]
//! })).unwrap();
//! let report = polity_simulate::run(&workload);
//! assert_eq!(report.builds, 1);
//! assert!(report.cost_us < 0.5 * report.never_us);
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod convert;
mod engine;
mod noise;
pub mod rates;
mod report;
mod simulation;
mod strategies;
pub mod thrash;
mod workload;

pub use convert::proposal;
pub use noise::Noise;
pub use report::{Happened, Report};
pub use simulation::run;
pub use strategies::{Which, propose};
pub use workload::{CollectionLoad, FieldLoad, Machine, Phase, QueryLoad, Workload};
