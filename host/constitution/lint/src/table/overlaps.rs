//! Rows that match one input together, where the hit policy has no use for that.

use polity_tables::{DecideError, HitPolicy};

use super::Sheet;
use crate::boxes::{Side, pairs};
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::{Finding, Severity};

pub(super) fn overlaps(sheet: &Sheet<'_>) -> Vec<Finding> {
    let policy = sheet.table.table().hit_policy;
    if policy == HitPolicy::First {
        return Vec::new();
    }
    let (pairs, complete) = pairs(&sheet.space, &sheet.may, sheet.limits.pairs);
    let mut findings = Vec::new();
    let mut more = 0;
    let mut seen: Option<(u32, u32)> = None;
    for (a, b) in pairs {
        let rows = (sheet.may.rows[a as usize], sheet.may.rows[b as usize]);
        if seen == Some(rows) {
            continue;
        }
        if findings.len() >= sheet.limits.listed {
            // Whether each of the rest is a finding is not worth what it costs to word it.
            more += usize::from(matters(sheet, policy, rows));
            seen = Some(rows);
            continue;
        }
        let common = sheet
            .space
            .common(sheet.may.sides(a as usize), sheet.may.sides(b as usize));
        if let Some(finding) = finding(sheet, policy, rows, &common) {
            seen = Some(rows);
            findings.push(finding);
        }
    }
    if more > 0 {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            format!("{more} more pairs of rows overlap and are not listed"),
        ));
    }
    if !complete {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            format!(
                "the budget of {} overlapping pairs was reached; there may be more",
                sheet.limits.pairs
            ),
        ));
    }
    findings
}

fn same_answer(sheet: &Sheet<'_>, (a, b): (u32, u32)) -> bool {
    sheet.answers[a as usize] == sheet.answers[b as usize]
}

fn matters(sheet: &Sheet<'_>, policy: HitPolicy, rows: (u32, u32)) -> bool {
    match policy {
        HitPolicy::Unique => true,
        HitPolicy::Any => !same_answer(sheet, rows),
        _ => false,
    }
}

fn finding(
    sheet: &Sheet<'_>,
    policy: HitPolicy,
    rows: (u32, u32),
    common: &[Side],
) -> Option<Finding> {
    let (a, b) = rows;
    let same = same_answer(sheet, rows);
    let certain = sheet.is_certain(a) && sheet.is_certain(b);
    let (a_in_b, b_in_a) = (within(sheet, a, b), within(sheet, b, a));
    let twins = certain && a_in_b && b_in_a;
    let where_ = sheet.in_words(common);
    let (code, message, cure) = match policy {
        HitPolicy::Priority if !same && same_priority(sheet, rows) => (
            Code::Contradiction,
            format!(
                "rows {} and {} have one priority and answer differently for {where_}",
                a + 1,
                b + 1
            ),
            Some(Suggestion::words(
                "list the outputs that differ among \"allowedValues\", so that one of them outranks the other",
            )),
        ),
        HitPolicy::Unique | HitPolicy::Any | HitPolicy::Priority if same && twins => (
            Code::DuplicateRow,
            format!("row {} says what row {} says", b + 1, a + 1),
            Some(remove(b)),
        ),
        HitPolicy::Collect | HitPolicy::RuleOrder | HitPolicy::OutputOrder if same && twins => (
            Code::DuplicateRow,
            format!("row {} repeats row {}, and both count", b + 1, a + 1),
            Some(remove(b)),
        ),
        HitPolicy::Unique | HitPolicy::Any | HitPolicy::Priority
            if same && certain && (a_in_b || b_in_a) =>
        {
            let (inner, outer) = if b_in_a { (b, a) } else { (a, b) };
            (
                Code::SubsumedRow,
                format!("row {} already says what row {} says", outer + 1, inner + 1),
                Some(remove(inner)),
            )
        }
        HitPolicy::Unique if same => (
            Code::Overlap,
            format!(
                "rows {} and {} both match {where_}, and the hit policy allows one",
                a + 1,
                b + 1
            ),
            restrict(sheet, rows, b_in_a),
        ),
        HitPolicy::Unique | HitPolicy::Any if !same => (
            Code::Contradiction,
            format!(
                "rows {} and {} answer differently for {where_}",
                a + 1,
                b + 1
            ),
            restrict(sheet, rows, b_in_a),
        ),
        _ => return None,
    };
    let later = sheet.row_place(b);
    let mut finding = Finding::new(code, later, message)
        .related(sheet.row_place(a), sheet.row_in_words(a))
        .witness(sheet.witness(common));
    if policy == HitPolicy::Unique && matches!(code, Code::DuplicateRow | Code::SubsumedRow) {
        // Asked for such an input, the table does not answer.
        finding = finding.severity(Severity::Error);
    }
    if !certain {
        // What ranks cannot say, asking can: the example either shows the clash or shows nothing.
        let shown = finding
            .witness
            .as_ref()
            .map(|witness| sheet.table.decide(witness));
        if !matches!(
            shown,
            Some(Err(
                DecideError::NotUnique { .. } | DecideError::Disagree { .. }
            ))
        ) {
            finding
                .message
                .push_str(", unless their other conditions exclude each other");
            finding.witness = None;
            finding = finding.severity(Severity::Note);
        }
    }
    Some(match cure {
        Some(cure) if certain => finding.suggest(cure),
        _ => finding,
    })
}

