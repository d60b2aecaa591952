//! A decision table as its document says it, with the field names of DMN.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use crate::value::Kind;

/// One decision table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// Where an editor finds the schema.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What the table is called by.
    pub name: String,
    /// What it is headed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Questions that it answers, in the words of those who ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<String>,
    /// The sentence of the handbook that it puts into practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The role that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The fact that it decides; two tables that decide one fact must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decides: Option<String>,
    /// What happens when several rows match.
    #[serde(default)]
    pub hit_policy: HitPolicy,
    /// What COLLECT makes of the outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
    /// The columns that are asked.
    pub inputs: Vec<Input>,
    /// The columns that answer.
    pub outputs: Vec<Output>,
    /// The rows.
    pub rules: Vec<Rule>,
}

/// A column that is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// What the column is headed with; its expression where that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the value is found in the input; the name where that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The kind of its values.
    #[serde(default)]
    pub type_ref: Kind,
    /// The values it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_values: Option<AllowedValues>,
    /// Whether the value may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// What its numbers count: `EUR`, `days`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A column that answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    /// What the answer is called.
    #[serde(default)]
    pub name: String,
    /// The kind of its values.
    #[serde(default)]
    pub type_ref: Kind,
    /// The values it may take; for PRIORITY and OUTPUT ORDER the first outranks the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_values: Option<AllowedValues>,
    /// The answer where no row matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_output_entry: Option<Entry>,
    /// The values from the one that permits least to the one that permits most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permits: Vec<String>,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// A name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A test for each input.
    pub input_entries: Vec<Entry>,
    /// A value for each output.
    pub output_entries: Vec<Entry>,
    /// Why the row is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
}

/// What stands in a cell. Numbers and truth values may be written without quotation marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Entry(pub String);

/// The values that a column may take: unary tests, or a list of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AllowedValues {
    /// `"[0..100]"`, `"\"a\", \"b\""`
    Tests(String),
    /// `["a", "b"]`
    List(Vec<Json>),
}

/// What happens when several rows match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HitPolicy {
    /// It may not happen.
    #[default]
    Unique,
    /// The first one counts.
    First,
    /// The one whose output stands first among the allowed values counts.
    Priority,
    /// All must answer the same.
    Any,
    /// All count, in no order.
    Collect,
    /// All count, in the order of the rows.
    #[serde(rename = "RULE ORDER")]
    RuleOrder,
    /// All count, in the order of the outputs' allowed values.
    #[serde(rename = "OUTPUT ORDER")]
    OutputOrder,
}

/// What COLLECT makes of the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// How many there are.
    Count,
}

impl HitPolicy {
    /// Whether one row at most decides.
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Self::Unique | Self::First | Self::Priority | Self::Any
        )
    }

    /// The name in a document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unique => "UNIQUE",
            Self::First => "FIRST",
            Self::Priority => "PRIORITY",
            Self::Any => "ANY",
            Self::Collect => "COLLECT",
            Self::RuleOrder => "RULE ORDER",
            Self::OutputOrder => "OUTPUT ORDER",
        }
    }

    /// The letter in the corner of a printed table.
    pub fn letter(self, aggregation: Option<Aggregation>) -> &'static str {
        match (self, aggregation) {
            (Self::Unique, _) => "U",
            (Self::First, _) => "F",
            (Self::Priority, _) => "P",
            (Self::Any, _) => "A",
            (Self::RuleOrder, _) => "R",
            (Self::OutputOrder, _) => "O",
            (Self::Collect, None) => "C",
            (Self::Collect, Some(Aggregation::Sum)) => "C+",
            (Self::Collect, Some(Aggregation::Min)) => "C<",
            (Self::Collect, Some(Aggregation::Max)) => "C>",
            (Self::Collect, Some(Aggregation::Count)) => "C#",
        }
    }
}

impl Input {
    /// The heading.
    pub fn label(&self) -> &str {
        self.name
            .as_deref()
            .or(self.expression.as_deref())
            .unwrap_or_default()
    }

    /// The expression.
    pub fn source(&self) -> &str {
        self.expression
            .as_deref()
            .or(self.name.as_deref())
            .unwrap_or_default()
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => Ok(Self(text)),
            scalar @ (Json::Null | Json::Bool(_) | Json::Number(_)) => Ok(Self(scalar.to_string())),
            _ => Err(serde::de::Error::custom(
                "a cell is a text, a number, true, false or null",
            )),
        }
    }
}
