//! SHA-256 over JSON written one way: keys in order, no spaces. Whatever order a parser kept, the digest is the same.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A digest in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn digest(value: &Value) -> Digest {
    let mut text = String::new();
    write(value, &mut text);
    Digest(hex::encode(Sha256::digest(text.as_bytes())))
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write(&members[key], text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(element, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

/// How deep a value is nested, as far as `limit`.
pub(crate) fn is_deeper_than(value: &Value, limit: usize) -> bool {
    match value {
        Value::Object(members) => {
            limit == 0
                || members
                    .values()
                    .any(|member| is_deeper_than(member, limit - 1))
        }
        Value::Array(elements) => {
            limit == 0
                || elements
                    .iter()
                    .any(|element| is_deeper_than(element, limit - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let one: Value =
            serde_json::from_str(r#"{"a": [1, {"c": null, "b": "x"}], "z": 1}"#).unwrap();
        let other: Value =
            serde_json::from_str(r#"{"z": 1, "a": [1, {"b": "x", "c": null}]}"#).unwrap();
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(
            digest(&one),
            digest(&json!({"a": [{"b": "x", "c": null}, 1], "z": 1}))
        );
    }
}