/// Whether each box of a row lies in a box of another.
fn within(sheet: &Sheet<'_>, inner: u32, outer: u32) -> bool {
    sheet.may.of_row(inner).all(|a| {
        sheet
            .may
            .of_row(outer)
            .any(|b| sheet.space.covers(sheet.may.sides(b), sheet.may.sides(a)))
    })
}

fn same_priority(sheet: &Sheet<'_>, (a, b): (u32, u32)) -> bool {
    use polity_tables::Answer;
    sheet
        .table
        .outputs()
        .iter()
        .filter(|output| !output.listed.is_empty())
        .all(
            |output| match (&output.answers[a as usize], &output.answers[b as usize]) {
                (Answer::Constant(a), Answer::Constant(b)) => {
                    output.priority(a) == output.priority(b)
                }
                (a, b) => a == b,
            },
        )
}

pub(super) fn remove(row: u32) -> Suggestion {
    Suggestion::edits(
        format!("remove row {}", row + 1),
        vec![Edit::Remove {
            path: format!("/rules/{row}"),
        }],
    )
}

/// Leaves what two rows share to one of them: to the narrower, because exceptions are written after rules.
fn restrict(sheet: &Sheet<'_>, (a, b): (u32, u32), b_in_a: bool) -> Option<Suggestion> {
    let (kept, cut) = if b_in_a { (b, a) } else { (a, b) };
    let mut pieces: Vec<Vec<Side>> = sheet
        .may
        .of_row(cut)
        .map(|at| sheet.may.sides(at).to_vec())
        .collect();
    for at in sheet.may.of_row(kept) {
        let hole = sheet.may.sides(at);
        pieces = pieces
            .iter()
            .flat_map(|piece| sheet.space.without(piece, hole))
            .collect();
        if pieces.len() > 8 {
            return None;
        }
    }
    if pieces.is_empty() {
        let title = format!(
            "remove row {}, or the one of the two that is wrong",
            cut + 1
        );
        return Some(Suggestion {
            title,
            ..remove(cut)
        });
    }
    let mut edits = vec![Edit::Replace {
        path: format!("/rules/{cut}"),
        value: sheet.row_as(cut, &pieces[0]),
    }];
    edits.extend(pieces[1..].iter().enumerate().map(|(index, piece)| {
        let mut value = sheet.row_as(cut, piece);
        // Two rows cannot have one id.
        if let Some(fields) = value.as_object_mut() {
            fields.remove("id");
        }
        Edit::Add {
            path: format!("/rules/{}", cut as usize + 1 + index),
            value,
        }
    }));
    Some(Suggestion::edits(
        format!(
            "leave what both match to row {}, and narrow row {}",
            kept + 1,
            cut + 1
        ),
        edits,
    ))
}
