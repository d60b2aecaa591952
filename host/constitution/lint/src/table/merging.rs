//! Rows that say one thing in pieces.

use std::cell::Cell;
use std::collections::HashMap;

use polity_tables::HitPolicy;
use serde_json::Value as Json;

use super::Sheet;
use crate::boxes::Side;
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::Finding;

/// Rows that have become one.
pub(crate) struct Group {
    pub(crate) rows: Vec<u32>,
    pub(crate) sides: Vec<Side>,
}

/// What is left of the rows when those that can be joined are joined. Only rows that are one box take part; the others stay
/// as they are and are not listed.
pub(crate) fn groups(sheet: &Sheet<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = (0..sheet.rows() as u32)
        .filter(|row| sheet.is_certain(*row))
        .filter_map(|row| {
            let own = sheet.may.of_row(row);
            (own.len() == 1).then(|| Group {
                rows: vec![row],
                sides: sheet.may.sides(own.start).to_vec(),
            })
        })
        .collect();
    // Comparing with all rows between is quadratic for each join; what is not compared is not joined.
    let left = Cell::new(sheet.limits.nodes);
    loop {
        let before = groups.len();
        for at in 0..sheet.space.dims.len() {
            groups = along(sheet, at, groups, &left);
        }
        if groups.len() == before {
            groups.sort_by_key(|group| group.rows[0]);
            return groups;
        }
    }
}

fn along(sheet: &Sheet<'_>, at: usize, groups: Vec<Group>, left: &Cell<usize>) -> Vec<Group> {
    let mut alike: HashMap<(u32, Vec<Side>), Vec<Group>> = HashMap::new();
    for group in groups {
        let mut key = group.sides.clone();
        key[at] = 0;
        alike
            .entry((sheet.answers[group.rows[0] as usize], key))
            .or_default()
            .push(group);
    }
    let mut kept = Vec::new();
    for (_, mut alike) in alike {
        alike.sort_by_key(|group| (sheet.space.dims[at].any(group.sides[at]), group.rows[0]));
        let mut alike = alike.into_iter();
        let Some(mut current) = alike.next() else {
            continue;
        };
        for next in alike {
            if let Some(side) = joined(sheet, at, &current, &next, left) {
                current.sides[at] = side;
                current.rows.extend(next.rows);
                current.rows.sort_unstable();
            } else {
                kept.push(current);
                current = next;
            }
        }
        kept.push(current);
    }
    kept.sort_by_key(|group| group.rows[0]);
    kept
}

fn joined(sheet: &Sheet<'_>, at: usize, a: &Group, b: &Group, left: &Cell<usize>) -> Option<Side> {
    let dim = sheet.space.dims[at];
    let (x, y) = (a.sides[at], b.sides[at]);
    // Rows that overlap are another finding, and where all rows count joining them would change the answer.
    if dim.touches(x, y) {
        return None;
    }
    // `[1..5], [7..9]` in one cell is shorter, but not clearer than two rows.
    let side = dim.joined(x, y)?;
    order_allows(sheet, a, b, left).then_some(side)
}

/// Where the order of rows counts, the later may move up only past rows that it has nothing in common with.
fn order_allows(sheet: &Sheet<'_>, a: &Group, b: &Group, left: &Cell<usize>) -> bool {
    let policy = sheet.table.table().hit_policy;
    let counts = match policy {
        HitPolicy::Unique | HitPolicy::Any => false,
        HitPolicy::Collect => sheet.table.table().aggregation.is_none(),
        _ => true,
    };
    if !counts {
        return true;
    }
    let top = a.rows[0].min(b.rows[0]);
    let span: usize = a
        .rows
        .iter()
        .chain(&b.rows)
        .map(|row| (row - top) as usize)
        .sum();
    if span > left.get() {
        return false;
    }
    left.set(left.get() - span);
    a.rows.iter().chain(&b.rows).all(|moved| {
        let own = sheet.may.of_row(*moved);
        (top..*moved)
            .filter(|row| !a.rows.contains(row) && !b.rows.contains(row))
            .all(|row| {
                sheet.may.of_row(row).all(|other| {
                    own.clone().all(|own| {
                        !sheet
                            .space
                            .touches(sheet.may.sides(own), sheet.may.sides(other))
                    })
                })
            })
    })
}

pub(super) fn mergeable(sheet: &Sheet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut more = 0;
    for group in groups(sheet)
        .into_iter()
        .filter(|group| group.rows.len() > 1)
    {
        if findings.len() >= sheet.limits.listed {
            more += 1;
            continue;
        }
        findings.push(finding(sheet, &group));
    }
    if more > 0 {
        findings.push(Finding::new(
            Code::MergeableRows,
            sheet.place("/rules"),
            format!("{more} more groups of rows could be one row each"),
        ));
    }
    findings
}

fn finding(sheet: &Sheet<'_>, group: &Group) -> Finding {
    let numbers: Vec<String> = group.rows.iter().map(|row| (row + 1).to_string()).collect();
    let mut row = sheet.row_as(group.rows[0], &group.sides);
    let notes: Vec<&str> = group
        .rows
        .iter()
        .filter_map(|row| {
            sheet.table.table().rules[*row as usize]
                .annotation
                .as_deref()
        })
        .collect();
    if notes.len() > 1 && notes.iter().map(|note| note.len() + 2).sum::<usize>() < 2000 {
        row["annotation"] = Json::String(notes.join("; "));
    }
    let mut edits = vec![Edit::Replace {
        path: format!("/rules/{}", group.rows[0]),
        value: row,
    }];
    // From the end, so that places before stay what they are.
    edits.extend(group.rows[1..].iter().rev().map(|row| Edit::Remove {
        path: format!("/rules/{row}"),
    }));
    let mut finding = Finding::new(
        Code::MergeableRows,
        sheet.row_place(group.rows[0]),
        format!(
            "rows {} could be one row: {}",
            numbers.join(", "),
            sheet.in_words(&group.sides)
        ),
    )
    .witness(sheet.witness(&group.sides))
    .suggest(Suggestion::edits(
        format!("join rows {}", numbers.join(", ")),
        edits,
    ));
    for row in &group.rows[1..] {
        finding = finding.related(sheet.row_place(*row), sheet.row_in_words(*row));
    }
    finding
}
