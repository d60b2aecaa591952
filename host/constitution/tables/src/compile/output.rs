//! One output column: constants are computed once, the rest when a row has matched.

use std::sync::Arc;

use super::cell::constant;
use super::column::{Words, allowed_tests, listed_values};
use super::{Fault, short};
use polity_document::suggest;

use crate::feel::{Expr, parse_expression};
use crate::table::{Entry, Table};
use crate::value::{Kind, Value};

/// An output column, ready to answer.
#[derive(Clone, Debug)]
pub struct OutputColumn {
    /// What the answer is called.
    pub name: Arc<str>,
    /// The kind of its values.
    pub kind: Kind,
    /// The values that are listed, first the one that outranks the others.
    pub listed: Vec<Value>,
    /// The values from the one that permits least to the one that permits most.
    pub permits: Vec<Value>,
    /// The answer of each row.
    pub answers: Vec<Answer>,
    /// The answer where no row matches.
    pub default: Option<Answer>,
}

/// What an output cell says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Always the same.
    Constant(Value),
    /// Depends on the inputs.
    Computed(Expr),
}

impl OutputColumn {
    pub(super) fn compile(
        table: &Table,
        at: usize,
        names: &[Arc<str>],
        lenient: bool,
    ) -> Result<Self, Vec<Fault>> {
        let output = &table.outputs[at];
        let pointer = format!("/outputs/{at}/allowedValues");
        let listed = match &output.allowed_values {
            Some(allowed) => {
                listed_values(&allowed_tests(allowed, output.type_ref, &pointer, names)?)
            }
            None => Vec::new(),
        };
        let words = Words::of(&listed);
        let known = words.names(names);
        let mut faults = Vec::new();
        let mut read = |entry: &Entry, pointer: String| -> Option<Answer> {
            match answer(entry, &words, &known) {
                Ok(answer) => {
                    if let Answer::Constant(value) = &answer
                        && !lenient
                    {
                        faults.extend(misfit(value, output.type_ref, &listed, &pointer));
                    }
                    Some(answer)
                }
                Err(error) => {
                    faults.push(Fault {
                        fix: "write a value such as `\"approve\"` or `amount * 0.1`".to_owned(),
                        ..Fault::syntax(pointer, &entry.0, &error)
                    });
                    None
                }
            }
        };
        let answers = table
            .rules
            .iter()
            .enumerate()
            .filter_map(|(row, rule)| {
                read(
                    &rule.output_entries[at],
                    format!("/rules/{row}/outputEntries/{at}"),
                )
            })
            .collect();
        let default = output
            .default_output_entry
            .as_ref()
            .and_then(|entry| read(entry, format!("/outputs/{at}/defaultOutputEntry")));
        let mut permits = Vec::with_capacity(output.permits.len());
        for (index, text) in output.permits.iter().enumerate() {
            let value = listed
                .iter()
                .find(|value| {
                    matches!(value, Value::String(known) if **known == **text)
                        || value.to_string() == *text
                })
                .cloned()
                .or_else(|| Value::from_text(text, output.type_ref))
                .or_else(|| parse_expression(text, &[]).ok().as_ref().and_then(constant));
            match value {
                Some(value) => permits.push(value),
                None => faults.push(Fault::new(
                    "ill-typed-cell",
                    format!("/outputs/{at}/permits/{index}"),
                    format!("\"{}\" is no value of this output", short(text)),
                    "write one of its values",
                )),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            name: Arc::from(output.name.as_str()),
            kind: output.type_ref,
            listed,
            permits,
            answers,
            default,
        })
    }

    /// The rank of a value among the listed ones; what is not listed comes last.
    pub fn priority(&self, value: &Value) -> usize {
        self.listed
            .iter()
            .position(|listed| listed.equals(value) == Some(true))
            .unwrap_or(self.listed.len())
    }
}

fn answer(
    entry: &Entry,
    words: &Words,
    names: &[Arc<str>],
) -> Result<Answer, crate::feel::SyntaxError> {
    if matches!(entry.0.trim(), "" | "-") {
        return Ok(Answer::Constant(Value::Null));
    }
    let expr = words.literal(parse_expression(&entry.0, names)?);
    Ok(match constant(&expr) {
        Some(value) => Answer::Constant(value),
        None => Answer::Computed(expr),
    })
}

fn misfit(value: &Value, kind: Kind, listed: &[Value], pointer: &str) -> Option<Fault> {
    if *value == Value::Null {
        return None;
    }
    if !crate::feel::is_of(value, kind) {
        return Some(Fault::new(
            "ill-typed-cell",
            pointer.to_owned(),
            format!("{value} does not fit an output of the type {kind}"),
            format!("write a value of the type {kind}, or change the output's \"typeRef\""),
        ));
    }
    if !listed.is_empty() && !listed.iter().any(|known| known.equals(value) == Some(true)) {
        let known: Vec<String> = listed.iter().map(ToString::to_string).collect();
        let known: Vec<&str> = known.iter().map(|text| text.trim_matches('"')).collect();
        let text = value.to_string();
        return Some(Fault::new(
            "unlisted-value",
            pointer.to_owned(),
            format!("{value} is not among the allowed values of this output"),
            suggest::fix(text.trim_matches('"'), "value", known),
        ));
    }
    None
}
