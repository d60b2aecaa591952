//! Which JSON Schemas OpenAI enforces strictly.
//!
//! With `strict: true` the answer is guaranteed to satisfy the schema, but a schema outside the supported subset is
//! refused. So a schema is declared strict exactly when it is inside: closed objects whose properties are all required,
//! and none of the combinators that the vendor names as unsupported.

use polity_wire::{Fields, Text};
use serde_json::value::RawValue;

/// Combinators that have no strict form.
const UNSUPPORTED: &[&str] = &[
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "prefixItems",
    "contains",
];

/// True when a schema for a whole answer can be enforced: it is an object, not a choice of several.
pub(crate) fn is_strict(schema: &RawValue) -> bool {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(schema.get()) else {
        return false;
    };
    fields
        .get("type")
        .is_some_and(|kind| kind.get() == "\"object\"")
        && fields.get("anyOf").is_none()
        && fits(schema)
}

fn fits(schema: &RawValue) -> bool {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(schema.get()) else {
        return false;
    };
    if fields
        .0
        .iter()
        .any(|(key, _)| UNSUPPORTED.contains(&&**key))
    {
        return false;
    }
    let is_object = fields.get("properties").is_some()
        || fields
            .get("type")
            .is_some_and(|kind| kind.get().contains("\"object\""));
    (!is_object || is_closed(&fields))
        && all_in_map(fields.get("properties"))
        && all_in_map(fields.get("$defs"))
        && all_in_map(fields.get("definitions"))
        && all_in_list(fields.get("anyOf"))
        && fields.get("items").is_none_or(fits)
}

/// No other properties than the listed, and each of them required.
fn is_closed(fields: &Fields<'_>) -> bool {
    let names: Fields<'_> = match fields
        .get("properties")
        .map(|raw| serde_json::from_str(raw.get()))
    {
        Some(Ok(names)) => names,
        Some(Err(_)) => return false,
        None => Fields::default(),
    };
    let required: Vec<Text<'_>> = match fields
        .get("required")
        .map(|raw| serde_json::from_str(raw.get()))
    {
        Some(Ok(required)) => required,
        Some(Err(_)) => return false,
        None => Vec::new(),
    };
    fields
        .get("additionalProperties")
        .is_some_and(|raw| raw.get() == "false")
        && names.0.iter().all(|(name, _)| required.contains(name))
}

fn all_in_map(map: Option<&RawValue>) -> bool {
    let Some(map) = map else { return true };
    serde_json::from_str::<Fields<'_>>(map.get())
        .is_ok_and(|schemas| schemas.0.iter().all(|(_, schema)| fits(schema)))
}

fn all_in_list(list: Option<&RawValue>) -> bool {
    let Some(list) = list else { return true };
    serde_json::from_str::<Vec<&RawValue>>(list.get())
        .is_ok_and(|schemas| schemas.into_iter().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(schema: &str) -> bool {
        is_strict(serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn a_closed_object_with_everything_required_is_strict() {
        assert!(strict(
            r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":["array","null"],"items":{"$ref":"#/$defs/c"}}},
                "required":["b","a"],"additionalProperties":false,
                "$defs":{"c":{"type":"object","properties":{},"additionalProperties":false}}}"##
        ));
    }

    #[test]
    fn whatever_the_vendor_would_refuse_is_not_strict() {
        for schema in [
            "true",
            r#"{"type":"array","items":{"type":"string"}}"#,
            r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#,
            r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#,
            r#"{"type":"object","properties":{},"additionalProperties":false,"anyOf":[{"type":"object"}]}"#,
            r#"{"type":"object","properties":{"a":{"oneOf":[]}},"required":["a"],"additionalProperties":false}"#,
            r#"{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":false}"#,
            r#"{"type":"object","properties":{"a":{"items":{"properties":{}}}},"required":["a"],"additionalProperties":false}"#,
        ] {
            assert!(!strict(schema), "{schema}");
        }
    }
}
