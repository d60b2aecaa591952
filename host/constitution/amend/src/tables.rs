//! Which decision tables answer otherwise, and for which inputs.

use std::collections::BTreeSet;

use polity_constitution::Constitution;
use polity_lint::{Change, Direction, Limits, TableDiff, diff};
use serde::{Deserialize, Serialize};

/// A table that is new, has gone, or answers otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableChange {
    /// The table.
    pub name: String,
    /// What.
    pub what: WhatChanged,
}

/// What of a table changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhatChanged {
    /// There was none of this name.
    Added,
    /// There is none any more.
    Removed,
    /// Inputs get another answer. Where the list is empty, every input is answered as before.
    Answers(TableDiff),
    /// No input can be sent to both versions.
    Incomparable(String),
}

impl TableChange {
    /// The inputs with another answer.
    pub fn changes(&self) -> &[Change] {
        match &self.what {
            WhatChanged::Answers(diff) => &diff.changes,
            _ => &[],
        }
    }

    /// Whether more is permitted, output by output.
    pub(crate) fn directions(&self) -> impl Iterator<Item = Direction> {
        let directions: Vec<Direction> = match &self.what {
            WhatChanged::Answers(diff) => diff.verdicts.values().copied().collect(),
            _ => vec![Direction::Other],
        };
        directions.into_iter()
    }
}

pub(crate) fn compare(before: &Constitution, after: &Constitution) -> Vec<TableChange> {
    let names: BTreeSet<&str> = before
        .tables()
        .iter()
        .chain(after.tables())
        .map(|table| table.table().name.as_str())
        .collect();
    let mut changes = Vec::new();
    for name in names {
        let what = match (before.table(name), after.table(name)) {
            (None, _) => WhatChanged::Added,
            (_, None) => WhatChanged::Removed,
            (Some(old), Some(new)) if old.table() == new.table() => continue,
            (Some(old), Some(new)) => match diff(old, new, &Limits::default()) {
                Ok(diff) => WhatChanged::Answers(diff),
                Err(error) => WhatChanged::Incomparable(error.to_string()),
            },
        };
        changes.push(TableChange {
            name: name.to_owned(),
            what,
        });
    }
    changes
}
