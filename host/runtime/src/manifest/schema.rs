//! Schemas that a plugin brings along, and the one for manifests.
//!
//! A plugin's `config_schema` is code of a kind: whoever writes it decides how much work
//! checking takes. So it may fetch nothing, may not refer to itself, may not multiply
//! itself through references, and its patterns run in linear time.

use std::fmt;
use std::sync::{Arc, LazyLock};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::grant::problem::closest;

/// The schema of manifests as it is published, for editors to use.
pub const MANIFEST_SCHEMA: &str = include_str!("../../schemas/manifest.schema.json");

/// The longest `config_schema`.
const MAX_SCHEMA_BYTES: usize = 64 * 1024;

/// How many schemas one may consist of when every reference is written out.
const MAX_SCHEMA_WORK: u64 = 20_000;

/// Keywords that make a reference mean different things in different places.
const DYNAMIC: [&str; 5] = [
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$anchor",
];

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| crate::grant::compile_schema(MANIFEST_SCHEMA).1);

/// What a plugin's configuration may be.
#[derive(Clone)]
pub struct ConfigSchema {
    schema: Arc<Value>,
    validator: Arc<Validator>,
}

/// Why a `config_schema` is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// It is longer than 64 KiB.
    #[error("it has {0} bytes, more than {MAX_SCHEMA_BYTES}")]
    TooLong(usize),
    /// It is too much work to check.
    #[error("its references make more than {MAX_SCHEMA_WORK} schemas of it; write a simpler one")]
    TooMuchWork,
    /// A reference leads back to itself.
    #[error("its reference {0:?} leads back to itself; write the schema out")]
    Cycle(String),
    /// A reference leads out of the schema, or nowhere.
    #[error("its reference {0:?} does not lead to a part of the schema itself; use #/$defs/…")]
    Reference(String),
    /// It uses a keyword that is not supported here.
    #[error("it uses {0}, which is not supported; use #/$defs/… and $ref")]
    Dynamic(&'static str),
    /// It is not a JSON Schema.
    #[error("it is not a JSON Schema: {0}")]
    Invalid(String),
}

/// What is wrong with a `[config]` table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError(Vec<String>);

/// All complaints about a manifest.
pub(super) fn check_manifest(manifest: &Value) -> Vec<String> {
    SCHEMA
        .iter_errors(manifest)
        .map(|error| match error.instance_path().as_str() {
            "" => error.to_string(),
            pointer => format!("{pointer}: {error}"),
        })
        .collect()
}

impl ConfigSchema {
    /// Compiles a schema that a plugin brought along.
    pub fn new(schema: Value) -> Result<Self, SchemaError> {
        let length = schema.to_string().len();
        if length > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLong(length));
        }
        if Work::default().of(&schema, &schema)? > MAX_SCHEMA_WORK {
            return Err(SchemaError::TooMuchWork);
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map_err(|error| SchemaError::Invalid(error.to_string()))?;
        Ok(Self {
            schema: Arc::new(schema),
            validator: Arc::new(validator),
        })
    }

    /// The schema itself, for showing it.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks a `[config]` table.
    pub fn check(&self, config: &Value) -> Result<(), ConfigError> {
        let problems: Vec<String> = self
            .validator
            .iter_errors(config)
            .map(|error| {
                let place = match error.instance_path().as_str() {
                    "" => "[config]".to_owned(),
                    pointer => format!("[config] {}", pointer[1..].replace('/', ".")),
                };
                format!("{place}: {error}{}", self.hint(&error))
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(problems))
        }
    }

    /// What an unknown key was most likely meant to be.
    fn hint(&self, error: &jsonschema::ValidationError<'_>) -> String {
        use jsonschema::error::ValidationErrorKind::AdditionalProperties;
        let AdditionalProperties { unexpected } = error.kind() else {
            return String::new();
        };
        let path = error.schema_path().as_str();
        let known = self
            .schema
            .pointer(&path[..path.rfind('/').unwrap_or(0)])
            .and_then(|schema| schema.get("properties")?.as_object());
        let meant = known.and_then(|known| {
            unexpected
                .iter()
                .find_map(|key| closest(key, known.keys().map(String::as_str)))
        });
        meant.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
    }

    /// The rule for plugins that have no schema.
    pub(crate) fn check_empty(config: &Value) -> Result<(), ConfigError> {
        match config.as_object() {
            Some(table) if table.is_empty() => Ok(()),
            _ => Err(ConfigError(vec![
                "[config]: the plugin takes no configuration; remove the table".into(),
            ])),
        }
    }
}

/// Counts what a schema comes to when every reference is written out.
#[derive(Default)]
struct Work<'a> {
    /// References being followed, to find those that lead back.
    open: Vec<&'a str>,
    /// What followed references came to.
    known: std::collections::HashMap<&'a str, u64>,
}

