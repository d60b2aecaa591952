//! `models.json`: what the company says of its models.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::abilities::Abilities;
use super::model::{Latency, NeverFor, Price};
use super::problem::{OverlayProblem, OverlayProblems, escaped};
use super::together::{CacheSpec, CascadeSpec, CouncilSpec};
use crate::near::near;
use crate::policy::Policy;

/// The JSON Schema of `models.json`, for editors and for checking.
pub const MODELS_SCHEMA: &str = include_str!("../../schemas/models.schema.json");

/// Problems that are reported at most: a wrong document can be wrong everywhere.
const MOST_PROBLEMS: usize = 50;

static CHECKER: LazyLock<(Value, Validator)> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(MODELS_SCHEMA).expect("the embedded schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the embedded schema is a schema");
    (schema, validator)
});

/// What the company says. Everything may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    /// By id, or by plugin and id with a slash between.
    #[serde(default)]
    pub models: BTreeMap<String, ModelOverlay>,
    /// Names for one of several models.
    #[serde(default)]
    pub aliases: BTreeMap<String, Vec<String>>,
    /// How requests are routed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Models that answer together and decide, by the name behind `council/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub councils: BTreeMap<String, CouncilSpec>,
    /// Models that are asked one after the other until an answer passes, by the name that requests use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cascades: BTreeMap<String, CascadeSpec>,
    /// Whether answers are kept.
    #[serde(default)]
    pub cache: CacheSpec,
}

/// What the company says of one model; what is absent stays as the adapter reports it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "the schema describes each field, and `Model` does too"
)]
pub struct ModelOverlay {
    pub price: Option<Price>,
    pub region: Option<String>,
    pub residency: BTreeSet<String>,
    pub abilities: Option<Abilities>,
    pub context_tokens: Option<u32>,
    pub max_output_tokens: Option<u32>,
    pub local: Option<bool>,
    pub compliance: BTreeSet<String>,
    pub quality: BTreeMap<String, f64>,
    pub latency: Option<Latency>,
    pub never_for: NeverFor,
    pub disabled: bool,
}

impl Overlay {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// With everything that is wrong, each with its place and what to do.
    pub fn parse(text: &str) -> Result<Self, OverlayProblems> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            OverlayProblems(vec![OverlayProblem {
                pointer: String::new(),
                message: format!("it is not JSON: {error}"),
                fix: "correct the JSON at that line and column".to_owned(),
            }])
        })?;
        let (schema, validator) = &*CHECKER;
        let mut problems: Vec<OverlayProblem> = validator
            .iter_errors(&value)
            .take(MOST_PROBLEMS)
            .flat_map(|error| in_words(schema, &error))
            .collect();
        if problems.is_empty() {
            match serde_json::from_value::<Self>(value) {
                Ok(overlay) => match overlay.policy.as_ref().map_or(Ok(()), Policy::check) {
                    Ok(()) => {
                        problems = overlay.check_together();
                        if problems.is_empty() {
                            return Ok(overlay);
                        }
                    }
                    Err(error) => problems.push(OverlayProblem {
                        pointer: format!("/policy/{}", error.field.replace('.', "/")),
                        message: error.to_string(),
                        fix: "choose a number within these bounds, or leave it out".to_owned(),
                    }),
                },
                Err(error) => problems.push(OverlayProblem {
                    pointer: String::new(),
                    message: error.to_string(),
                    fix: "compare the document with its schema".to_owned(),
                }),
            }
        }
        problems.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        Err(OverlayProblems(problems))
    }
}

fn in_words(schema: &Value, error: &jsonschema::ValidationError<'_>) -> Vec<OverlayProblem> {
    let pointer = error.instance_path().as_str();
    let at = error.schema_path().as_str();
    let here = schema
        .pointer(at.rsplit_once('/').map_or("", |(node, _)| node))
        .unwrap_or(&Value::Null);
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        let known: Vec<&str> = here["properties"]
            .as_object()
            .into_iter()
            .flat_map(|known| known.keys().map(String::as_str))
            .collect();
        return unexpected
            .iter()
            .map(|name| OverlayProblem {
                pointer: format!("{pointer}/{}", escaped(name)),
                message: format!("there is no field \"{name}\" here"),
                fix: match near(name, known.iter().copied()).first() {
                    Some(likely) => format!("did you mean \"{likely}\"?"),
                    None => format!("remove it; the fields here are {}", known.join(", ")),
                },
            })
            .collect();
    }
    // Long values would drown the message.
    let message: String = error.to_string().chars().take(300).collect();
    vec![OverlayProblem {
        pointer: pointer.to_owned(),
        message,
        fix: here["description"].as_str().map_or_else(
            || "compare the document with its schema".to_owned(),
            |description| format!("expected here: {description}"),
        ),
    }]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let problems = Overlay::parse(
            r#"{"models": {"a/b": {"pirce": {"input": 1, "output": 2}, "price": {"input": -1, "output": 2}, "quality": {"code": 7}, "abilities": ["fly"]}}, "aliases": {"x": []}}"#,
        )
        .unwrap_err();
        insta::assert_snapshot!(problems);
    }

    #[test]
    fn what_is_not_json_is_named_with_its_place() {
        let problems = Overlay::parse("{\"models\": }").unwrap_err();
        assert!(
            problems.to_string().contains("line 1 column 12"),
            "{problems}"
        );
        // Deep nesting ends in an error, not in the stack.
        assert!(Overlay::parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_whole_document_reads_and_writes() {
        let text = r#"{"models": {"openai/gpt-4o": {
            "price": {"input": 2500000, "output": 10000000, "cached": 1250000}, "region": "us", "residency": ["eu"],
            "abilities": ["chat", "tools"], "context_tokens": 128000, "max_output_tokens": 16384, "local": false,
            "compliance": ["gdpr"], "quality": {"*": 0.8, "code": 0.85},
            "latency": {"first_token_ms": 400, "token_us": 12000},
            "never_for": {"tasks": ["medical"], "tags": ["secret"]}, "disabled": false}},
            "aliases": {"best": ["openai/gpt-4o"]}}"#;
        let overlay = Overlay::parse(text).unwrap();
        assert_eq!(overlay.models["openai/gpt-4o"].quality["code"], 0.85);
        let back: Overlay =
            serde_json::from_str(&serde_json::to_string(&overlay).unwrap()).unwrap();
        assert_eq!(back, overlay);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = Overlay::parse(&text);
        }

        #[test]
        fn no_number_panics(number in any::<f64>()) {
            let _ = Overlay::parse(&format!("{{\"models\":{{\"m\":{{\"quality\":{{\"*\":{number}}}}}}}}}"));
        }
    }
}
