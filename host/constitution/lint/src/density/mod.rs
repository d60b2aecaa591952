//! How much a document says for its length, and which edits would make it say the same in less.

mod process;

use std::collections::HashMap;

use polity_tables::{DecisionTable, Test};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::Finding;
use crate::table::{Limits, Sheet, groups, open_share};

pub(crate) use process::{process_density, repeated_between};

/// What a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A decision table; its rows are rules.
    #[default]
    Table,
    /// A protocol; its rows are steps.
    Protocol,
}

impl DocumentKind {
    /// What its rows are called.
    pub fn rows(self) -> &'static str {
        match self {
            Self::Table => "rows",
            Self::Protocol => "steps",
        }
    }

    /// What it decides.
    pub fn inputs(self) -> &'static str {
        match self {
            Self::Table => "inputs",
            Self::Protocol => "choices",
        }
    }
}

/// Information per length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// What it is.
    #[serde(default)]
    pub kind: DocumentKind,
    /// The document.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Rows now; of a protocol, steps.
    pub rows: usize,
    /// Rows after those that can be joined are joined and those that decide nothing are gone; steps after those that no
    /// path leads to and those that stand there twice are gone.
    pub rows_needed: usize,
    /// Tests and answers; of a protocol, cases, effects, questions to people, waits and conditions.
    pub atoms: usize,
    /// Words and signs of the text.
    pub tokens: usize,
    /// The part of the input space that rows decide, each class of values counted alike; of a protocol, the part of its
    /// choices, questions and waits that leave nothing open.
    pub decided: f64,
    /// Parts of the document that stand in it more than once.
    pub repeated_parts: usize,
    /// The edits that would save most, first the one that saves most.
    pub best_edits: Vec<Saving>,
}

/// An edit and what it saves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saving {
    /// Words and signs less.
    pub tokens: usize,
    /// The edit.
    pub suggestion: Suggestion,
}

impl Density {
    /// Tests and answers for each word or sign.
    pub fn atoms_per_token(&self) -> f64 {
        if self.tokens == 0 {
            0.0
        } else {
            self.atoms as f64 / self.tokens as f64
        }
    }

    /// Rows needed for each row there is.
    pub fn row_ratio(&self) -> f64 {
        if self.rows == 0 {
            1.0
        } else {
            self.rows_needed as f64 / self.rows as f64
        }
    }
}

/// The density of a table of which the findings are known.
pub(crate) fn density(table: &DecisionTable, findings: &[Finding], limits: &Limits) -> Density {
    let sheet = Sheet::new(table, limits);
    let json = match table.document() {
        Some(document) => document.value.clone(),
        None => serde_json::to_value(table.table()).unwrap_or_default(),
    };
    let rows = table.table().rules.len();
    let joined: usize = groups(&sheet)
        .iter()
        .map(|group| group.rows.len() - 1)
        .sum();
    let gone = findings
        .iter()
        .filter(|finding| {
            matches!(
                finding.code,
                Code::DuplicateRow | Code::SubsumedRow | Code::UnreachableRow | Code::NeverMatches
            )
        })
        .map(|finding| &finding.place.pointer)
        .collect::<std::collections::HashSet<_>>()
        .len();
    Density {
        kind: DocumentKind::Table,
        file: table
            .document()
            .map(|document| document.file.clone())
            .unwrap_or_default(),
        name: table.table().name.clone(),
        rows,
        rows_needed: rows.saturating_sub(joined + gone),
        atoms: atoms(table),
        tokens: tokens_of(&json),
        decided: 1.0 - open_share(&sheet),
        repeated_parts: repeated(&json),
        best_edits: best(&json, findings),
    }
}

fn atoms(table: &DecisionTable) -> usize {
    let tests: usize = table
        .columns()
        .iter()
        .flat_map(|column| &column.cells)
        .flat_map(|cell| &cell.tests)
        .filter(|test| !matches!(test, Test::Any))
        .count();
    tests
        + table
            .outputs()
            .iter()
            .map(|output| output.answers.len())
            .sum::<usize>()
}

fn best(json: &Json, findings: &[Finding]) -> Vec<Saving> {
    let before = tokens_of(json);
    // To carry a cure out costs a copy of the document; more than these nobody reads.
    let mut savings: Vec<Saving> = findings
        .iter()
        .filter_map(|finding| finding.suggestion.as_ref())
        .filter(|suggestion| !suggestion.edits.is_empty() && !suggestion.fill_in)
        .take(40)
        .filter_map(|suggestion| {
            let mut edited = json.clone();
            suggestion.apply(&mut edited).ok()?;
            let tokens = before
                .checked_sub(tokens_of(&edited))
                .filter(|saved| *saved > 0)?;
            Some(Saving {
                tokens,
                suggestion: suggestion.clone(),
            })
        })
        .collect();
    savings.sort_by(|a, b| {
        b.tokens
            .cmp(&a.tokens)
            .then_with(|| a.suggestion.title.cmp(&b.suggestion.title))
    });
    savings.truncate(3);
    savings
}

/// Words and signs, whatever the layout.
fn tokens_of(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 1,
        Json::String(text) => words(text),
        Json::Array(items) => {
            2 + items.iter().map(tokens_of).sum::<usize>() + items.len().saturating_sub(1)
        }
        Json::Object(fields) => {
            2 + fields
                .iter()
                .map(|(name, value)| words(name) + 1 + tokens_of(value))
                .sum::<usize>()
                + fields.len().saturating_sub(1)
        }
    }
}

fn words(text: &str) -> usize {
    let mut count = 0;
    let mut in_word = false;
    for c in text.chars() {
        let part = c.is_alphanumeric() || c == '_';
        count += usize::from(!c.is_whitespace() && (!part || !in_word));
        in_word = part;
    }
    count
}

/// Lists and objects of some size that stand in the document again.
fn repeated(json: &Json) -> usize {
    fn walk(json: &Json, seen: &mut HashMap<String, usize>) -> usize {
        let size = 1 + match json {
            Json::Array(items) => items.iter().map(|item| walk(item, seen)).sum::<usize>(),
            Json::Object(fields) => fields.values().map(|value| walk(value, seen)).sum(),
            _ => 0,
        };
        // Cells are short and alike by nature; a whole row or a list of values is not.
        if (4..=400).contains(&size) && tokens_of(json) >= 12 {
            *seen.entry(json.to_string()).or_default() += 1;
        }
        size
    }
    let mut seen = HashMap::new();
    walk(json, &mut seen);
    seen.values().map(|count| count - 1).sum()
}
