//! What workflows do otherwise: which steps came and went, who is asked no more, which value takes another way. A diff of
//! lines shows that a file changed; who votes wants to know that nobody is asked any more before the money goes out.

mod nodes;
mod steps;
mod switches;

use std::collections::BTreeSet;

use polity_constitution::Constitution;
use polity_lint::Direction;
use polity_workflow::Workflow;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Changes told of one workflow.
const MAX_TOLD: usize = 60;

/// A workflow that is new, has gone, or does something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowChange {
    /// The workflow.
    pub name: String,
    /// What.
    pub what: WorkflowHow,
    /// Whether more happens without a question, on the whole.
    pub direction: Direction,
}

/// How a workflow differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkflowHow {
    /// There was none of this name.
    Added,
    /// There is none any more.
    Removed,
    /// It does something else. Where the list is empty, it only says it otherwise.
    Steps(Vec<StepChange>),
}

/// One thing that a workflow does otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepChange {
    /// The step, by its name; empty for the workflow as a whole.
    pub step: String,
    /// Where it stands, as a JSON pointer: in the new document, or in the old one where it has gone.
    pub pointer: String,
    /// What of it.
    pub part: Part,
    /// What changed, in a sentence without a full stop.
    pub words: String,
    /// Whether more happens without a question.
    pub direction: Direction,
    /// A value that takes another way, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Value>,
}

/// What of a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The step is there or is not.
    Step,
    /// A person is asked, or another one, or nobody.
    Gate,
    /// What it does outside.
    Effect,
    /// Under which condition, or by which case.
    Branch,
    /// Where it leads.
    Way,
    /// How long it may take.
    Limit,
    /// When it begins.
    Trigger,
    /// What it is given, or hands on.
    Data,
}

impl WorkflowChange {
    /// What it does otherwise.
    pub fn steps(&self) -> &[StepChange] {
        match &self.what {
            WorkflowHow::Steps(steps) => steps,
            WorkflowHow::Added | WorkflowHow::Removed => &[],
        }
    }
}

pub(crate) fn compare(before: &Constitution, after: &Constitution) -> Vec<WorkflowChange> {
    let names: BTreeSet<&str> = before
        .workflows()
        .iter()
        .chain(after.workflows())
        .map(|workflow| workflow.name())
        .collect();
    let mut changes = Vec::new();
    for name in names {
        let (what, direction) = match (before.workflow(name), after.workflow(name)) {
            // What was not possible before is, and the other way round.
            (None, _) => (WorkflowHow::Added, Direction::More),
            (_, None) => (WorkflowHow::Removed, Direction::Less),
            (Some(old), Some(new)) if old.source() == new.source() => continue,
            (Some(old), Some(new)) => {
                let steps = between(old, new);
                let direction = on_the_whole(&steps);
                (WorkflowHow::Steps(steps), direction)
            }
        };
        changes.push(WorkflowChange {
            name: name.to_owned(),
            what,
            direction,
        });
    }
    changes
}

/// What one version of a workflow does otherwise than another.
pub(crate) fn between(before: &Workflow, after: &Workflow) -> Vec<StepChange> {
    let (old, new) = (before.graph(), after.graph());
    let mut found = steps::of_the_whole(&old, &new);
    found.extend(steps::compare(before, &old, after, &new));
    found.extend(switches::compare(before, &old, after, &new));
    // What permits more is what a voter looks for.
    found.sort_by_key(|change| match change.direction {
        Direction::More => 0,
        Direction::Other => 1,
        Direction::Less => 2,
        Direction::Same => 3,
    });
    found.truncate(MAX_TOLD);
    found
}

fn on_the_whole(steps: &[StepChange]) -> Direction {
    let any = |wanted| steps.iter().any(|step| step.direction == wanted);
    match (
        any(Direction::More),
        any(Direction::Less),
        any(Direction::Other),
    ) {
        (true, false, false) => Direction::More,
        (false, true, false) => Direction::Less,
        (false, false, false) => Direction::Same,
        _ => Direction::Other,
    }
}
