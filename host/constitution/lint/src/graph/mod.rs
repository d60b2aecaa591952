//! Protocols as graphs. The checks here know no workflow language: whoever reads one describes it as a [`ProcessGraph`], and
//! gets findings at the places it gave.

mod approval;
mod bindings;
mod company;
mod cycles;
mod paths;
mod process;
mod steps;
mod triggers;

pub use company::{Company, RuleBinding, lint_company};
pub use process::{
    Edge, EdgeKind, Effect, EffectClass, Gate, Outcome, ProcessGraph, Switch, Target, Task,
    Trigger, Wait,
};

use crate::finding::Finding;

/// Everything about one protocol that can be said without knowing others.
pub fn lint_graph(graph: &ProcessGraph) -> Vec<Finding> {
    let net = paths::Net::new(graph);
    let mut findings = steps::targets(graph);
    findings.extend(steps::unreachable(graph, &net));
    findings.extend(steps::waits(graph));
    findings.extend(steps::switches(graph));
    findings.extend(steps::effects(graph));
    findings.extend(cycles::unbounded(graph, &net));
    findings.extend(approval::before_approval(graph, &net));
    findings
}
