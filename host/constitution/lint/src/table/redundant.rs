//! Rows that decide nothing.

use polity_tables::{Answer, HitPolicy};

use super::Sheet;
use super::overlaps::remove;
use crate::boxes::{Budget, open};
use crate::code::Code;
use crate::finding::Finding;

/// Cells that let no value through.
pub(super) fn never(sheet: &Sheet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, column) in sheet.table.columns().iter().enumerate() {
        for (row, cell) in column.cells.iter().enumerate() {
            if cell.may.is_empty() && findings.len() < sheet.limits.listed {
                let place = sheet.place(&format!("/rules/{row}/inputEntries/{at}"));
                findings.push(
                    Finding::new(
                        Code::NeverMatches,
                        place,
                        format!(
                            "`{}` lets no value of {} through, so that row {} never matches",
                            cell.text,
                            column.label,
                            row + 1
                        ),
                    )
                    .suggest(remove(row as u32)),
                );
            }
        }
    }
    findings
}

/// Rows of which those that outrank them leave nothing.
pub(super) fn unreachable(sheet: &Sheet<'_>) -> Vec<Finding> {
    let policy = sheet.table.table().hit_policy;
    if !matches!(policy, HitPolicy::First | HitPolicy::Priority) {
        return Vec::new();
    }
    let mut budget = Budget {
        nodes: sheet.limits.nodes,
    };
    let priorities: Option<Vec<_>> = (policy == HitPolicy::Priority)
        .then(|| (0..sheet.rows()).map(|row| priority(sheet, row)).collect());
    let mut findings = Vec::new();
    let mut given_up = false;
    for row in 0..sheet.rows() as u32 {
        let own = sheet.may.of_row(row);
        if own.is_empty() {
            continue;
        }
        let stronger: Vec<u32> = (0..sheet.must.len() as u32)
            .filter(|at| outranks(priorities.as_deref(), sheet.must.rows[*at as usize], row))
            .filter(|at| {
                own.clone().any(|own| {
                    sheet
                        .space
                        .touches(sheet.may.sides(own), sheet.must.sides(*at as usize))
                })
            })
            .collect();
        if stronger.is_empty() {
            continue;
        }
        let mut reached = false;
        for own in own.clone() {
            let left = open(
                &sheet.space,
                sheet.may.sides(own),
                &sheet.must,
                &stronger,
                &mut budget,
                1,
            );
            reached |= !left.boxes.is_empty() || !left.complete;
            given_up |= !left.complete && left.boxes.is_empty();
            if reached {
                break;
            }
        }
        if reached {
            continue;
        }
        let sides = sheet.may.sides(own.start);
        let mut takers: Vec<u32> = stronger
            .iter()
            .map(|at| sheet.must.rows[*at as usize])
            .collect();
        takers.dedup();
        let listed: Vec<String> = takers
            .iter()
            .take(5)
            .map(|row| (row + 1).to_string())
            .collect();
        let more = if takers.len() > 5 { " and others" } else { "" };
        let why = if policy == HitPolicy::First {
            "come first and"
        } else {
            "outrank it and"
        };
        let (word, verb) = if takers.len() == 1 {
            ("row", "takes")
        } else {
            ("rows", "take")
        };
        let why = if takers.len() == 1 {
            why.replace("come", "comes")
                .replace("outrank ", "outranks ")
        } else {
            why.to_owned()
        };
        if findings.len() < sheet.limits.listed {
            findings.push(
                Finding::new(
                    Code::UnreachableRow,
                    sheet.row_place(row),
                    format!("row {} is never decisive: {word} {}{more} {why} {verb} all that it matches", row + 1, listed.join(", ")),
                )
                .related(sheet.row_place(takers[0]), sheet.row_in_words(takers[0]))
                .witness(sheet.witness(sides))
                .suggest(remove(row)),
            );
        }
    }
    if given_up {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            "the budget of the search for unreachable rows was reached; there may be more",
        ));
    }
    findings
}

/// The rank of a row's outputs, where all that rank are constant: what is computed may rank anywhere.
fn priority(sheet: &Sheet<'_>, row: usize) -> Option<Vec<usize>> {
    let ranking = sheet
        .table
        .outputs()
        .iter()
        .filter(|output| !output.listed.is_empty());
    ranking
        .map(|output| match &output.answers[row] {
            Answer::Constant(value) => Some(output.priority(value)),
            Answer::Computed(_) => None,
        })
        .collect()
}

/// Whether one row decides where both match.
fn outranks(priorities: Option<&[Option<Vec<usize>>]>, strong: u32, weak: u32) -> bool {
    let Some(priorities) = priorities else {
        return strong < weak;
    };
    match (&priorities[strong as usize], &priorities[weak as usize]) {
        (Some(a), Some(b)) => a < b || (a == b && strong < weak),
        _ => false,
    }
}
