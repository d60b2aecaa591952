//! Checks of single tasks and edges.

use std::collections::HashSet;

use super::paths::Net;
use super::process::{ProcessGraph, Target};
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::{Finding, Severity};

/// Edges that lead nowhere, or where they may not.
pub(super) fn targets(graph: &ProcessGraph) -> Vec<Finding> {
    let names: HashSet<(&str, &str)> = graph
        .tasks
        .iter()
        .map(|task| (task.scope.as_str(), task.name.as_str()))
        .collect();
    let ids: HashSet<&str> = graph.tasks.iter().map(|task| task.id.as_str()).collect();
    let mut findings = Vec::new();
    for task in &graph.tasks {
        for edge in &task.edges {
            let (known, name) = match &edge.to {
                Target::Name(name) => (names.contains(&(task.scope.as_str(), name.as_str())), name),
                Target::Id(id) => (ids.contains(id.as_str()), id),
                Target::End => continue,
            };
            if known {
                continue;
            }
            let elsewhere = graph.tasks.iter().find(|other| other.name == *name);
            let here: Vec<String> = graph
                .tasks
                .iter()
                .filter(|other| other.scope == task.scope)
                .take(12)
                .map(|other| format!("\"{}\"", other.name))
                .collect();
            let finding = match elsewhere {
                Some(other) => Finding::new(
                    Code::CrossScopeTarget,
                    edge.place.clone(),
                    format!(
                        "\"{}\" leads to \"{name}\", which stands in another block",
                        task.name
                    ),
                )
                .related(other.place.clone(), format!("\"{name}\" stands here"))
                .suggest(Suggestion::words(format!(
                    "lead to a task of the same block ({}), or move \"{name}\"",
                    here.join(", ")
                ))),
                None => Finding::new(
                    Code::UnknownTarget,
                    edge.place.clone(),
                    format!(
                        "\"{}\" leads to \"{name}\", and there is no such task",
                        task.name
                    ),
                )
                .suggest(Suggestion::words(format!(
                    "lead to one of {}, or to the end",
                    here.join(", ")
                ))),
            };
            findings.push(finding.witness(serde_json::json!({"task": task.name, "then": name})));
        }
    }
    findings
}

/// Tasks that no path leads to.
pub(super) fn unreachable(graph: &ProcessGraph, net: &Net) -> Vec<Finding> {
    if graph.tasks.is_empty() {
        return Vec::new();
    }
    if net.start.is_none() {
        return vec![Finding::new(
            Code::UnknownTarget,
            graph.place.clone(),
            format!("{} does not say which task it begins with", graph.name),
        )];
    }
    let before = net.reach(|_, _| true);
    let unreached: Vec<_> = graph
        .tasks
        .iter()
        .zip(&before)
        .filter(|(_, before)| before.is_none())
        .map(|(task, _)| task)
        .collect();
    let mut findings: Vec<Finding> = Vec::new();
    for (at, task) in graph.tasks.iter().enumerate() {
        if before[at].is_some() {
            continue;
        }
        // Of a block that is not reached, the block itself is said; what stands in it follows.
        let inside = |outer: &super::process::Task| {
            task.id != outer.id && !outer.id.is_empty() && task.scope.starts_with(outer.id.as_str())
        };
        if !unreached.iter().any(|outer| inside(outer)) {
            findings.push(
                Finding::new(
                    Code::UnreachableTask,
                    task.place.clone(),
                    format!("no path leads to \"{}\"", task.name),
                )
                .witness(serde_json::json!({"task": task.name}))
                .suggest(Suggestion::words(format!(
                    "lead to \"{}\" from another task, or remove it",
                    task.name
                ))),
            );
        }
    }
    findings
}

/// Waits and questions that may last for ever.
pub(super) fn waits(graph: &ProcessGraph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for task in &graph.tasks {
        let witness = serde_json::json!({"task": task.name});
        if let Some(wait) = task.wait.as_ref().filter(|wait| !wait.limited) {
            findings.push(
                Finding::new(
                    Code::OpenWait,
                    task.place.clone(),
                    format!(
                        "\"{}\" waits for {} without a limit",
                        task.name, wait.for_what
                    ),
                )
                .witness(witness.clone())
                .suggest(Suggestion::words(
                    "give it a timeout, and say what happens then",
                )),
            );
        }
        if let Some(gate) = &task.gate {
            if !gate.deadline {
                findings.push(
                    Finding::new(
                        Code::GateWithoutDeadline,
                        task.place.clone(),
                        format!("\"{}\" asks people without a deadline", task.name),
                    )
                    .witness(witness.clone())
                    .suggest(Suggestion::words("say until when an answer is needed")),
                );
            }
            if !gate.escalation {
                findings.push(
                    Finding::new(
                        Code::GateWithoutEscalation,
                        task.place.clone(),
                        format!(
                            "\"{}\" does not say what happens when nobody answers",
                            task.name
                        ),
                    )
                    .witness(witness)
                    .suggest(Suggestion::words(
                        "say whom it goes to next, or that silence rejects; silence never approves",
                    )),
                );
            }
        }
    }
    findings
}

/// Branches that may all be closed.
pub(super) fn switches(graph: &ProcessGraph) -> Vec<Finding> {
    let open = graph.tasks.iter().filter(|task| {
        task.switch
            .as_ref()
            .is_some_and(|switch| !switch.default && !switch.exhaustive)
    });
    open.map(|task| {
        Finding::new(
            Code::NoDefault,
            task.place.clone(),
            format!(
                "\"{}\" has no default, and its branches may all be closed",
                task.name
            ),
        )
        .severity(Severity::Error)
        .witness(serde_json::json!({"task": task.name}))
        .suggest(Suggestion::words("add a branch without a condition"))
    })
    .collect()
}

/// Effects of which nobody knows what a crash does to them.
pub(super) fn effects(graph: &ProcessGraph) -> Vec<Finding> {
    let undeclared = graph.tasks.iter().filter_map(|task| {
        task.effect
            .as_ref()
            .filter(|effect| effect.class.is_none())
            .map(|effect| (task, effect))
    });
    undeclared
        .map(|(task, effect)| {
            Finding::new(
                Code::EffectClassUndeclared,
                task.place.clone(),
                format!("\"{}\" does not say what a crash may do to {}", task.name, effect.action),
            )
            .witness(serde_json::json!({"task": task.name, "action": effect.action}))
            .suggest(Suggestion::words(
                "declare it idempotent by a key, at most once (it may be lost) or at least once (it may be repeated)",
            ))
        })
        .collect()
}
