//! Answers for a caller who brings a JSON Schema.
//!
//! A schema that closes its object gets the fields it lists, and a schema that lists labels gets the best of those. The
//! answer is then checked: the caller was promised that it satisfies the schema, so an answer that does not, or that
//! cannot be checked because the schema uses a keyword unknown here, is refused.

use polity_sdk::{Problem, problem};
use serde_json::Value;

use crate::answer::{FIELDS, json};
use crate::classifier::Verdict;
use crate::weights::Weights;

/// What the refusals name.
const SHAPE: &str = r#"{"label": string, "confidence": number from 0 to 1, "alternatives": [{"label": string, "confidence": number}], "known": boolean}"#;

/// Keywords that describe and do not constrain.
const ANNOTATIONS: &[&str] = &[
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
];

/// References that are followed one after another; a schema that needs more refers to itself.
const DEEPEST: usize = 32;

/// Why a value does not satisfy a schema, or why nobody can tell.
enum Failure {
    Violated(String),
    Unchecked(String),
}

/// The answer that satisfies `schema`, or a problem `invalid` that names the shape this model produces.
pub fn answer(weights: &Weights<'_>, verdict: &Verdict, schema: &str) -> Result<String, Problem> {
    let schema: Value = polity_sdk::parse(schema)?;
    let checker = Checker { root: &schema };

    let label_schema = schema
        .pointer("/properties/label")
        .unwrap_or(&Value::Bool(true));
    let ranking: Vec<usize> = verdict
        .ranking(weights.labels())
        .into_iter()
        .filter(|&label| {
            // What cannot be checked here is reported by the check of the whole answer.
            !matches!(
                checker.check(label_schema, &weights.label(label).into(), "/label", 0),
                Err(Failure::Violated(_))
            )
        })
        .collect();
    if ranking.is_empty() {
        let labels: Vec<&str> = (0..weights.labels())
            .map(|label| weights.label(label))
            .collect();
        return Err(refusal(&format!(
            "its 'label' admits none of {}",
            labels.join(", ")
        )));
    }

    let fields: Vec<&str> = match (&schema["properties"], &schema["additionalProperties"]) {
        (Value::Object(listed), Value::Bool(false)) => FIELDS
            .into_iter()
            .filter(|field| listed.contains_key(*field))
            .collect(),
        _ => FIELDS.into(),
    };
    let text = json(weights, verdict, &ranking, &fields);
    let value: Value = polity_sdk::parse(&text)?;
    match checker.check(&schema, &value, "", 0) {
        Ok(()) => Ok(text),
        Err(Failure::Violated(why)) => Err(refusal(&why)),
        Err(Failure::Unchecked(why)) => {
            Err(refusal(&format!("{why}, which this model cannot check")))
        }
    }
}

