//! Inputs that no row answers.

use polity_tables::{Entry, Status};
use serde_json::Value as Json;

use super::Sheet;
use crate::boxes::{Budget, Open, merged, open};
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::{Finding, Severity};

/// The boxes that no row covers, merged.
pub(crate) fn open_boxes(sheet: &Sheet<'_>) -> Open {
    let among: Vec<u32> = (0..sheet.must.len() as u32).collect();
    let mut budget = Budget {
        nodes: sheet.limits.nodes,
    };
    let most = 50_000;
    let mut found = open(
        &sheet.space,
        &sheet.space.full(),
        &sheet.must,
        &among,
        &mut budget,
        most,
    );
    found.boxes = merged(&sheet.space, found.boxes);
    found
}

pub(super) fn gaps(sheet: &Sheet<'_>) -> Vec<Finding> {
    let table = sheet.table.table();
    if table
        .outputs
        .iter()
        .all(|output| output.default_output_entry.is_some())
    {
        return Vec::new();
    }
    let mut found = open_boxes(sheet);
    let dynamic = (0..sheet.rows() as u32).any(|row| !sheet.is_certain(row));
    // The largest first: they are what a reader has forgotten, the small ones are slips at borders.
    found
        .boxes
        .sort_by(|a, b| sheet.space.share(b).total_cmp(&sheet.space.share(a)));
    let mut findings = Vec::new();
    for sides in found.boxes.iter().take(sheet.limits.listed) {
        let witness = sheet.witness(sides);
        let maybe = dynamic
            && (0..sheet.may.len()).any(|at| sheet.space.touches(sheet.may.sides(at), sides))
            && sheet.table.decide(&witness).map(|decision| decision.status)
                != Ok(Status::Undecided);
        let words = sheet.in_words(sides);
        let message = if maybe {
            format!("no row is certain to answer {words}")
        } else {
            format!("no row answers {words}")
        };
        let blank = vec![Entry("null".to_owned()); table.outputs.len()];
        let mut finding = Finding::new(Code::Gap, sheet.place("/rules"), message).suggest(
            Suggestion::edits(
                "add this row and fill in its answer",
                vec![Edit::Add {
                    path: "/rules/-".to_owned(),
                    value: sheet.row(sides, blank, None),
                }],
            )
            .to_fill_in(),
        );
        // Where nobody said that an input may be missing, that it is not answered then is a lesser matter.
        let assumed = sheet.table.assumes_nulls()
            && sheet
                .space
                .dims
                .iter()
                .zip(sides)
                .any(|(dim, side)| dim.only_null(*side));
        if !maybe {
            finding = finding.witness(witness);
        }
        if maybe || assumed || !table.hit_policy.is_single() {
            finding = finding.severity(Severity::Note);
        }
        findings.push(finding);
    }
    let rest = found.boxes.len().saturating_sub(sheet.limits.listed);
    if rest > 0 {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            format!("{rest} more open regions are not listed"),
        ));
    }
    if !found.complete {
        findings.push(Finding::new(
            Code::Incomplete,
            sheet.place("/rules"),
            "the budget of the search for gaps was reached; there may be more",
        ));
    }
    // A gap that nothing shows may be closed by conditions on other inputs.
    let shown = findings.iter().find_map(|finding| finding.witness.clone());
    if let Some(witness) = shown.filter(|_| table.hit_policy.is_single()) {
        findings.push(no_default(sheet, witness));
    }
    findings
}

fn no_default(sheet: &Sheet<'_>, witness: Json) -> Finding {
    let outputs = &sheet.table.table().outputs;
    let missing: Vec<usize> = (0..outputs.len())
        .filter(|at| outputs[*at].default_output_entry.is_none())
        .collect();
    let edits: Vec<Edit> = missing
        .iter()
        .map(|at| Edit::Add {
            path: format!("/outputs/{at}/defaultOutputEntry"),
            value: Json::String(
                sheet
                    .least(*at)
                    .map_or_else(|| "null".to_owned(), ToString::to_string),
            ),
        })
        .collect();
    let known = missing.iter().all(|at| sheet.least(*at).is_some());
    let title = if known {
        "let the value that permits least stand for the rest"
    } else {
        "say what holds for the rest"
    };
    let suggestion = Suggestion::edits(title, edits);
    Finding::new(
        Code::NoDefault,
        sheet.place(&format!(
            "/outputs/{}",
            missing.first().copied().unwrap_or(0)
        )),
        "some inputs are answered by no row, and there is no default",
    )
    .severity(Severity::Note)
    .witness(witness)
    .suggest(if known {
        suggestion
    } else {
        suggestion.to_fill_in()
    })
}
