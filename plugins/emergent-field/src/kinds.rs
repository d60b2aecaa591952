//! Kinds of values, joined: the narrowest type that holds nearly all of them.

use serde_json::{Value, json};

use crate::seen::KindCount;

/// Kinds that turn into each other without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Booleans.
    Bool,
    /// Numbers.
    Number,
    /// Texts.
    Text,
}

/// A text is offered a narrower type when all but this share of its values are of it; the text itself is kept.
const EXCEPTIONS: f64 = 0.02;

/// The family of a kind; none for what is no scalar.
pub(crate) fn family(kind: &str) -> Option<Family> {
    match kind {
        "bool" => Some(Family::Bool),
        "integer" | "number" => Some(Family::Number),
        "date" | "timestamp" | "uuid" | "email" | "url" | "text" => Some(Family::Text),
        _ => None,
    }
}

/// The type that holds at least `one_kind` of the values that are not null, as a JSON Schema.
pub(crate) fn common_type(kinds: &[KindCount], one_kind: f64) -> Option<Value> {
    let filled: Vec<&KindCount> = kinds.iter().filter(|known| known.kind != "null").collect();
    let all: u64 = filled.iter().map(|known| known.count).sum();
    let family_of_most = filled
        .iter()
        .max_by_key(|known| known.count)
        .and_then(|known| family(&known.kind))?;
    let members: Vec<&KindCount> = (filled.into_iter())
        .filter(|known| family(&known.kind) == Some(family_of_most))
        .collect();
    let held: u64 = members.iter().map(|known| known.count).sum();
    if (held as f64) < one_kind * all as f64 {
        return None;
    }
    let narrow = members
        .iter()
        .find(|known| known.count as f64 >= (1.0 - EXCEPTIONS) * held as f64);
    let kind = match (family_of_most, narrow) {
        (Family::Bool, _) => "bool",
        // One number with a fraction makes all of them numbers: an integer column could not hold it.
        (Family::Number, _) if members.iter().any(|known| known.kind == "number") => "number",
        (Family::Number, _) => "integer",
        (Family::Text, Some(narrow)) => narrow.kind.as_str(),
        (Family::Text, None)
            if members
                .iter()
                .all(|known| matches!(known.kind.as_str(), "date" | "timestamp")) =>
        {
            "timestamp"
        }
        (Family::Text, None) => "text",
    };
    let nullable = kinds
        .iter()
        .any(|known| known.kind == "null" && known.count > 0);
    Some(schema(kind, nullable))
}

/// The JSON Schema of a kind.
pub(crate) fn schema(kind: &str, nullable: bool) -> Value {
    let (name, format) = match kind {
        "bool" => ("boolean", None),
        "integer" => ("integer", None),
        "number" => ("number", None),
        "date" => ("string", Some("date")),
        "timestamp" => ("string", Some("date-time")),
        "uuid" => ("string", Some("uuid")),
        "email" => ("string", Some("email")),
        "url" => ("string", Some("uri")),
        _ => ("string", None),
    };
    let mut schema = match nullable {
        true => json!({"type": [name, "null"]}),
        false => json!({"type": name}),
    };
    if let Some(format) = format {
        schema["format"] = json!(format);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kinds: &[(&str, u64)]) -> Option<Value> {
        let kinds: Vec<KindCount> = (kinds.iter())
            .map(|(kind, count)| KindCount {
                kind: (*kind).into(),
                count: *count,
                ..Default::default()
            })
            .collect();
        common_type(&kinds, 0.95)
    }

    #[test]
    fn kinds_join_to_the_narrowest_type_that_holds_them() {
        for (kinds, expected) in [
            (&[("integer", 100)][..], json!({"type": "integer"})),
            (
                &[("integer", 100), ("null", 3)],
                json!({"type": ["integer", "null"]}),
            ),
            (
                &[("integer", 100), ("number", 1)],
                json!({"type": "number"}),
            ),
            (
                &[("date", 50), ("timestamp", 50)],
                json!({"type": "string", "format": "date-time"}),
            ),
            (
                &[("email", 99), ("text", 1)],
                json!({"type": "string", "format": "email"}),
            ),
            (&[("email", 90), ("text", 10)], json!({"type": "string"})),
            (&[("uuid", 50), ("url", 50)], json!({"type": "string"})),
            (&[("integer", 96), ("text", 4)], json!({"type": "integer"})),
        ] {
            assert_eq!(of(kinds), Some(expected), "{kinds:?}");
        }
    }

    #[test]
    fn what_has_no_common_type_gets_none() {
        assert_eq!(of(&[("integer", 90), ("text", 10)]), None);
        assert_eq!(of(&[("null", 90)]), None);
        assert_eq!(of(&[("object", 90)]), None);
        assert_eq!(of(&[]), None);
    }
}
