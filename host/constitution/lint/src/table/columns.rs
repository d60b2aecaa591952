//! Columns that are asked for nothing.

use polity_tables::HitPolicy;
use serde_json::Value as Json;

use super::Sheet;
use super::gaps::open_boxes;
use crate::boxes::Boxes;
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::Finding;

pub(super) fn idle(sheet: &Sheet<'_>) -> Vec<Finding> {
    let policy = sheet.table.table().hit_policy;
    let width = sheet.space.dims.len();
    if sheet.rows() == 0 || width < 2 {
        return Vec::new();
    }
    let used = used_in_expressions(sheet);
    let provable = matches!(policy, HitPolicy::Unique | HitPolicy::Any) && !sheet.left_out;
    // A row that never matches would begin to, if its column asked for nothing.
    let certain = (0..sheet.rows() as u32)
        .all(|row| sheet.is_certain(row) && !sheet.may.of_row(row).is_empty());
    let matters = if provable && certain {
        differing(sheet)
    } else {
        vec![true; width]
    };
    let mut findings = Vec::new();
    for at in 0..width {
        let column = &sheet.table.columns()[at];
        let asks_nothing = column.cells.iter().all(|cell| cell.is_any());
        if used[at] || (matters[at] && !asks_nothing) {
            continue;
        }
        let message = if asks_nothing {
            format!("no row asks for {}", column.label)
        } else {
            format!("the answer is the same whatever {} is", column.label)
        };
        let mut finding = Finding::new(
            Code::IdleColumn,
            sheet.place(&format!("/inputs/{at}")),
            message,
        );
        // Whatever else such an input says in this column, it is answered so.
        if !sheet.may.rows.is_empty() {
            finding = finding.witness(sheet.witness(sheet.may.sides(0)));
        }
        // A column whose cells differ leaves rows behind that say the same; those are merged by another cure.
        if asks_nothing {
            let mut edits: Vec<Edit> = (0..sheet.rows())
                .map(|row| Edit::Remove {
                    path: format!("/rules/{row}/inputEntries/{at}"),
                })
                .collect();
            edits.push(Edit::Remove {
                path: format!("/inputs/{at}"),
            });
            finding = finding.suggest(Suggestion::edits(
                format!("remove the column {}", column.label),
                edits,
            ));
        } else {
            let edits = (0..sheet.rows())
                .map(|row| Edit::Replace {
                    path: format!("/rules/{row}/inputEntries/{at}"),
                    value: Json::String("-".to_owned()),
                })
                .collect();
            finding = finding.suggest(Suggestion::edits(
                format!(
                    "ask for nothing in the column {}, then join the rows that have become alike",
                    column.label
                ),
                edits,
            ));
        }
        findings.push(finding);
    }
    findings
}

/// Inputs that outputs or other columns' cells compute with.
fn used_in_expressions(sheet: &Sheet<'_>) -> Vec<bool> {
    use polity_tables::Answer;
    let mut names = std::collections::HashSet::new();
    let mut note = |name: &str| {
        names.insert(name.to_owned());
    };
    for output in sheet.table.outputs() {
        for answer in output.answers.iter().chain(&output.default) {
            if let Answer::Computed(expr) = answer {
                expr.each_name(&mut |name| note(name));
            }
        }
    }
    for column in sheet.table.columns() {
        for cell in &column.cells {
            for test in cell.tests.iter().filter(|_| cell.dynamic) {
                test.each_name(&mut |name| note(name));
            }
        }
    }
    sheet
        .table
        .columns()
        .iter()
        .map(|column| {
            column
                .path
                .as_deref()
                .and_then(|path| path.first())
                .is_none_or(|name| names.contains(&**name))
        })
        .collect()
}

/// For each column whether it keeps rows with different answers apart, or an open region from a closed one.
fn differing(sheet: &Sheet<'_>) -> Vec<bool> {
    let width = sheet.space.dims.len();
    let full = sheet.space.full();
    let mut matters = vec![false; width];
    let open = open_boxes(sheet);
    if !open.complete {
        return vec![true; width];
    }
    for sides in &open.boxes {
        for at in 0..width {
            matters[at] |= sides[at] != full[at];
        }
    }
    // Beyond this, comparing all pairs takes longer than a reader waits.
    if sheet.may.len() > 6_000 {
        return vec![true; width];
    }
    // Two rows that are apart in one column alone are kept apart by it.
    let boxes: &Boxes = &sheet.may;
    let unique = sheet.table.table().hit_policy == HitPolicy::Unique;
    for a in 0..boxes.len() {
        for b in a + 1..boxes.len() {
            if matters.iter().all(|known| *known) {
                return matters;
            }
            if boxes.rows[a] == boxes.rows[b] {
                continue;
            }
            let same =
                sheet.answers[boxes.rows[a] as usize] == sheet.answers[boxes.rows[b] as usize];
            let mut apart = None;
            let mut several = false;
            for (at, dim) in sheet.space.dims.iter().enumerate() {
                if !dim.touches(boxes.sides(a)[at], boxes.sides(b)[at]) {
                    several |= apart.is_some();
                    apart = Some(at);
                    if several {
                        break;
                    }
                }
            }
            // While rows contradict each other, nobody knows yet what the answer is.
            if apart.is_none() && (!same || unique) {
                return vec![true; width];
            }
            if same {
                continue;
            }
            if let (Some(at), false) = (apart, several) {
                matters[at] = true;
            }
        }
    }
    matters
}
