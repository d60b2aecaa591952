//! Two constitutions, side by side.

use polity_constitution::{Constitution, KindPattern, Version};
use polity_lint::Direction;
use serde::{Deserialize, Serialize};

use crate::actions::{self, ActionChange};
use crate::documents::{self, DocumentChange};
use crate::lints::{self, LintDelta};
use crate::people::{self, PersonChange};
use crate::probe::Witness;
use crate::tables::{self, TableChange};
use crate::workflows::{self, WorkflowChange};

/// Everything that one constitution says otherwise than another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The one in force.
    pub before: Version,
    /// The proposed one.
    pub after: Version,
    /// Which documents differ, and where.
    pub documents: Vec<DocumentChange>,
    /// Which tables answer otherwise.
    pub tables: Vec<TableChange>,
    /// Which workflows do something else.
    #[serde(default)]
    pub workflows: Vec<WorkflowChange>,
    /// Which kinds of action are guarded otherwise.
    pub actions: Vec<ActionChange>,
    /// Who may do more or less.
    pub people: Vec<PersonChange>,
    /// Actions that were found to become something else; empty until somebody asks the rules, see
    /// [`probes`](crate::probes).
    pub witnesses: Vec<Witness>,
    /// What the linter finds now and did not, and the other way round.
    pub lint: LintDelta,
}

impl Comparison {
    /// Whether the two say the same.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The same with what asking the rules has brought: `asked` actions, of which these come out otherwise. Where settings
    /// alone did not tell whether a kind of action becomes easier, they do.
    #[must_use]
    pub fn with_witnesses(mut self, asked: usize, witnesses: Vec<Witness>) -> Self {
        for action in &mut self.actions {
            let Ok(pattern) = action.kinds.parse::<KindPattern>() else {
                continue;
            };
            let directions: Vec<Direction> = witnesses
                .iter()
                .filter(|witness| {
                    witness
                        .probe
                        .kind
                        .parse()
                        .is_ok_and(|kind| pattern.matches(&kind))
                })
                .map(|witness| witness.direction)
                .collect();
            let only = |wanted| directions.iter().all(|direction| *direction == wanted);
            if action.direction != Direction::Other || asked == 0 {
                continue;
            }
            if directions.is_empty() {
                action.why.push(format!(
                    "none of {asked} actions that the rules were asked about comes out otherwise"
                ));
            } else if only(Direction::More) || only(Direction::Less) {
                action.direction = directions[0];
            }
        }
        self.witnesses = witnesses;
        self
    }

    /// Whether anything becomes easier: for a table's inputs, in a workflow, for an action or a person. What cannot be told counts.
    pub fn permits_more(&self) -> bool {
        let more = |direction| matches!(direction, Direction::More | Direction::Other);
        self.tables.iter().any(|table| table.directions().any(more))
            || self
                .workflows
                .iter()
                .any(|workflow| more(workflow.direction))
            || self.actions.iter().any(|action| more(action.direction))
            || self.people.iter().any(|person| !person.gained.is_empty())
    }
}

/// Compares two constitutions.
pub fn compare(before: &Constitution, after: &Constitution) -> Comparison {
    Comparison {
        before: before.version().clone(),
        after: after.version().clone(),
        documents: documents::compare(before, after),
        tables: tables::compare(before, after),
        workflows: workflows::compare(before, after),
        actions: actions::compare(before, after),
        people: people::compare(before.charter(), after.charter()),
        witnesses: Vec::new(),
        lint: lints::compare(before, after),
    }
}
