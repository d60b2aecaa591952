//! The JSON Schemas of the documents, and their errors in words. The same files lie beside a company's documents, where
//! editors complete and check from them; the binary carries them, so that no file can be checked against another version.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::document::Document;
use crate::locate::escaped;
use crate::problem::Problem;
use crate::suggest;

/// A schema that ships with Polity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its file name, `charter.schema.json`.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every schema of a constitution's documents.
pub const SCHEMAS: [Schema; 4] = [
    Schema {
        file: "charter.schema.json",
        text: include_str!("../schemas/charter.schema.json"),
    },
    Schema {
        file: "rule.schema.json",
        text: include_str!("../schemas/rule.schema.json"),
    },
    Schema {
        file: "decision.schema.json",
        text: polity_tables::SCHEMA,
    },
    Schema {
        file: "workflow.schema.yaml",
        text: polity_workflow::OPEN_WORKFLOW_SCHEMA,
    },
];

/// A schema ready for checking.
pub(crate) struct Checker {
    schema: Value,
    validator: Validator,
}

pub(crate) static CHARTER: LazyLock<Checker> = LazyLock::new(|| Checker::of(&SCHEMAS[0]));
pub(crate) static RULE: LazyLock<Checker> = LazyLock::new(|| Checker::of(&SCHEMAS[1]));

impl Checker {
    fn of(schema: &Schema) -> Self {
        let value: Value = serde_json::from_str(schema.text).expect("the embedded schema is JSON");
        let validator = jsonschema::validator_for(&value).expect("the embedded schema is a schema");
        Self {
            schema: value,
            validator,
        }
    }

    /// Everything in the document that the schema does not allow.
    pub(crate) fn problems(&self, document: &Document<'_>) -> Vec<Problem> {
        self.validator
            .iter_errors(&document.value)
            .flat_map(|error| self.in_words(document, &error))
            .collect()
    }

    fn in_words(&self, document: &Document<'_>, error: &ValidationError<'_>) -> Vec<Problem> {
        let pointer = error.instance_path().as_str();
        let instance = error.instance();
        let here = self.node(error.schema_path().as_str());
        let one = |code, message: String, fix: String| {
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
                    format!("{instance} is not one of the values that this field takes"),
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
                format!("{instance} does not have the form that is needed here"),
                hint(here),
            ),
            ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinLength { .. } => {
                one("empty", "this may not be empty".to_owned(), hint(here))
            }
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
                format!("{instance} is below {limit}"),
                hint(here),
            ),
            ValidationErrorKind::Maximum { limit } => one(
                "out-of-range",
                format!("{instance} is above {limit}"),
                hint(here),
            ),
            _ => one("invalid", error.to_string(), hint(here)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permission;

    #[test]
    fn each_schema_of_ours_is_draft_2020_12_with_an_id_that_ends_in_its_file_name() {
        // The schema of workflows is the specification's own, byte for byte.
        for schema in SCHEMAS
            .iter()
            .filter(|schema| schema.file.ends_with(".json"))
        {
            let value: Value = serde_json::from_str(schema.text).unwrap();
            assert_eq!(
                value["$schema"],
                "https://json-schema.org/draft/2020-12/schema"
            );
            assert!(
                value["$id"].as_str().unwrap().ends_with(schema.file),
                "{}",
                schema.file
            );
            jsonschema::validator_for(&value).unwrap();
        }
    }

    #[test]
    fn the_schema_lists_exactly_the_permissions_that_exist() {
        let listed =
            CHARTER.schema["$defs"]["role"]["properties"]["permissions"]["items"]["enum"].clone();
        assert_eq!(listed, serde_json::to_value(Permission::ALL).unwrap());
    }

    #[test]
    fn every_object_is_closed_and_every_property_is_described() {
        fn walk(node: &Value, path: &str) {
            let Some(fields) = node.as_object() else {
                return;
            };
            if let Some(properties) = fields.get("properties").and_then(Value::as_object)
                && fields.contains_key("type")
            {
                assert!(
                    fields.contains_key("additionalProperties"),
                    "{path} is open"
                );
                for (name, property) in properties {
                    assert!(
                        property["description"].is_string(),
                        "{path}/{name} lacks a description"
                    );
                }
            }
            for (name, child) in fields {
                walk(child, &format!("{path}/{name}"));
            }
        }
        walk(&CHARTER.schema, "");
        walk(&RULE.schema, "");
    }
}
