//! A table as the checks see it: boxes, and a number for each distinct answer.

use std::collections::HashMap;

use polity_tables::{Answer, DecisionTable, Entry, Place, Rule, Value};
use serde_json::{Map, Value as Json};

use super::Limits;
use crate::boxes::{Boxes, Side, Space};

pub(crate) struct Sheet<'t> {
    pub(crate) table: &'t DecisionTable,
    pub(crate) space: Space,
    /// What rows may match.
    pub(crate) may: Boxes,
    /// What rows match for certain.
    pub(crate) must: Boxes,
    /// For each row a number that is the same where the answer is.
    pub(crate) answers: Vec<u32>,
    pub(crate) left_out: bool,
    pub(crate) limits: &'t Limits,
}

impl<'t> Sheet<'t> {
    pub(crate) fn new(table: &'t DecisionTable, limits: &'t Limits) -> Self {
        let mut sheet = Self::bare(table, limits);
        let mut numbers: HashMap<String, u32> = HashMap::new();
        sheet.answers = (0..table.table().rules.len())
            .map(|row| {
                let answer: Vec<String> = table
                    .outputs()
                    .iter()
                    .map(|output| match &output.answers[row] {
                        Answer::Constant(value) => value.to_string(),
                        Answer::Computed(expr) => format!("{expr:?}"),
                    })
                    .collect();
                let next = numbers.len() as u32;
                *numbers.entry(answer.join("\u{0}")).or_insert(next)
            })
            .collect();
        sheet
    }

    pub(crate) fn bare(table: &'t DecisionTable, limits: &'t Limits) -> Self {
        let space = Space::of(table);
        let (may, left_out) = Boxes::of(table, &space, false);
        let dynamic = table
            .columns()
            .iter()
            .flat_map(|column| &column.cells)
            .any(|cell| cell.dynamic);
        let must = if dynamic {
            Boxes::of(table, &space, true).0
        } else {
            may.clone()
        };
        Self {
            table,
            space,
            may,
            must,
            answers: Vec::new(),
            left_out,
            limits,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.table.table().rules.len()
    }

    pub(crate) fn place(&self, pointer: &str) -> Place {
        match self.table.document() {
            Some(document) => document.place(pointer),
            None => Place {
                pointer: pointer.to_owned(),
                ..Place::of_file(&self.table.table().name)
            },
        }
    }

    pub(crate) fn row_place(&self, row: u32) -> Place {
        self.place(&format!("/rules/{row}"))
    }

    /// Whether ranks alone say what a row matches.
    pub(crate) fn is_certain(&self, row: u32) -> bool {
        self.table
            .columns()
            .iter()
            .all(|column| !column.cells[row as usize].dynamic)
    }

    /// A row in a few words.
    pub(crate) fn row_in_words(&self, row: u32) -> String {
        let outputs: Vec<_> = self.table.table().rules[row as usize]
            .output_entries
            .iter()
            .map(|entry| entry.0.trim())
            .collect();
        format!("row {} answers {}", row + 1, outputs.join(", "))
    }

    /// The cells of a box, as a person would write them.
    pub(crate) fn cells(&self, sides: &[Side]) -> Vec<String> {
        self.table
            .columns()
            .iter()
            .zip(self.space.dims.iter().zip(sides))
            .map(|(column, (dim, side))| {
                if *side == dim.full() {
                    "-".to_owned()
                } else {
                    column.axis.describe(&dim.ranks(*side))
                }
            })
            .collect()
    }

    /// A box in words: `amount >= 500, vip = true`.
    pub(crate) fn in_words(&self, sides: &[Side]) -> String {
        let parts: Vec<String> = self
            .table
            .columns()
            .iter()
            .zip(self.cells(sides))
            .filter(|(_, cell)| cell != "-")
            .map(|(column, cell)| {
                if cell.starts_with(['<', '>']) {
                    format!("{} {cell}", column.label)
                } else if cell.starts_with(['[', '('])
                    || cell.starts_with("not(")
                    || cell.contains(", ")
                {
                    format!("{} in {cell}", column.label)
                } else {
                    format!("{} = {cell}", column.label)
                }
            })
            .collect();
        if parts.is_empty() {
            "any input".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// An input of a box.
    pub(crate) fn witness(&self, sides: &[Side]) -> Json {
        let mut root = Json::Object(Map::new());
        for (column, (dim, side)) in self
            .table
            .columns()
            .iter()
            .zip(self.space.dims.iter().zip(sides))
        {
            let rank = dim.any(*side);
            let value = column.axis.sample(rank).to_json();
            match &column.path {
                Some(path) => put(&mut root, path.iter().map(|name| &**name), value),
                None => put(&mut root, [column.label.as_str()].into_iter(), value),
            }
        }
        root
    }

    /// A row for a box.
    pub(crate) fn row(
        &self,
        sides: &[Side],
        outputs: Vec<Entry>,
        annotation: Option<String>,
    ) -> Json {
        let rule = Rule {
            id: None,
            input_entries: self.cells(sides).into_iter().map(Entry).collect(),
            output_entries: outputs,
            annotation,
        };
        serde_json::to_value(rule).unwrap_or_default()
    }

    /// A row of the document with other cells.
    pub(crate) fn row_as(&self, row: u32, sides: &[Side]) -> Json {
        let rule = &self.table.table().rules[row as usize];
        let mut made = self.row(sides, rule.output_entries.clone(), rule.annotation.clone());
        // A cell that stays keeps its spelling.
        for (at, column) in self.table.columns().iter().enumerate() {
            let dim = self.space.dims[at];
            if !dim.bits && column.cells[row as usize].must.ranges().len() != 1 {
                continue;
            }
            if dim.ranks(sides[at]) == column.cells[row as usize].may {
                made["inputEntries"][at] = Json::String(rule.input_entries[at].0.clone());
            }
        }
        if let Some(id) = &rule.id {
            made["id"] = Json::String(id.clone());
        }
        made
    }

    /// The value that permits least, where the table says which does.
    pub(crate) fn least(&self, output: usize) -> Option<&Value> {
        self.table.outputs()[output].permits.first()
    }

    /// Whether a value of an output lets something happen: as the table says, or as the word does.
    pub(crate) fn permits(&self, output: usize, value: &Value) -> bool {
        let column = &self.table.outputs()[output];
        if let Some(least) = column.permits.first() {
            return column.permits.contains(value) && value != least;
        }
        match value {
            Value::Boolean(value) => *value,
            Value::String(text) => {
                let text = text.to_lowercase();
                const WORDS: [&str; 14] = [
                    "accept",
                    "accepted",
                    "allow",
                    "allowed",
                    "approve",
                    "approved",
                    "eligible",
                    "grant",
                    "granted",
                    "ok",
                    "pass",
                    "permit",
                    "permitted",
                    "yes",
                ];
                WORDS.contains(&text.as_str())
            }
            _ => false,
        }
    }
}

pub(crate) fn put<'n>(root: &mut Json, mut path: impl Iterator<Item = &'n str>, value: Json) {
    let Some(name) = path.next() else {
        *root = value;
        return;
    };
    if !root.is_object() {
        *root = Json::Object(Map::new());
    }
    put(&mut root[name], path, value);
}
