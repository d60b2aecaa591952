//! A JSON Schema's objections in words, each with what to write instead.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::{Document, Problem, escaped, suggest};

/// A schema ready for checking.
pub(crate) struct Checker {
    schema: Value,
    validator: Validator,
}

impl Checker {
    /// Of a schema that the binary carries.
    pub(crate) fn embedded(text: &str) -> Self {
        let schema: Value = serde_json::from_str(text).expect("the embedded schema is JSON");
        let validator =
            jsonschema::validator_for(&schema).expect("the embedded schema is a schema");
        Self { schema, validator }
    }

    /// Everything in the document that the schema does not allow, but no more than a reader can use.
    pub(crate) fn problems(&self, document: &Document) -> Vec<Problem> {
        self.validator
            .iter_errors(&document.value)
            .take(100)
            .flat_map(|error| self.in_words(document, &error))
            .collect()
    }

    fn in_words(&self, document: &Document, error: &ValidationError<'_>) -> Vec<Problem> {
        let pointer = error.instance_path().as_str();
        let instance = error.instance();
        let here = self.node(error.schema_path().as_str());
        let one = |code: &str, message: String, fix: String| {
            vec![document.problem(code, pointer, message, fix)]
        };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
                .iter()
                .map(|name| {
                    let known = here["properties"]
                        .as_object()
                        .into_iter()
                        .flat_map(|known| known.keys());
                    document.problem(
                        "unknown-field",
                        &format!("{pointer}/{}", escaped(name)),
                        format!("there is no field \"{name}\" here"),
                        suggest::fix(name, "field", known.map(String::as_str)),
                    )
                })
                .collect(),
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let about = here["properties"][name]["description"]
                    .as_str()
                    .unwrap_or("the schema requires it");
                one(
                    "missing-field",
                    format!("the field \"{name}\" is missing"),
                    format!("add \"{name}\": {about}"),
                )
            }
            ValidationErrorKind::Type { .. } => one(
                "wrong-type",
                format!(
                    "expected {}, found {}",
                    expected(&here["type"]),
                    found(instance)
                ),
                hint(here),
            ),
            ValidationErrorKind::Enum { options } => {
                let known: Vec<_> = options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                one(
                    "unknown-value",
                    format!(
                        "{} is not one of the values that this field takes",
                        short(instance)
                    ),
                    suggest::fix(
                        instance.as_str().unwrap_or_default(),
                        "value",
                        known.iter().copied(),
                    ),
                )
            }
            ValidationErrorKind::Pattern { .. } => one(
                "bad-form",
                format!(
                    "{} does not have the form that is needed here",
                    short(instance)
                ),
                hint(here),
            ),
            ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinLength { .. } => {
                one("empty", "this may not be empty".to_owned(), hint(here))
            }
            ValidationErrorKind::MaxItems { limit } => one(
                "too-long",
                format!("this list has more than {limit} items"),
                format!("split it so that none has more than {limit}"),
            ),
            ValidationErrorKind::MaxLength { limit } => one(
                "too-long",
                format!("this has more than {limit} characters"),
                format!("shorten it to {limit} characters"),
            ),
            _ => one(
                "invalid",
                short(&Value::String(error.to_string())),
                hint(here),
            ),
        }
    }

    /// The schema node that holds the keyword at this path.
    fn node(&self, keyword_path: &str) -> &Value {
        let parent = keyword_path
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        self.schema.pointer(parent).unwrap_or(&Value::Null)
    }
}

/// Schemas are written so that the description of every node tells what to write there.
fn hint(node: &Value) -> String {
    node["description"].as_str().map_or_else(
        || "see the schema of this document".to_owned(),
        ToOwned::to_owned,
    )
}

/// A value that fits a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn expected(types: &Value) -> String {
    match types {
        Value::Array(types) => types.iter().map(expected).collect::<Vec<_>>().join(" or "),
        Value::String(name) => match name.as_str() {
            "null" => "null".to_owned(),
            "boolean" => "true or false".to_owned(),
            "integer" => "a whole number".to_owned(),
            "array" => "a list".to_owned(),
            "object" => "an object".to_owned(),
            name => format!("a {name}"),
        },
        _ => "another type".to_owned(),
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
