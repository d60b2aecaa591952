//! What documents say of each other. A workflow that asks a table which does not exist would fail in the middle of its
//! work, so a constitution with such a workflow is not loaded at all.

use std::collections::HashSet;

use polity_document::{Document, escaped, suggest};

use crate::parts::Parts;
use crate::problem::Problem;
use crate::sources::{self, Sources};

/// References that lead nowhere. What did not load is known by the name of its file: its own problems are enough.
pub(crate) fn problems(sources: &Sources, parts: &Parts) -> Vec<Problem> {
    let tables: HashSet<&str> = sources.decisions().map(|(name, ..)| name).collect();
    let workflows: HashSet<&str> = sources.workflows().map(|(name, ..)| name).collect();
    let mut problems = Vec::new();
    for workflow in &parts.workflows {
        let graph = workflow.graph();
        for node in &graph.nodes {
            let Some(effect) = &node.effect else { continue };
            let (what, known, name) = match effect.call.as_str() {
                "decide" => ("table", &tables, &effect.arguments["table"]),
                "run.workflow" => ("workflow", &workflows, &effect.arguments["name"]),
                _ => continue,
            };
            let Some(name) = name.as_str() else { continue };
            if known.contains(name) || name.contains("${") {
                continue;
            }
            let mut candidates: Vec<&str> = known.iter().copied().collect();
            candidates.sort_unstable();
            problems.push(Problem {
                code: format!("unknown-{what}"),
                file: graph.file.clone(),
                line: node.place.line,
                column: 1,
                pointer: node.place.pointer.clone(),
                message: format!(
                    "\"{}\" asks for the {what} \"{name}\", and there is none of that name",
                    node.name
                ),
                fix: suggest::fix(name, what, candidates),
            });
        }
    }
    problems.extend(unknown_protocols(sources, parts, &workflows));
    problems
}

/// Budgets of protocols that there are not: they would limit nothing.
fn unknown_protocols(sources: &Sources, parts: &Parts, workflows: &HashSet<&str>) -> Vec<Problem> {
    let (Some(charter), Some(text)) = (&parts.charter, sources.get(sources::CHARTER)) else {
        return Vec::new();
    };
    let named = charter.budgets().protocols.keys();
    let unknown: Vec<&String> = named.filter(|name| !workflows.contains(&***name)).collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    // It has been read before, and every problem with it has been told there.
    let Ok(document) = Document::parse(sources::CHARTER, text) else {
        return Vec::new();
    };
    let problem = |name: &String| {
        let mut candidates: Vec<&str> = workflows.iter().copied().collect();
        candidates.sort_unstable();
        Problem::from(document.problem(
            "unknown-workflow",
            &format!("/budgets/protocols/{}", escaped(name)),
            format!("there is a budget for the workflow \"{name}\", and none of that name"),
            suggest::fix(name, "workflow", candidates),
        ))
    };
    unknown.into_iter().map(problem).collect()
}
