//! Complaints of the JSON Schema, in the words of the file that they are about.

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::Value;

use super::document::Document;
use super::problem::{Problem, closest};

/// The schema as it is published, for editors to use.
pub const GRANT_SCHEMA: &str = include_str!("../../schemas/grant.schema.json");

static SCHEMA: LazyLock<(Value, Validator)> = LazyLock::new(|| compile(GRANT_SCHEMA));

/// Compiles one of our own schemas.
#[expect(
    clippy::expect_used,
    reason = "the text is part of this crate, and a test compiles it"
)]
pub(crate) fn compile(text: &str) -> (Value, Validator) {
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .build(&schema)
        .expect("the schema is a schema");
    (schema, validator)
}

/// All complaints about a document.
pub(super) fn check(document: &Document) -> Vec<Problem> {
    let (schema, validator) = &*SCHEMA;
    validator
        .iter_errors(&document.value)
        .flat_map(|error| {
            let pointer = error.instance_path().as_str();
            sentences(schema, &error)
                .into_iter()
                .map(|(key, message)| Problem {
                    line: document.line(&match key {
                        Some(key) => format!("{pointer}/{key}"),
                        None => pointer.to_owned(),
                    }),
                    message,
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A complaint as one sentence for each thing that it complains about, with the key
/// below the complaint's own place where there is one.
pub(crate) fn sentences(
    schema: &Value,
    error: &ValidationError<'_>,
) -> Vec<(Option<String>, String)> {
    let pointer = error.instance_path().as_str();
    let name = key_of(pointer);
    // The schema that complains: the keyword's parent.
    let complaining = error.schema_path().as_str();
    let complaining = schema.pointer(&complaining[..complaining.rfind('/').unwrap_or(0)]);
    let about = described(schema, complaining, error.schema_path().as_str());
    let found = || match error.instance().as_ref() {
        // Long texts, and what a confused person might have pasted a credential into.
        Value::String(text) if text.len() > 60 || pointer.starts_with("/secret") => {
            "this text".to_owned()
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        value => value.to_string(),
    };
    let one = |message: String| vec![(None, message)];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> = complaining
                .and_then(|schema| schema.get("properties")?.as_object())
                .map(|keys| keys.keys().map(String::as_str).collect())
                .unwrap_or_default();
            unexpected
                .iter()
                .map(|key| {
                    let hint = match closest(key, known.iter().copied()) {
                        Some(meant) => format!("; did you mean `{meant}`?"),
                        None => format!("; the keys here are {}", known.join(", ")),
                    };
                    (Some(key.clone()), format!("unknown key `{key}`{hint}"))
                })
                .collect()
        }
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let about = complaining
                .and_then(|schema| schema.pointer(&format!("/properties/{property}/description")))
                .and_then(Value::as_str)
                .map(|text| format!(": {text}"))
                .unwrap_or_default();
            one(format!(
                "`{property}` is missing in {}{about}",
                table(pointer)
            ))
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
                jsonschema::error::TypeKind::Multiple(_) => "of another type".to_owned(),
            };
            let article = if wanted.starts_with(['a', 'i', 'o']) {
                "an "
            } else {
                "a "
            };
            one(format!(
                "`{name}` must be {article}{wanted}, not {}",
                found()
            ))
        }
        ValidationErrorKind::Minimum { limit } => {
            one(format!("`{name}` must be at least {limit}{}", tail(about)))
        }
        ValidationErrorKind::Maximum { limit } => {
            one(format!("`{name}` must be at most {limit}{}", tail(about)))
        }
        ValidationErrorKind::MinItems { .. } => one(format!(
            "`{name}` must not be empty; leave it out for the default"
        )),
        ValidationErrorKind::Pattern { .. } => match about {
            Some(about) if pointer.starts_with("/secret") => one(format!("`{name}` takes {about}")),
            Some(about) => one(format!("`{name}` takes {about}, not {}", found())),
            None => one(format!("`{name}` cannot be {}", found())),
        },
        ValidationErrorKind::OneOfNotValid { .. } => {
            one("one of `env`, `file` or `credential` must say where the credential is".into())
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            one("only one of `env`, `file` and `credential` can say where the credential is".into())
        }
        _ => one(format!("`{name}`: {}", error.masked_with("the value"))),
    }
}

fn tail(about: Option<&str>) -> String {
    about.map(|about| format!(": {about}")).unwrap_or_default()
}

/// The description of the schema that complains, or of the list around it.
fn described<'a>(schema: &'a Value, complaining: Option<&'a Value>, path: &str) -> Option<&'a str> {
    let of = |schema: &'a Value| schema.get("description")?.as_str();
    complaining.and_then(of).or_else(|| {
        let list = &path[..path.rfind("/items/")?];
        of(schema.pointer(list)?)
    })
}

/// The last segment of a pointer that is a name.
fn key_of(pointer: &str) -> &str {
    pointer
        .rsplit('/')
        .find(|segment| !segment.is_empty() && segment.parse::<usize>().is_err())
        .unwrap_or("the file")
}

/// The table that a pointer leads to, as TOML writes it.
fn table(pointer: &str) -> String {
    match pointer.trim_start_matches('/').split_once('/') {
        Some((list, _)) => format!("[[{list}]]"),
        None if pointer.is_empty() => "the file".to_owned(),
        None => format!("[{}]", &pointer[1..]),
    }
}