impl<'a> Work<'a> {
    fn of(&mut self, root: &'a Value, part: &'a Value) -> Result<u64, SchemaError> {
        match part {
            Value::Array(list) => list.iter().try_fold(1u64, |sum, item| {
                Ok(sum.saturating_add(self.of(root, item)?))
            }),
            Value::Object(map) => {
                let mut sum = 1u64;
                for (key, value) in map {
                    if let Some(keyword) = DYNAMIC.iter().find(|keyword| *keyword == key) {
                        return Err(SchemaError::Dynamic(keyword));
                    }
                    let work = match (key.as_str(), value) {
                        // Below the root it would move where references start from.
                        ("$id", Value::String(_)) if !std::ptr::eq(part, root) => {
                            return Err(SchemaError::Dynamic("$id"));
                        }
                        ("$ref", Value::String(reference)) => self.follow(root, reference)?,
                        _ => self.of(root, value)?,
                    };
                    sum = sum.saturating_add(work);
                }
                Ok(sum)
            }
            _ => Ok(1),
        }
    }

    fn follow(&mut self, root: &'a Value, reference: &'a str) -> Result<u64, SchemaError> {
        if self.open.contains(&reference) {
            return Err(SchemaError::Cycle(reference.to_owned()));
        }
        if let Some(&work) = self.known.get(reference) {
            return Ok(work);
        }
        let target = reference
            .strip_prefix('#')
            // An encoded pointer could spell one place in two ways.
            .filter(|pointer| pointer.starts_with('/') && !pointer.contains('%'))
            .and_then(|pointer| root.pointer(pointer))
            .ok_or_else(|| SchemaError::Reference(reference.to_owned()))?;
        self.open.push(reference);
        let work = self.of(root, target)?;
        self.open.pop();
        self.known.insert(reference, work);
        Ok(work)
    }
}

impl PartialEq for ConfigSchema {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl fmt::Debug for ConfigSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schema.fmt(f)
    }
}

impl ConfigError {
    /// One sentence each.
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_with_definitions_is_used() {
        let schema = ConfigSchema::new(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$defs": {"money": {"type": "integer", "minimum": 0}},
            "type": "object",
            "properties": {"limit": {"$ref": "#/$defs/money"}},
            "additionalProperties": false,
        }))
        .unwrap();
        schema.check(&json!({"limit": 5})).unwrap();
        let error = schema.check(&json!({"limit": -5})).unwrap_err().to_string();
        assert!(error.starts_with("[config] limit: "), "{error}");
    }

    #[test]
    fn a_schema_fetches_nothing() {
        for reference in [
            "https://example.com/s.json",
            "file:///etc/passwd",
            "other.json",
            "#name",
            "#/$defs/no",
        ] {
            assert_eq!(
                ConfigSchema::new(json!({"properties": {"a": {"$ref": reference}}})).unwrap_err(),
                SchemaError::Reference(reference.into())
            );
        }
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_is_refused() {
        for schema in [
            json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            json!({"properties": {"a": {"$ref": "#/properties"}}}),
        ] {
            assert!(matches!(
                ConfigSchema::new(schema),
                Err(SchemaError::Cycle(_))
            ));
        }
    }

    #[test]
    fn a_schema_that_doubles_itself_is_refused() {
        let mut defs = serde_json::Map::new();
        for i in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
            defs.insert(format!("d{i}"), json!({"allOf": [next, next]}));
        }
        defs.insert("d40".into(), json!({"type": "string"}));
        let schema = json!({"$defs": defs, "$ref": "#/$defs/d0"});
        assert_eq!(
            ConfigSchema::new(schema).unwrap_err(),
            SchemaError::TooMuchWork
        );
    }

    #[test]
    fn a_schema_that_moves_its_references_is_refused() {
        for schema in [
            json!({"properties": {"a": {"$id": "https://example.com/", "type": "string"}}}),
            json!({"$dynamicRef": "#x"}),
        ] {
            assert!(matches!(
                ConfigSchema::new(schema),
                Err(SchemaError::Dynamic(_))
            ));
        }
    }

    #[test]
    fn a_property_may_be_named_like_a_keyword() {
        ConfigSchema::new(
            json!({"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}}),
        )
        .unwrap();
    }

    #[test]
    fn a_pattern_that_could_run_forever_does_not() {
        // A million backtracking steps for every character, were it not for the linear engine.
        let schema =
            ConfigSchema::new(json!({"properties": {"a": {"pattern": "^(a+)+$"}}})).unwrap();
        let text = format!("{}b", "a".repeat(100_000));
        assert!(schema.check(&json!({"a": text})).is_err());
        assert!(ConfigSchema::new(json!({"properties": {"a": {"pattern": "(?=a)b"}}})).is_err());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(matches!(
            ConfigSchema::new(json!({"type": "sring"})),
            Err(SchemaError::Invalid(_))
        ));
    }
}
