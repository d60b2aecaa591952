//! A workflow's tree with the places marked at which a run has been and is now.

use std::collections::BTreeSet;

use maud::{Markup, html};
use polity_kernel::InstanceView;
use polity_ledger::StoredEvent;
use polity_workflow::{Branch, Step, Tree};

/// Where a run has been, by pointers into the workflow's document.
#[derive(Debug, Default)]
pub(super) struct Marks {
    done: BTreeSet<String>,
    failed: BTreeSet<String>,
    here: BTreeSet<String>,
}

impl Marks {
    /// From the run's position and what its journal says of tasks. What was repeated is what became of it last.
    pub(super) fn of(run: &InstanceView, events: &[StoredEvent]) -> Self {
        let mut marks = Self::default();
        for event in events {
            let Some(task) = event.data["task"].as_str() else {
                continue;
            };
            match event.kind.as_str() {
                "task.completed" => {
                    marks.failed.remove(task);
                    marks.done.insert(task.to_owned());
                }
                "task.faulted" | "task.cancelled" => {
                    marks.done.remove(task);
                    marks.failed.insert(task.to_owned());
                }
                _ => {}
            }
        }
        if !run.has_ended() {
            marks.here = run.position.iter().cloned().collect();
        }
        marks
    }

    fn class(&self, pointer: &str) -> &'static str {
        if self.here.contains(pointer) {
            "is-wait"
        } else if self.failed.contains(pointer) {
            "is-stop"
        } else if self.done.contains(pointer) {
            "is-good"
        } else {
            ""
        }
    }
}

/// The tree, a step a line.
pub(super) fn show(tree: &Tree, marks: &Marks) -> Markup {
    html! {
        div.tree data-testid="tree" {
            p.quiet.small { "starts " (tree.starts) @if let Some(limit) = &tree.limit { ", ends within " (limit) } }
            (steps(&tree.steps, marks))
        }
    }
}

fn steps(list: &[Step], marks: &Marks) -> Markup {
    html! { ol { @for step in list { (one(step, marks)) } } }
}

fn one(step: &Step, marks: &Marks) -> Markup {
    let class = marks.class(&step.pointer);
    // What is inside a block that is here is more exactly where it is.
    let is_here = class == "is-wait" && !holds_here(step, marks);
    html! {
        li class=(class) aria-current=[is_here.then_some("step")] {
            b { (step.name) } " " span { (step.says) }
            @if let Some(gate) = &step.gate { " " span.state.wait { (gate) } }
            @if let Some(condition) = &step.condition { div.small.quiet { "only if " code { (condition) } } }
            @if let Some(policy) = &step.policy { div.small.quiet { (policy) } }
            @for branch in &step.branches { (way(branch, marks)) }
            @if let Some(then) = &step.then { div.small.quiet { "→ " (then) } }
        }
    }
}

fn way(branch: &Branch, marks: &Marks) -> Markup {
    html! {
        div.way.small {
            (branch.label)
            @if let Some(goes) = &branch.goes { span.quiet { " → " (goes) } }
        }
        @if !branch.steps.is_empty() { (steps(&branch.steps, marks)) }
    }
}

fn holds_here(step: &Step, marks: &Marks) -> bool {
    step.branches
        .iter()
        .flat_map(|branch| &branch.steps)
        .any(|inner| marks.here.contains(&inner.pointer) || holds_here(inner, marks))
}
