//! Missing values that are let through. A row that asks nothing of a value passes it when it is missing too; that is rarely
//! what the author of an approval had in mind.

use polity_tables::Answer;

use super::Sheet;
use crate::boxes::{Budget, open};
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::{Finding, Severity};

pub(super) fn null_approves(sheet: &Sheet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, column) in sheet.table.columns().iter().enumerate() {
        let asked = column.cells.iter().any(|cell| !cell.is_any());
        let Some(null) = column.axis.null().filter(|_| asked) else {
            continue;
        };
        let rows: Vec<u32> = (0..sheet.rows() as u32)
            .filter(|row| {
                let cell = &column.cells[*row as usize];
                cell.must.contains(null) && !cell.names_null && permits(sheet, *row)
            })
            .filter(|row| decides(sheet, at, null, *row))
            .collect();
        let Some(row) = rows.first() else {
            continue;
        };
        let mut sides = sheet.may.sides(sheet.may.of_row(*row).start).to_vec();
        sides[at] = only(sheet, at, null);
        let numbers: Vec<String> = rows.iter().map(|row| (row + 1).to_string()).collect();
        let edits = rows
            .iter()
            .filter(|row| column.cells[**row as usize].is_any())
            .map(|row| Edit::Replace {
                path: format!("/rules/{row}/inputEntries/{at}"),
                value: "not(null)".into(),
            })
            .collect();
        let severity = if sheet.table.assumes_nulls() {
            Severity::Note
        } else {
            Severity::Warning
        };
        findings.push(
            Finding::new(
                Code::NullApproves,
                sheet.place(&format!("/rules/{row}/inputEntries/{at}")),
                format!(
                    "{} {} {} when {} is missing",
                    if rows.len() == 1 { "row" } else { "rows" },
                    numbers.join(", "),
                    if rows.len() == 1 { "permits" } else { "permit" },
                    column.label
                ),
            )
            .severity(severity)
            .witness(sheet.witness(&sides))
            .suggest(Suggestion::edits(
                format!(
                    "demand {} with `not(null)`, or say `null` where it is meant",
                    column.label
                ),
                edits,
            )),
        );
    }
    findings
}

fn only(sheet: &Sheet<'_>, at: usize, rank: u32) -> u64 {
    if sheet.space.dims[at].bits {
        1 << rank
    } else {
        crate::boxes::interval(rank, rank)
    }
}

fn permits(sheet: &Sheet<'_>, row: u32) -> bool {
    sheet
        .table
        .outputs()
        .iter()
        .enumerate()
        .any(|(at, output)| match &output.answers[row as usize] {
            Answer::Constant(value) => sheet.permits(at, value),
            Answer::Computed(_) => false,
        })
}

/// Whether rows before it, in a table where the first counts, leave it something for null.
fn decides(sheet: &Sheet<'_>, at: usize, null: u32, row: u32) -> bool {
    use polity_tables::HitPolicy;
    let own = sheet.may.of_row(row);
    if own.is_empty() {
        return false;
    }
    if sheet.table.table().hit_policy != HitPolicy::First {
        return true;
    }
    let earlier: Vec<u32> = (0..sheet.must.len() as u32)
        .filter(|other| sheet.must.rows[*other as usize] < row)
        .collect();
    own.clone().any(|own| {
        let mut sides = sheet.may.sides(own).to_vec();
        if !sheet.space.dims[at].touches(sides[at], only(sheet, at, null)) {
            return false;
        }
        sides[at] = only(sheet, at, null);
        let mut budget = Budget { nodes: 10_000 };
        let left = open(&sheet.space, &sides, &sheet.must, &earlier, &mut budget, 1);
        !left.boxes.is_empty() || !left.complete
    })
}
