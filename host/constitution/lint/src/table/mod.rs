//! What a decision table contradicts, leaves open or says twice.

mod across;
mod columns;
mod gaps;
mod merging;
mod nulls;
mod overlaps;
mod redundant;
mod sheet;

use polity_tables::DecisionTable;

use crate::code::Code;
use crate::finding::Finding;

pub(crate) use across::joint;
pub use across::{across, lines_of};
pub(crate) use merging::groups;
pub(crate) use sheet::Sheet;

/// How far a search goes before it is given up and says so.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Parts of the space that are looked at, for each question about a table.
    pub nodes: usize,
    /// Pairs of rows that are listed.
    pub pairs: usize,
    /// Findings of one kind for each table; the rest is counted.
    pub listed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Some seconds at worst; tables that people write cost a thousandth of it.
            nodes: 2_000_000,
            pairs: 200_000,
            listed: 25,
        }
    }
}

/// Everything about one table, in the order of its places.
pub fn lint_table(table: &DecisionTable, limits: &Limits) -> Vec<Finding> {
    let sheet = Sheet::new(table, limits);
    let mut findings = Vec::new();
    if sheet.left_out {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            "a row lists so many separate values that it was left out of the search",
        ));
    }
    findings.extend(redundant::never(&sheet));
    findings.extend(overlaps::overlaps(&sheet));
    findings.extend(redundant::unreachable(&sheet));
    findings.extend(gaps::gaps(&sheet));
    findings.extend(merging::mergeable(&sheet));
    findings.extend(columns::idle(&sheet));
    findings.extend(nulls::null_approves(&sheet));
    findings.sort_by(|a, b| {
        (
            a.place.start,
            &a.place.pointer,
            std::cmp::Reverse(a.severity),
            a.code,
        )
            .cmp(&(
                b.place.start,
                &b.place.pointer,
                std::cmp::Reverse(b.severity),
                b.code,
            ))
    });
    findings
}

/// The part of the input space that no row decides.
pub(crate) fn open_share(sheet: &Sheet<'_>) -> f64 {
    let open = gaps::open_boxes(sheet);
    open.boxes
        .iter()
        .map(|sides| sheet.space.share(sides))
        .sum::<f64>()
        .clamp(0.0, 1.0)
}

/// How long the two searches that everything rests on take, and what they find. For benchmarks and for the curious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pairs of rows that overlap.
    pub overlaps: usize,
    /// Boxes that no row covers, after merging.
    pub gaps: usize,
    /// Whether both searches were finished.
    pub complete: bool,
}

/// The pairs of rows that overlap.
pub fn count_overlaps(table: &DecisionTable, limits: &Limits) -> Geometry {
    let sheet = Sheet::bare(table, limits);
    let (pairs, complete) = crate::boxes::pairs(&sheet.space, &sheet.may, limits.pairs);
    Geometry {
        overlaps: pairs.len(),
        gaps: 0,
        complete,
    }
}

/// The boxes that no row covers.
pub fn count_gaps(table: &DecisionTable, limits: &Limits) -> Geometry {
    let sheet = Sheet::bare(table, limits);
    let open = gaps::open_boxes(&sheet);
    Geometry {
        overlaps: 0,
        gaps: open.boxes.len(),
        complete: open.complete,
    }
}
