//! Whom workflows ask. A role that the charter does not have, or that nobody holds who may decide, is asked in vain: the
//! question waits until its deadline, and then it is off.

use polity_document::suggest;
use polity_lint::{Code, Finding, Suggestion};
use polity_tables::Place;
use polity_workflow::{Node, Workflow};
use serde_json::{Value, json};

use crate::charter::Charter;

/// Roles that are asked in vain.
pub(super) fn asked(workflow: &Workflow, charter: &Charter) -> Vec<Finding> {
    let graph = workflow.graph();
    let mut findings = Vec::new();
    for node in &graph.nodes {
        let Some(effect) = node.effect.as_ref().filter(|effect| effect.gate.is_some()) else {
            continue;
        };
        let arguments = &effect.arguments;
        for role in [&arguments["role"], &arguments["escalate"]["role"]] {
            findings.extend(in_vain(&graph.file, node, role, charter));
        }
    }
    findings
}

fn in_vain(file: &str, node: &Node, role: &Value, charter: &Charter) -> Option<Finding> {
    // What is computed is known only when it runs.
    let role = role.as_str().filter(|role| !role.contains("${"))?;
    let place = Place {
        line: node.place.line,
        column: 1,
        pointer: node.place.pointer.clone(),
        ..Place::of_file(file)
    };
    let finding = if !charter.roles().any(|known| known == role) {
        Finding::new(
            Code::UnknownRole,
            place,
            format!(
                "\"{}\" asks the role \"{role}\", which the charter does not have",
                node.name
            ),
        )
        .suggest(Suggestion::words(suggest::fix(
            role,
            "role",
            charter.roles(),
        )))
    } else if !charter.can_decide(role) {
        Finding::new(
            Code::NobodyDecides,
            place,
            format!(
                "\"{}\" asks the role \"{role}\", and nobody holds it who may decide",
                node.name
            ),
        )
        .suggest(Suggestion::words(format!(
            "give \"{role}\" to a person who has \"inbox:decide\", or ask another role"
        )))
    } else {
        return None;
    };
    Some(finding.witness(json!({"task": node.name, "role": role})))
}
