//! A JSON Schema in the subset that Anthropic enforces.
//!
//! Structured outputs demand closed objects and refuse most constraints on values. What is refused moves into the
//! `description`, where the model still reads it; what the description says is not enforced, so whoever asked for the
//! schema should still check the answer. Property order is kept: the model writes its answer in that order.

use polity_sdk::Problem;
use polity_wire::{Fields, Text, invalid};
use serde_json::value::RawValue;

/// Keywords that are taken as they are.
const KEPT: &[&str] = &["type", "enum", "const", "title", "required", "default"];

/// Keywords that say nothing about the answer.
const DROPPED: &[&str] = &["$schema", "$id", "$comment", "additionalProperties"];

/// The formats that are enforced.
const FORMATS: &[&str] = &[
    "\"date-time\"",
    "\"time\"",
    "\"date\"",
    "\"duration\"",
    "\"email\"",
    "\"hostname\"",
    "\"uri\"",
    "\"ipv4\"",
    "\"ipv6\"",
    "\"uuid\"",
];

/// Rewrites a schema.
pub(crate) fn conform(schema: &str) -> Result<Box<RawValue>, Problem> {
    let schema: &RawValue = serde_json::from_str(schema)
        .map_err(|error| invalid(format!("response_schema is not JSON: {error}")))?;
    RawValue::from_string(one(schema)?).map_err(|error| invalid(error.to_string()))
}

fn one(schema: &RawValue) -> Result<String, Problem> {
    if matches!(schema.get(), "true" | "false") {
        return Ok(schema.get().to_owned());
    }
    let fields = Fields::parse("a part of response_schema", schema.get())?;
    let is_object = fields.get("properties").is_some()
        || fields
            .get("type")
            .is_some_and(|kind| kind.get().contains("\"object\""));
    if is_object && fields.get("properties").is_none() && is_open(&fields) {
        return Err(invalid(
            "Anthropic cannot enforce a response_schema with free keys: name the object's properties",
        ));
    }
    let refers = fields.get("$ref").is_some();
    let mut kept: Vec<(&str, String)> = Vec::new();
    let mut description = String::new();
    let mut moved = Vec::new();
    for (key, value) in &fields.0 {
        match &**key {
            "$defs" | "definitions" | "properties" => kept.push((key, map(value)?)),
            "$ref" => kept.push((key, value.get().to_owned())),
            // Nothing else may stand beside a reference.
            _ if refers => {}
            "anyOf" | "oneOf" => kept.push(("anyOf", list(value)?)),
            "allOf" => kept.push((key, list(value)?)),
            "items" => kept.push((key, one(value)?)),
            "description" => {
                let text: Text<'_> = serde_json::from_str(value.get())
                    .map_err(|error| invalid(format!("response_schema: description: {error}")))?;
                description.push_str(&text);
            }
            "format" if FORMATS.contains(&value.get()) => kept.push((key, value.get().to_owned())),
            "minItems" if matches!(value.get(), "0" | "1") => {
                kept.push((key, value.get().to_owned()))
            }
            name if KEPT.contains(&name) => kept.push((key, value.get().to_owned())),
            name if DROPPED.contains(&name) => {}
            name => moved.push(format!("{name}: {}", value.get())),
        }
    }
    if is_object && !refers {
        kept.push(("additionalProperties", "false".to_owned()));
    }
    if !moved.is_empty() {
        if !description.is_empty() {
            description.push_str("\n\n");
        }
        description.push('{');
        description.push_str(&moved.join(", "));
        description.push('}');
    }
    if !description.is_empty() && !refers {
        kept.push(("description", quoted(&description)?));
    }
    object(kept)
}

/// Other keys than the listed ones are explicitly welcome.
fn is_open(fields: &Fields<'_>) -> bool {
    fields.get("patternProperties").is_some()
        || fields
            .get("additionalProperties")
            .is_some_and(|raw| raw.get() != "false")
}

fn map(schemas: &RawValue) -> Result<String, Problem> {
    let schemas = Fields::parse("a part of response_schema", schemas.get())?;
    let rewritten: Vec<(&str, String)> = schemas
        .0
        .iter()
        .map(|(name, schema)| Ok((&**name, one(schema)?)))
        .collect::<Result<_, Problem>>()?;
    object(rewritten)
}

fn list(schemas: &RawValue) -> Result<String, Problem> {
    let schemas: Vec<&RawValue> = serde_json::from_str(schemas.get())
        .map_err(|error| invalid(format!("a part of response_schema is not a list: {error}")))?;
    let rewritten: Vec<String> = schemas.into_iter().map(one).collect::<Result<_, _>>()?;
    Ok(format!("[{}]", rewritten.join(",")))
}

fn object(entries: Vec<(&str, String)>) -> Result<String, Problem> {
    let entries: Vec<String> = entries
        .into_iter()
        .map(|(key, value)| Ok(format!("{}:{value}", quoted(key)?)))
        .collect::<Result<_, Problem>>()?;
    Ok(format!("{{{}}}", entries.join(",")))
}

fn quoted(text: &str) -> Result<String, Problem> {
    serde_json::to_string(text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conformed(schema: &str) -> String {
        conform(schema).unwrap().get().to_owned()
    }

    #[test]
    fn objects_are_closed_at_every_depth_and_keep_their_order() {
        assert_eq!(
            conformed(
                r##"{"$schema":"x","type":"object","properties":{"z":{"type":"array","items":{"type":"object","properties":{}}},
                "a":{"$ref":"#/$defs/d","description":"beside"}},"required":["z"],"$defs":{"d":{"type":["object","null"],"properties":{}}}}"##
            ),
            concat!(
                r##"{"type":"object","properties":{"z":{"type":"array","items":{"type":"object","properties":{},"additionalProperties":false}},"##,
                r##""a":{"$ref":"#/$defs/d"}},"required":["z"],"##,
                r##""$defs":{"d":{"type":["object","null"],"properties":{},"additionalProperties":false}},"additionalProperties":false}"##
            )
        );
    }

    #[test]
    fn constraints_that_are_not_enforced_move_into_the_description() {
        assert_eq!(
            conformed(r#"{"type":"integer","minimum":1,"description":"How many."}"#),
            r#"{"type":"integer","description":"How many.\n\n{minimum: 1}"}"#
        );
        assert_eq!(
            conformed(r#"{"type":"array","minItems":2,"items":true}"#),
            r#"{"type":"array","items":true,"description":"{minItems: 2}"}"#
        );
        assert_eq!(
            conformed(r#"{"type":"string","format":"uuid","pattern":"^\"a\""}"#),
            r#"{"type":"string","format":"uuid","description":"{pattern: \"^\\\"a\\\"\"}"}"#
        );
        assert_eq!(
            conformed(r#"{"type":"array","minItems":1}"#),
            r#"{"type":"array","minItems":1}"#
        );
    }

    #[test]
    fn a_choice_of_exactly_one_becomes_a_choice_of_any() {
        assert_eq!(
            conformed(r#"{"oneOf":[{"type":"string"},{"const":7}]}"#),
            r#"{"anyOf":[{"type":"string"},{"const":7}]}"#
        );
    }

    #[test]
    fn an_object_with_free_keys_is_refused_with_the_fix() {
        for schema in [
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"type":"object","properties":{"a":{"type":"object","patternProperties":{}}}}"#,
        ] {
            let problem = conform(schema).unwrap_err();
            assert_eq!(problem.code, "invalid");
            assert!(
                problem.detail.contains("name the object's properties"),
                "{}",
                problem.detail
            );
        }
        assert_eq!(conform("{").unwrap_err().code, "invalid");
    }
}
