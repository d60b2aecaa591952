//! Decision tables: what a company decides, row by row, exactly and with reasons.
//!
//! A table is a JSON or YAML document with the field names of DMN. [`DecisionTable::load`] checks it and reports all that
//! is wrong with file, line and pointer; [`DecisionTable::decide`] answers, and [`DecisionTable::explain`] says which rows
//! matched and why. Amounts are exact decimals. An input that is missing or of the wrong kind is an error and matches no
//! row: `amount <= 500` does not hold for an amount that nobody sent.
//!
//! Tables that other modellers made come in through [`dmn`].
//!
//! ```
//! use polity_tables::DecisionTable;
//! use serde_json::json;
//!
//! let table = DecisionTable::load("decisions/refund-limit.json", r#"{
//!     "name": "refund-limit",
//!     "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": "[0..10000]"}],
//!     "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["approve", "escalate"]}],
//!     "rules": [
//!         {"inputEntries": ["< 50"], "outputEntries": ["approve"]},
//!         {"inputEntries": [">= 50"], "outputEntries": ["escalate"]}
//!     ]
//! }"#).unwrap();
//!
//! let decision = table.decide(&json!({"amount": 49.99})).unwrap();
//! assert_eq!((decision.value.to_json(), decision.matched), (json!("approve"), vec![0]));
//! assert!(table.decide(&json!({})).is_err());
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod compile;
mod decision;
mod explain;
mod feel;
mod hit;
mod render;
mod table;
mod value;

pub mod dmn;

pub use compile::{Answer, Axis, Cell, Column, Fault, Options, OutputColumn, Ranks};
pub use decision::{DecideError, Decision, DecisionTable, SCHEMA, Status};
pub use explain::{Condition, Explanation, MatchedRow};
pub use feel::{
    Argument, Arithmetic, Comparison, Ends, EvalError, Expr, NoNames, Scope, SyntaxError, Test,
    Variables, evaluate, parse_expression, parse_tests, passes,
};
pub use polity_document::{Document, MAX_BYTES, Place, Problem};
pub use table::{Aggregation, AllowedValues, Entry, HitPolicy, Input, Output, Rule, Table};
pub use value::{Date, DateTime, DaysDuration, Kind, MonthsDuration, Range, Time, Value};
