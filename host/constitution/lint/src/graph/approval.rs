//! Effects that may happen before people have agreed. An approval counts only on the way out of it that says yes.

use super::paths::{Net, witness};
use super::process::{Outcome, ProcessGraph, takes};
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::{Finding, Severity};

pub(super) fn before_approval(graph: &ProcessGraph, net: &Net) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, task) in graph.tasks.iter().enumerate() {
        let Some(effect) = &task.effect else {
            continue;
        };
        let approves = |gate: usize| {
            graph.tasks[gate].gate.as_ref().is_some_and(|gate| {
                gate.approves
                    .iter()
                    .any(|pattern| takes(pattern, &effect.action))
            })
        };
        let gates: Vec<usize> = (0..graph.tasks.len())
            .filter(|gate| approves(*gate))
            .collect();
        if gates.is_empty() && !effect.needs_approval {
            continue;
        }
        // All ways but those that leave an approving gate with a yes.
        let before = net.reach(|from, edge| {
            if !approves(from) {
                return true;
            }
            let edges = &graph.tasks[from].edges;
            let says = edges.iter().any(|edge| edge.on.is_some());
            match edges[edge].on {
                Some(Outcome::Approved) => false,
                Some(Outcome::Rejected | Outcome::Expired) => true,
                None => says,
            }
        });
        if before[at].is_none() {
            continue;
        }
        let path = net.path(&before, at);
        let refused = path.iter().any(|step| approves(*step));
        let message = if gates.is_empty() {
            format!(
                "\"{}\" carries out {}, which needs an approval, and nobody is asked",
                task.name, effect.action
            )
        } else if refused {
            format!(
                "\"{}\" carries out {} although the approval was not given",
                task.name, effect.action
            )
        } else {
            format!(
                "\"{}\" may carry out {} before it is approved",
                task.name, effect.action
            )
        };
        let mut finding = Finding::new(Code::EffectBeforeApproval, task.place.clone(), message)
            .severity(Severity::Error)
            .witness(witness(graph, &path))
            .suggest(Suggestion::words(
                "let every way to it lead through the approval, by the edge that says yes",
            ));
        for gate in gates.iter().take(3) {
            let gate = &graph.tasks[*gate];
            finding = finding.related(gate.place.clone(), format!("\"{}\" approves it", gate.name));
        }
        findings.push(finding);
    }
    findings
}
