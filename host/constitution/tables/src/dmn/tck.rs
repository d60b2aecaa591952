//! Test files in the form of the DMN Technology Compatibility Kit: inputs and expected results of decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use roxmltree::{Document, Node};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{ImportError, Model, ModelError};
use crate::value::{Date, DateTime, DaysDuration, MonthsDuration, Time, Value, exact};

/// How a test came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Pass,
    /// Otherwise.
    Fail {
        /// What was expected.
        expected: String,
        /// What came out.
        found: String,
    },
    /// It needs a part of DMN that is not carried out here.
    Unsupported {
        /// Which part.
        reason: String,
    },
}

/// A test of one decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Test {
    /// The case's id in its file.
    pub case: String,
    /// The decision.
    pub decision: String,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Runs all tests of a file on a model.
///
/// # Errors
/// The file is not XML.
pub fn run(model: &Model, text: &str) -> Result<Vec<Test>, ImportError> {
    let document = Document::parse(text).map_err(|error| ImportError::NotXml(error.to_string()))?;
    let mut tests = Vec::new();
    for case in document
        .descendants()
        .filter(|node| node.tag_name().name() == "testCase")
    {
        let inputs: BTreeMap<String, Value> = elements(case, "inputNode")
            .map(|node| {
                (
                    node.attribute("name").unwrap_or_default().to_owned(),
                    value(node),
                )
            })
            .collect();
        for result in elements(case, "resultNode") {
            let decision = result.attribute("name").unwrap_or_default();
            let expected = elements(result, "expected")
                .next()
                .map(value)
                .unwrap_or_default();
            let found = match (case.attribute("type"), case.attribute("invocableName")) {
                (Some("bkm" | "decisionService"), Some(name)) => model.invoke(name, &inputs),
                _ => model.decide(decision, &inputs),
            };
            let outcome = match found {
                Ok(found) if same(&expected, &found) => Outcome::Pass,
                Ok(found) => Outcome::Fail {
                    expected: expected.to_string(),
                    found: found.to_string(),
                },
                Err(ModelError::Unsupported(reason)) => Outcome::Unsupported { reason },
                Err(error) => Outcome::Fail {
                    expected: expected.to_string(),
                    found: error.to_string(),
                },
            };
            tests.push(Test {
                case: case.attribute("id").unwrap_or_default().to_owned(),
                decision: decision.to_owned(),
                outcome,
            });
        }
    }
    Ok(tests)
}

/// Expected numbers of the kit are rounded, most of them to what a double holds.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            let tolerance = (a.abs() * Decimal::new(1, 10)).max(Decimal::new(1, 10));
            (a - b).abs() <= tolerance
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Context(a), Value::Context(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|((n, a), (m, b))| n == m && same(a, b))
        }
        (a, b) => a.equals(b) == Some(true),
    }
}

fn elements<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn value(node: Node<'_, '_>) -> Value {
    let fields: BTreeMap<Arc<str>, Value> = elements(node, "component")
        .map(|component| {
            (
                Arc::from(component.attribute("name").unwrap_or_default()),
                value(component),
            )
        })
        .collect();
    if !fields.is_empty() {
        return Value::Context(Arc::new(fields));
    }
    if let Some(list) = elements(node, "list").next() {
        return Value::List(elements(list, "item").map(value).collect::<Vec<_>>().into());
    }
    let Some(leaf) = elements(node, "value").next() else {
        return Value::Null;
    };
    let attribute = |name: &str| {
        leaf.attributes()
            .find(|found| found.name() == name)
            .map(|found| found.value())
    };
    if attribute("nil") == Some("true") {
        return Value::Null;
    }
    let text = leaf.text().unwrap_or_default();
    let kind = attribute("type").map_or("string", |kind| {
        kind.rsplit_once(':').map_or(kind, |(_, bare)| bare)
    });
    let typed = match kind {
        "boolean" => text.trim().parse().ok().map(Value::Boolean),
        "decimal" | "double" | "float" | "integer" | "int" | "long" => {
            exact(text.trim()).map(Value::Number)
        }
        "date" => Date::parse(text.trim()).map(Value::Date),
        "time" => Time::parse(text.trim()).map(Value::Time),
        "dateTime" => DateTime::parse(text.trim()).map(Value::DateTime),
        "duration" | "dayTimeDuration" | "yearMonthDuration" => MonthsDuration::parse(text.trim())
            .map(Value::Months)
            .or_else(|| DaysDuration::parse(text.trim()).map(Value::Days)),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::string(text))
}
