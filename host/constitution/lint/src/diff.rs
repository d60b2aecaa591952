//! What an amendment changes: not which lines, but which inputs get another answer, and whether more is permitted than
//! before. Parts of the space where both versions have the same rows are not looked at, so that a small amendment to a large
//! table is cheap to compare.

use std::collections::BTreeMap;
use std::fmt;

use polity_tables::{Answer, Decision, DecisionTable, Options, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::boxes::{Boxes, Side, merged, split};
use crate::table::{Limits, Sheet, joint};

/// How two versions of a table differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableDiff {
    /// The table.
    pub name: String,
    /// Where the answers differ, the greatest part of the input space first.
    pub changes: Vec<Change>,
    /// The part of the input space with another answer, each class of values counted alike.
    pub changed: f64,
    /// For each output: whether more or less is permitted on the whole.
    pub verdicts: BTreeMap<String, Direction>,
    /// Whether the comparison was finished within its budget.
    pub complete: bool,
}

/// Inputs whose answer changes from one value to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which inputs, in words.
    pub inputs: String,
    /// The same as a test for each input.
    pub cells: Vec<String>,
    /// One of them.
    pub witness: Json,
    /// What it was answered.
    pub before: String,
    /// What it is answered now.
    pub after: String,
    /// Whether more is permitted.
    pub direction: Direction,
}

/// Whether an amendment permits more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The same.
    Same,
    /// More than before.
    More,
    /// Less than before.
    Less,
    /// More for some inputs, less for others, or something else.
    Other,
}

/// Why two versions cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// An input has changed its type.
    #[error("an input has another type than before, so that no input can be sent to both versions")]
    OtherTypes,
}

impl Direction {
    /// Of several changes together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, other) => other,
            (own, Self::Same) => own,
            (own, other) if own == other => own,
            _ => Self::Other,
        }
    }
}

/// Compares two versions of a table.
///
/// # Errors
/// No input could be sent to both.
pub fn diff(
    before: &DecisionTable,
    after: &DecisionTable,
    limits: &Limits,
) -> Result<TableDiff, DiffError> {
    let (both, own) = joint(before.table(), after.table()).ok_or(DiffError::OtherTypes)?;
    let both =
        DecisionTable::compile(both, &Options::default()).map_err(|_| DiffError::OtherTypes)?;
    let sheet = Sheet::bare(&both, limits);
    let identity = identities(&sheet.may, own, before, after);
    // Equal rows are an equal answer only if the same is made of them.
    let alike = before.table().hit_policy == after.table().hit_policy
        && before.table().aggregation == after.table().aggregation
        && before.table().outputs == after.table().outputs
        && before.table().inputs == after.table().inputs;
    let same_rows = |active: &mut dyn Iterator<Item = u32>| {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for at in active {
            let side = if (sheet.may.rows[at as usize] as usize) < own {
                &mut old
            } else {
                &mut new
            };
            side.push(identity[at as usize]);
        }
        alike && old == new
    };
    let (parts, complete) = split(
        &sheet.space,
        &sheet.may,
        limits.nodes.min(200_000),
        &same_rows,
    );

    let permits = Sheet::bare(after, limits);
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for sides in parts {
        let witness = sheet.witness(&sides);
        let (old, new) = (Said::of(before, &witness), Said::of(after, &witness));
        if old.key == new.key {
            continue;
        }
        let directions = directions(before, &permits, &old, &new);
        let group = groups.entry((old.words, new.words)).or_default();
        group.boxes.push(sides);
        for (output, direction) in directions {
            let known = group.directions.entry(output).or_insert(Direction::Same);
            *known = known.and(direction);
        }
    }

    let mut verdicts: BTreeMap<String, Direction> = after
        .outputs()
        .iter()
        .map(|output| (output.name.to_string(), Direction::Same))
        .collect();
    let mut changes = Vec::new();
    let mut changed = 0.0;
    for ((was, is), Group { boxes, directions }) in groups {
        let mut whole = Direction::Same;
        for (output, direction) in directions {
            whole = whole.and(direction);
            let known = verdicts.entry(output).or_insert(Direction::Same);
            *known = known.and(direction);
        }
        for sides in merged(&sheet.space, boxes) {
            let share = sheet.space.share(&sides);
            changed += share;
            let change = Change {
                inputs: sheet.in_words(&sides),
                cells: sheet.cells(&sides),
                witness: sheet.witness(&sides),
                before: was.clone(),
                after: is.clone(),
                direction: whole,
            };
            changes.push((share, change));
        }
    }
    changes.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.inputs.cmp(&y.inputs)));
    Ok(TableDiff {
        name: after.table().name.clone(),
        changes: changes.into_iter().map(|(_, change)| change).collect(),
        changed: changed.clamp(0.0, 1.0),
        verdicts,
        complete,
    })
}

