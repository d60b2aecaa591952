//! Why a table answered as it did: the rows, and for each of their cells the value that passed it.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

use crate::decision::{DecideError, Decision, DecisionTable, Status};

/// An answer with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The table.
    pub table: String,
    /// The sentence of the handbook that it puts into practice.
    pub policy: Option<String>,
    /// The answer.
    pub decision: Decision,
    /// The rows that matched.
    pub rows: Vec<MatchedRow>,
}

/// A row that matched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatchedRow {
    /// Its number, from 1.
    pub number: usize,
    /// Its own name.
    pub id: Option<String>,
    /// Why the row is there.
    pub annotation: Option<String>,
    /// Whether the answer is made of it.
    pub counts: bool,
    /// What it asked, without the cells that ask nothing.
    pub conditions: Vec<Condition>,
    /// What it answers.
    pub outputs: Vec<String>,
}

/// A cell that a value passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// The column.
    pub input: String,
    /// The value.
    pub value: Json,
    /// The cell.
    pub test: String,
}

impl DecisionTable {
    /// Asks the table and says why it answers so.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn explain(&self, input: &Json) -> Result<Explanation, DecideError> {
        let decision = self.decide(input)?;
        let rows = decision
            .matched
            .iter()
            .map(|row| {
                let rule = &self.table().rules[*row];
                let conditions = self
                    .columns()
                    .iter()
                    .filter(|column| !column.cells[*row].is_any())
                    .map(|column| Condition {
                        input: column.label.clone(),
                        value: column
                            .path
                            .iter()
                            .flatten()
                            .try_fold(input, |at, name| at.get(&**name))
                            .cloned()
                            .unwrap_or_default(),
                        test: column.cells[*row].text.clone(),
                    })
                    .collect();
                MatchedRow {
                    number: row + 1,
                    id: rule.id.clone(),
                    annotation: rule.annotation.clone(),
                    counts: decision.decided_by.contains(row),
                    conditions,
                    outputs: rule
                        .output_entries
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                }
            })
            .collect();
        Ok(Explanation {
            table: self.table().name.clone(),
            policy: self.table().policy.clone(),
            decision,
            rows,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.table, self.decision.value)?;
        match self.decision.status {
            Status::Decided => {}
            Status::Defaulted => f.write_str(" because no row matches")?,
            Status::Undecided => f.write_str(": no row matches")?,
        }
        for row in &self.rows {
            write!(
                f,
                "\n  row {}{}",
                row.number,
                if row.counts { "" } else { " (does not count)" }
            )?;
            for (index, condition) in row.conditions.iter().enumerate() {
                let joint = if index == 0 { ": " } else { ", " };
                write!(
                    f,
                    "{joint}{} = {} passes `{}`",
                    condition.input, condition.value, condition.test
                )?;
            }
            if row.conditions.is_empty() {
                f.write_str(": it asks nothing")?;
            }
            if let Some(annotation) = &row.annotation {
                write!(f, "\n    {annotation}")?;
            }
        }
        Ok(())
    }
}
