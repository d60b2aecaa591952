//! A JSON Schema's objections in words, each with what to write instead.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::{Document, Problem, escaped, suggest};

/// Most objections to one document that are told.
const MAX_PROBLEMS: usize = 100;

/// A schema ready for checking.
pub struct Checker {
    schema: Value,
    validator: Validator,
}

impl Checker {
    /// Of a schema that the binary carries.
    ///
    /// # Panics
    /// The text is no JSON Schema.
    pub fn embedded(text: &str) -> Self {
        let schema: Value = serde_json::from_str(text).expect("the embedded schema is JSON");
        let validator =
            jsonschema::validator_for(&schema).expect("the embedded schema is a schema");
        Self { schema, validator }
    }

    /// The schema itself.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Everything in the document that the schema does not allow, but no more than a reader can use.
    pub fn problems(&self, document: &Document) -> Vec<Problem> {
        self.validator
            .iter_errors(&document.value)
            .take(MAX_PROBLEMS)
            .flat_map(|error| self.in_words(document, &error))
            .collect()
    }

    fn in_words(&self, document: &Document, error: &ValidationError<'_>) -> Vec<Problem> {
        let pointer = error.instance_path().as_str();
        let instance = error.instance();
        let shown = short(instance);
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
                let about = self.description_of_property(error.schema_path().as_str(), name);
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
                    expected_type(&here["type"]),
                    found_type(instance)
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
                let fix = match instance.as_str() {
                    Some(word) => suggest::fix(word, "value", known.iter().copied()),
                    None => format!("use one of the values {}", suggest::quoted(&known)),
                };
                one(
                    "unknown-value",
                    format!("{shown} is not one of the values that this field takes"),
                    fix,
                )
            }
            ValidationErrorKind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default().to_owned();
                vec![document.problem(
                    "bad-name",
                    &format!("{pointer}/{}", escaped(&name)),
                    format!("\"{name}\" is not a name that can be used here"),
                    hint(&here["propertyNames"]),
                )]
            }
            ValidationErrorKind::Pattern { .. } => one(
                "bad-form",
                format!("{shown} does not have the form that is needed here"),
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
            ValidationErrorKind::UniqueItems => one(
                "repeated",
                "a value stands in this list more than once".to_owned(),
                "remove the repetition".to_owned(),
            ),
            ValidationErrorKind::Minimum { limit } => one(
                "out-of-range",
                format!("{shown} is below {limit}"),
                hint(here),
            ),
            ValidationErrorKind::Maximum { limit } => one(
                "out-of-range",
                format!("{shown} is above {limit}"),
                hint(here),
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

    /// What the schema says of a property that the keyword at this path demands. Where the keyword stands in a `then`,
    /// the property is described further up.
    fn description_of_property(&self, keyword_path: &str, name: &str) -> String {
        let mut path = keyword_path;
        while let Some((parent, _)) = path.rsplit_once('/') {
            path = parent;
            let node = self.schema.pointer(path).unwrap_or(&Value::Null);
            if let Some(description) = node["properties"][name]["description"].as_str() {
                return lower_first(description);
            }
        }
        "this schema requires it".to_owned()
    }
}

/// Schemas are written so that the description of every node tells what to write there.
fn hint(node: &Value) -> String {
    node["description"]
        .as_str()
        .map_or_else(|| "see the schema of this document".to_owned(), lower_first)
}

fn lower_first(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        // "ISO 4217", "JSON" and the like keep their capitals.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => sentence.to_owned(),
    }
}

fn expected_type(types: &Value) -> String {
    match types {
        Value::Array(types) => types
            .iter()
            .map(expected_type)
            .collect::<Vec<_>>()
            .join(" or "),
        Value::String(name) => with_article(name),
        _ => "another type".to_owned(),
    }
}

fn found_type(value: &Value) -> String {
    with_article(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => return format!("the number {number}"),
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

fn with_article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        name => format!("a {name}"),
    }
}

/// A value that fits a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
