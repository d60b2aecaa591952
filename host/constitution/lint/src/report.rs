//! All that was found, for whoever reads it.

use std::collections::BTreeMap;

use polity_tables::DecisionTable;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::density::{Density, density, process_density, repeated_between};
use crate::finding::{Finding, Severity};
use crate::graph::ProcessGraph;
use crate::table::{Limits, across, lint_table};

/// The findings of a check, and how dense each document is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was found, by file and place.
    pub findings: Vec<Finding>,
    /// How much each document says for its length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub density: Vec<Density>,
}

/// A protocol and the document that it was read from.
#[derive(Clone, Copy, Debug)]
pub struct ProcessDocument<'d> {
    /// The protocol. The ids of its tasks are JSON pointers into the document.
    pub graph: &'d ProcessGraph,
    /// The document.
    pub json: &'d Json,
}

/// The texts that findings speak of, by file.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// From files and their texts.
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// The text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.0.get(file).map(String::as_str)
    }
}

impl Report {
    /// Findings in the order of their places.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| {
            (
                &a.place.file,
                a.place.start,
                &a.place.pointer,
                std::cmp::Reverse(a.severity),
                a.code,
            )
                .cmp(&(
                    &b.place.file,
                    b.place.start,
                    &b.place.pointer,
                    std::cmp::Reverse(b.severity),
                    b.code,
                ))
        });
        Self {
            findings,
            density: Vec::new(),
        }
    }

    /// Checks tables, each alone and all together.
    pub fn of_tables(tables: &[&DecisionTable], limits: &Limits) -> Self {
        let mut findings: Vec<Finding> = Vec::new();
        let mut densities = Vec::with_capacity(tables.len());
        for table in tables {
            let own = lint_table(table, limits);
            densities.push(density(table, &own, limits));
            findings.extend(own);
        }
        findings.extend(across(tables, limits));
        Self {
            density: densities,
            ..Self::new(findings)
        }
    }

    /// How dense protocols are, each alone, and what stands in several places of them.
    pub fn of_processes(documents: &[ProcessDocument<'_>]) -> Self {
        Self {
            density: documents.iter().map(process_density).collect(),
            ..Self::new(repeated_between(documents))
        }
    }

    /// Adds the findings of another check.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut findings = self.findings;
        findings.extend(other.findings);
        let mut densities = self.density;
        densities.extend(other.density);
        Self {
            density: densities,
            ..Self::new(findings)
        }
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// The greatest severity.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}
