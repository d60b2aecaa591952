//! What a company's protocols contradict, leave open or say twice.
//!
//! A finding has a code, a severity, a place, an input that shows it and a cure. Decision tables are searched as boxes in
//! the space of their inputs, so that what is found is found by meaning and not by spelling: `< 18` and `[0..17]` overlap.
//! Every search has a budget; when it is spent, that is a finding too.
//!
//! ```
//! use polity_lint::{Code, Limits, lint_table};
//! use polity_tables::DecisionTable;
//!
//! let table = DecisionTable::load("decisions/refund.json", r#"{
//!     "name": "refund",
//!     "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
//!     "outputs": [{"name": "outcome", "typeRef": "string"}],
//!     "rules": [
//!         {"inputEntries": ["< 50"], "outputEntries": ["\"approve\""]},
//!         {"inputEntries": ["(50..500]"], "outputEntries": ["\"ask\""]}
//!     ]
//! }"#).unwrap();
//! let findings = lint_table(&table, &Limits::default());
//! assert_eq!(findings.iter().filter(|finding| finding.code == Code::Gap).count(), 2);
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod boxes;
mod code;
mod density;
mod diff;
mod edit;
mod finding;
mod report;
mod table;

pub mod graph;
pub mod render;

pub use code::Code;
pub use density::{Density, DocumentKind, Saving};
pub use diff::{Change, DiffError, Direction, TableDiff, diff};
pub use edit::{Edit, Misplaced, Suggestion};
pub use finding::{Finding, Severity};
pub use report::{ProcessDocument, Report, Sources};
pub use table::{Geometry, Limits, across, count_gaps, count_overlaps, lines_of, lint_table};
