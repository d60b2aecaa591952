//! Declared types that data has outgrown.

use polity_sdk::strategy::{Field as Declared, Mutation, Proposal};
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::emerge::evidence;
use crate::seen::Field;

/// A wider type, if enough of the recent values, on enough days, do not fit the declared one.
pub(crate) fn wider(config: &Config, field: &Field) -> Option<Proposal> {
    let declared = field.schema.as_ref()?.as_object()?;
    let misfits: Vec<&str> = (field.kinds.iter())
        .filter(|known| !fits(declared, &known.kind))
        .filter(|known| known.days >= config.days && known.recent_share >= config.misfits)
        .map(|known| known.kind.as_str())
        .collect();
    if misfits.is_empty() {
        return None;
    }
    let schema = misfits
        .iter()
        .fold(declared.clone(), |schema, kind| widened(schema, kind));
    Some(Proposal {
        mutation: Mutation::WidenField(Declared {
            collection: field.collection.clone(),
            path: field.path.clone(),
            schema: Value::Object(schema).to_string(),
        }),
        reason: format!(
            "{} of {} is {} by now too",
            field.path,
            field.collection,
            misfits.join(" and ")
        ),
        evidence: evidence(field),
        benefit_us_per_day: 0,
        write_cost_us_per_day: 0,
        storage_bytes: 0,
    })
}

/// Whether a kind satisfies a schema, as far as type and format say it.
fn fits(schema: &Map<String, Value>, kind: &str) -> bool {
    let types = types(schema);
    let has = |name: &str| types.iter().any(|known| known == name);
    if types.is_empty() {
        return true;
    }
    match kind {
        "null" => has("null"),
        "bool" => has("boolean"),
        "integer" => has("integer") || has("number"),
        "number" => has("number"),
        "array" => has("array"),
        "object" => has("object"),
        text => {
            has("string")
                && schema
                    .get("format")
                    .and_then(Value::as_str)
                    .is_none_or(|known| format(text) == known)
        }
    }
}

fn widened(mut schema: Map<String, Value>, kind: &str) -> Map<String, Value> {
    let mut types = types(&schema);
    let name = match kind {
        "null" => "null",
        "bool" => "boolean",
        "integer" => "integer",
        "number" => "number",
        "array" => "array",
        "object" => "object",
        _ => "string",
    };
    if name == "string" {
        // Two formats have only their text in common.
        schema.remove("format");
    }
    if name == "number" {
        types.retain(|known| known != "integer");
    }
    if !types.iter().any(|known| known == name) {
        types.push(name.to_owned());
    }
    let types = match types.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    schema.insert("type".to_owned(), types);
    schema
}

fn types(schema: &Map<String, Value>) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn format(kind: &str) -> &str {
    match kind {
        "timestamp" => "date-time",
        "url" => "uri",
        other => other,
    }
}