fn refusal(why: &str) -> Problem {
    problem(
        "invalid",
        format!(
            "the response schema does not fit this model's answer: {why}; the answer is {SHAPE}"
        ),
    )
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str, depth: usize) -> Result<(), Failure> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => {
                return Err(Failure::Violated(format!("it admits nothing at '{at}'")));
            }
            Value::Object(keywords) => keywords,
            _ => {
                return Err(Failure::Unchecked(format!(
                    "at '{at}' it is neither an object nor a boolean"
                )));
            }
        };
        if depth == DEEPEST {
            return Err(Failure::Unchecked(format!("at '{at}' it refers to itself")));
        }
        for (keyword, argument) in keywords {
            self.keyword(keyword, argument, keywords, value, at, depth)?;
        }
        Ok(())
    }

    fn keyword(
        &self,
        keyword: &str,
        argument: &Value,
        siblings: &serde_json::Map<String, Value>,
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(), Failure> {
        let satisfied = match (keyword, argument, value) {
            ("type", Value::String(name), _) => is_of_type(value, name),
            ("type", Value::Array(names), _) => names
                .iter()
                .any(|name| name.as_str().is_some_and(|name| is_of_type(value, name))),
            ("enum", Value::Array(values), _) => values.iter().any(|one| same(one, value)),
            ("const", one, _) => same(one, value),
            ("required", Value::Array(names), Value::Object(fields)) => names
                .iter()
                .all(|name| name.as_str().is_some_and(|name| fields.contains_key(name))),
            ("properties", Value::Object(schemas), Value::Object(fields)) => {
                for (name, schema) in schemas {
                    if let Some(field) = fields.get(name) {
                        self.check(schema, field, &format!("{at}/{name}"), depth)?;
                    }
                }
                true
            }
            ("additionalProperties", schema, Value::Object(fields)) => {
                let listed = siblings.get("properties").and_then(Value::as_object);
                for (name, field) in fields {
                    if listed.is_none_or(|listed| !listed.contains_key(name)) {
                        self.check(schema, field, &format!("{at}/{name}"), depth)?;
                    }
                }
                true
            }
            ("items", schema @ (Value::Object(_) | Value::Bool(_)), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.check(schema, item, &format!("{at}/{index}"), depth)?;
                }
                true
            }
            ("minItems", limit, Value::Array(items)) => {
                number(limit).is_some_and(|limit| items.len() as f64 >= limit)
            }
            ("maxItems", limit, Value::Array(items)) => {
                number(limit).is_some_and(|limit| items.len() as f64 <= limit)
            }
            ("minLength", limit, Value::String(text)) => {
                number(limit).is_some_and(|limit| text.chars().count() as f64 >= limit)
            }
            ("maxLength", limit, Value::String(text)) => {
                number(limit).is_some_and(|limit| text.chars().count() as f64 <= limit)
            }
            ("minimum", limit, Value::Number(_)) => number(value) >= number(limit),
            ("maximum", limit, Value::Number(_)) => {
                number(limit).is_some() && number(value) <= number(limit)
            }
            ("exclusiveMinimum", limit, Value::Number(_)) => number(value) > number(limit),
            ("exclusiveMaximum", limit, Value::Number(_)) => number(value) < number(limit),
            ("allOf", Value::Array(schemas), _) => {
                for schema in schemas {
                    self.check(schema, value, at, depth + 1)?;
                }
                true
            }
            ("anyOf", Value::Array(schemas), _) => self.count(schemas, value, at, depth)? > 0,
            ("oneOf", Value::Array(schemas), _) => self.count(schemas, value, at, depth)? == 1,
            ("not", schema, _) => self.count(std::slice::from_ref(schema), value, at, depth)? == 0,
            ("$ref", Value::String(reference), _) => {
                let target = reference
                    .strip_prefix('#')
                    .and_then(|pointer| self.root.pointer(pointer));
                let Some(target) = target else {
                    return Err(Failure::Unchecked(format!("it refers to '{reference}'")));
                };
                self.check(target, value, at, depth + 1)?;
                true
            }
            // Constraints on other types of values than the one at hand.
            (
                "required"
                | "properties"
                | "additionalProperties"
                | "items"
                | "minItems"
                | "maxItems"
                | "minLength"
                | "maxLength"
                | "minimum"
                | "maximum"
                | "exclusiveMinimum"
                | "exclusiveMaximum",
                _,
                _,
            ) => true,
            (other, _, _) if ANNOTATIONS.contains(&other) => true,
            (other, _, _) => {
                return Err(Failure::Unchecked(format!("at '{at}' it uses '{other}'")));
            }
        };
        if satisfied {
            Ok(())
        } else {
            Err(Failure::Violated(format!("'{at}' violates '{keyword}'")))
        }
    }

    /// How many of the schemas a value satisfies.
    fn count(
        &self,
        schemas: &[Value],
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<usize, Failure> {
        let mut satisfied = 0;
        for schema in schemas {
            match self.check(schema, value, at, depth + 1) {
                Ok(()) => satisfied += 1,
                Err(Failure::Violated(_)) => {}
                Err(unchecked) => return Err(unchecked),
            }
        }
        Ok(satisfied)
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => number(value).is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// Equality of JSON values, where `1` and `1.0` are one number.
fn same(one: &Value, other: &Value) -> bool {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::classifier::classify;

    fn answered(schema: Value) -> Result<Value, String> {
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        let verdict = classify(&weights, "please send me the invoice again");
        match answer(&weights, &verdict, &schema.to_string()) {
            Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
            Err(problem) => {
                assert_eq!(problem.code, "invalid");
                Err(problem.detail)
            }
        }
    }

    #[test]
    fn an_open_schema_gets_the_whole_answer() {
        for schema in [
            json!(true),
            json!({}),
            json!({ "type": "object", "required": ["label", "known"] }),
            json!({ "properties": { "label": { "type": "string", "minLength": 2 }, "confidence": { "minimum": 0, "maximum": 1 } } }),
        ] {
            assert_eq!(answered(schema).unwrap().as_object().unwrap().len(), 4);
        }
    }

    #[test]
    fn a_closed_schema_gets_the_fields_it_lists() {
        let schema = json!({
            "type": "object",
            "properties": { "label": { "$ref": "#/$defs/label" }, "confidence": { "type": "number" } },
            "required": ["label", "confidence"],
            "additionalProperties": false,
            "$defs": { "label": { "type": "string" } }
        });
        let answer = answered(schema).unwrap();
        assert_eq!(answer["label"], "billing");
        assert_eq!(answer.as_object().unwrap().len(), 2);
    }

    #[test]
    fn a_schema_that_lists_labels_gets_the_best_of_those() {
        let schema = json!({
            "properties": {
                "label": { "enum": ["seo", "refund", "hiring", "of the caller's own"] },
                "alternatives": { "items": { "properties": { "label": { "enum": ["seo", "refund", "hiring"] } } } }
            }
        });
        let answer = answered(schema).unwrap();
        assert_eq!(answer["label"], "refund");
        assert_eq!(answer["alternatives"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_schema_of_another_shape_is_refused_with_the_shape_that_is_produced() {
        for (schema, why) in [
            (json!({ "type": "array" }), "'' violates 'type'"),
            (
                json!({ "required": ["category"] }),
                "'' violates 'required'",
            ),
            (
                json!({ "properties": { "label": { "enum": ["red", "blue"] } } }),
                "admits none of access, analytics",
            ),
            (
                json!({ "properties": { "confidence": { "type": "integer" } } }),
                "'/confidence' violates 'type'",
            ),
            (
                json!({ "properties": { "alternatives": { "maxItems": 1 } } }),
                "'/alternatives' violates 'maxItems'",
            ),
            (
                json!({ "properties": { "alternatives": { "items": { "required": ["reason"] } } } }),
                "'/alternatives/0'",
            ),
            (
                json!({ "not": { "required": ["label"] } }),
                "violates 'not'",
            ),
            (json!({ "oneOf": [true, {}] }), "violates 'oneOf'"),
            (json!(false), "admits nothing"),
            (
                json!({ "properties": { "answer": {} }, "required": ["answer"], "additionalProperties": false }),
                "violates 'required'",
            ),
        ] {
            let detail = answered(schema.clone()).unwrap_err();
            assert!(detail.contains(why), "{schema}: {detail}");
            assert!(detail.contains(SHAPE), "{detail}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_too() {
        for (schema, why) in [
            (
                json!({ "properties": { "label": { "pattern": "^[a-z]+$" } } }),
                "uses 'pattern'",
            ),
            (
                json!({ "anyOf": [{ "propertyNames": {} }, true] }),
                "uses 'propertyNames'",
            ),
            (
                json!({ "$ref": "https://example.com/schema.json" }),
                "refers to 'https://example.com/schema.json'",
            ),
            (json!({ "$ref": "#" }), "refers to itself"),
            (
                json!({ "properties": { "label": "string" } }),
                "neither an object nor a boolean",
            ),
        ] {
            let detail = answered(schema.clone()).unwrap_err();
            assert!(
                detail.contains(why) && detail.contains("cannot check"),
                "{schema}: {detail}"
            );
        }
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        let verdict = classify(&weights, "hello");
        assert_eq!(answer(&weights, &verdict, "{").unwrap_err().code, "invalid");
    }

    #[test]
    fn combined_schemas_are_checked() {
        let either = json!({
            "anyOf": [{ "type": "array" }, { "allOf": [{ "type": ["object", "null"] }, { "required": ["label"] }] }],
            "properties": { "known": { "const": true }, "confidence": { "exclusiveMinimum": 0, "exclusiveMaximum": 2 } }
        });
        assert!(answered(either).is_ok());
    }
}
