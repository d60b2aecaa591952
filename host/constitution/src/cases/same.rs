//! When what came is what was expected. 50 and 50.0 are one number here, as they are in a table.

use serde_json::Value;

/// Whether two values say the same.
pub(super) fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && b.iter()
                    .all(|(name, b)| a.get(name).is_some_and(|a| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether a value says what was expected, and perhaps more: an object may have further members, at any depth.
pub(super) fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => b
            .iter()
            .all(|(name, b)| a.get(name).is_some_and(|a| contains(a, b))),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| contains(a, b))
        }
        (a, b) => same(a, b),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value_and_objects_by_what_was_asked_for() {
        assert!(same(&json!({"a": [50, "x"]}), &json!({"a": [50.0, "x"]})));
        assert!(!same(&json!({"a": 1, "b": 2}), &json!({"a": 1})));
        assert!(contains(
            &json!({"a": {"b": 1, "c": 2}}),
            &json!({"a": {"b": 1.0}})
        ));
        assert!(!contains(&json!({"a": 1}), &json!({"a": 1, "b": null})));
        assert!(!contains(&json!([1, 2]), &json!([1])));
        assert!(!same(&json!("50"), &json!(50)));
    }
}