/// A number for each box, the same for boxes with equal sides and answers, whatever their row.
fn identities(
    boxes: &Boxes,
    own: usize,
    before: &DecisionTable,
    after: &DecisionTable,
) -> Vec<u32> {
    let mut known: std::collections::HashMap<(Vec<Side>, String), u32> =
        std::collections::HashMap::new();
    (0..boxes.len())
        .map(|at| {
            let row = boxes.rows[at] as usize;
            let (table, row) = if row < own {
                (before, row)
            } else {
                (after, row - own)
            };
            let mut answer = answer_of(table, row);
            // Rows that depend on more than ranks are equal if they are written alike.
            for column in table
                .columns()
                .iter()
                .filter(|column| column.cells[row].dynamic)
            {
                answer.push_str(&column.cells[row].text);
                answer.push('\u{0}');
            }
            let next = known.len() as u32;
            *known
                .entry((boxes.sides(at).to_vec(), answer))
                .or_insert(next)
        })
        .collect()
}

fn answer_of(table: &DecisionTable, row: usize) -> String {
    let answers = table
        .outputs()
        .iter()
        .map(|output| match &output.answers[row] {
            Answer::Constant(value) => format!("{value}\u{0}"),
            Answer::Computed(expr) => format!("{expr:?}\u{0}"),
        });
    answers.collect()
}

/// Parts of the space with one answer before and one after.
#[derive(Default)]
struct Group {
    boxes: Vec<Vec<Side>>,
    directions: BTreeMap<String, Direction>,
}

/// What a version says of an input.
struct Said {
    /// Equal where the answer is made in the same way.
    key: String,
    words: String,
    decision: Option<Decision>,
}

impl Said {
    fn of(table: &DecisionTable, input: &Json) -> Self {
        match table.decide(input) {
            Err(error) => Self {
                key: format!("error {error}"),
                words: error.to_string(),
                decision: None,
            },
            Ok(decision) => {
                let made: Vec<String> = decision
                    .decided_by
                    .iter()
                    .map(|row| answer_of(table, *row))
                    .collect();
                let words = if decision.value == Value::Null {
                    "no answer".to_owned()
                } else {
                    decision.value.to_string()
                };
                // Formulas differ even where their results happen to be equal; constants that are equal do not.
                let computed = decision.decided_by.iter().any(|row| {
                    table
                        .outputs()
                        .iter()
                        .any(|output| matches!(output.answers[*row], Answer::Computed(_)))
                });
                Self {
                    key: if computed {
                        made.join("\u{1}")
                    } else {
                        words.clone()
                    },
                    words: if computed {
                        formulas(table, &decision)
                    } else {
                        words
                    },
                    decision: Some(decision),
                }
            }
        }
    }
}

fn formulas(table: &DecisionTable, decision: &Decision) -> String {
    let rows = decision.decided_by.iter().map(|row| {
        let entries = table.table().rules[*row]
            .output_entries
            .iter()
            .map(ToString::to_string);
        entries.collect::<Vec<_>>().join(", ")
    });
    rows.collect::<Vec<_>>().join("; ")
}

fn directions(
    before: &DecisionTable,
    sheet: &Sheet<'_>,
    old: &Said,
    new: &Said,
) -> Vec<(String, Direction)> {
    let after = sheet.table;
    let single = |table: &DecisionTable| table.outputs().len() == 1;
    let part = |table: &DecisionTable, said: &Said, name: &str| -> Option<Value> {
        let value = &said.decision.as_ref()?.value;
        if single(table) {
            Some(value.clone())
        } else {
            value.field(name).cloned()
        }
    };
    let mut found = Vec::new();
    for (at, output) in after.outputs().iter().enumerate() {
        let (was, is) = (
            part(before, old, &output.name),
            part(after, new, &output.name),
        );
        // No answer permits nothing.
        let level = |value: &Option<Value>| -> Option<usize> {
            match value {
                None | Some(Value::Null) => Some(0),
                Some(value) if !output.permits.is_empty() => output
                    .permits
                    .iter()
                    .position(|known| known == value)
                    .map(|at| at + 1),
                Some(value) => Some(1 + usize::from(sheet.permits(at, value))),
            }
        };
        let direction = match (level(&was), level(&is)) {
            _ if was == is => Direction::Same,
            (Some(a), Some(b)) if a < b => Direction::More,
            (Some(a), Some(b)) if a > b => Direction::Less,
            _ => Direction::Other,
        };
        found.push((output.name.to_string(), direction));
    }
    found
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "permits the same",
            Self::More => "permits more",
            Self::Less => "permits less",
            Self::Other => "permits otherwise",
        })
    }
}

impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() && self.complete {
            return write!(f, "{}: every input is answered as before", self.name);
        }
        write!(
            f,
            "{}: {:.1} % of the inputs are answered otherwise",
            self.name,
            self.changed * 100.0
        )?;
        for (output, direction) in &self.verdicts {
            let output = if output.is_empty() { "it" } else { output };
            write!(f, "; {output} {direction}")?;
        }
        for change in &self.changes {
            write!(
                f,
                "\n  {}: {} -> {} ({}), for example {}",
                change.inputs, change.before, change.after, change.direction, change.witness
            )?;
        }
        if !self.complete {
            f.write_str("\n  the budget was reached; there may be more")?;
        }
        Ok(())
    }
}
