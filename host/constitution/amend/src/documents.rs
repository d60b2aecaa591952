//! Which documents differ, and at which places. A document is compared by what it says: another order of members or
//! another indentation is no change.

use std::collections::{BTreeMap, BTreeSet};

use polity_constitution::Constitution;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Places told of one document. Who rewrites a document is told that it is another one.
const MAX_PLACES: usize = 40;

/// The longest value that is told.
const MAX_VALUE: usize = 200;

/// A document that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentChange {
    /// Its path in the company's folder.
    pub path: String,
    /// How.
    pub how: How,
    /// The first places that differ, where it was there before and is there after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueChange>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

/// How a document differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is new.
    Added,
    /// It has gone.
    Removed,
    /// It says something else.
    Changed,
}

/// A place of a document with another value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueChange {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What stood there; none where nothing did.
    pub before: Option<Value>,
    /// What stands there now; none where nothing does.
    pub after: Option<Value>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

pub(crate) fn compare(before: &Constitution, after: &Constitution) -> Vec<DocumentChange> {
    let (old, new) = (read(before), read(after));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for path in paths {
        let (how, values) = match (old.get(path), new.get(path)) {
            (None, _) => (How::Added, Vec::new()),
            (_, None) => (How::Removed, Vec::new()),
            (Some(old), Some(new)) => {
                let mut values = Vec::new();
                walk(old, new, String::new(), &mut values);
                if values.is_empty() {
                    continue;
                }
                (How::Changed, values)
            }
        };
        changes.push(DocumentChange {
            path: path.clone(),
            how,
            more: values.len().saturating_sub(MAX_PLACES),
            values: values.into_iter().take(MAX_PLACES).collect(),
        });
    }
    changes
}

/// Each document as data; a YAML document as the workflow or table that it was read as.
fn read(constitution: &Constitution) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    for (path, text) in constitution.sources().iter() {
        let value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(_) => yaml(constitution, path).unwrap_or_else(|| Value::String(text.to_owned())),
        };
        read.insert(path.to_owned(), value);
    }
    read
}

fn yaml(constitution: &Constitution, path: &str) -> Option<Value> {
    let (shelf, file) = path.split_once('/')?;
    let name = file.rsplit_once('.')?.0;
    match shelf {
        "decisions" => Some(constitution.table(name)?.document()?.value.clone()),
        "workflows" => Some(constitution.workflow(name)?.source().clone()),
        _ => None,
    }
}

fn walk(before: &Value, after: &Value, pointer: String, found: &mut Vec<ValueChange>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => walk(old, new, pointer, found),
                    (old, new) => found.push(change(pointer, old, new)),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                walk(old, new, format!("{pointer}/{at}"), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            // One more or one less shifts what follows; what is the same at both ends is no change.
            let head = old
                .iter()
                .zip(new)
                .take_while(|(old, new)| old == new)
                .count();
            let tail = old[head..]
                .iter()
                .rev()
                .zip(new[head..].iter().rev())
                .take_while(|(old, new)| old == new)
                .count();
            for (at, old) in old.iter().enumerate().take(old.len() - tail).skip(head) {
                found.push(change(format!("{pointer}/{at}"), Some(old), None));
            }
            for (at, new) in new.iter().enumerate().take(new.len() - tail).skip(head) {
                found.push(change(format!("{pointer}/{at}"), None, Some(new)));
            }
        }
        (old, new) if old == new || same_number(old, new) => {}
        (old, new) => found.push(change(pointer, Some(old), Some(new))),
    }
}

/// 50 and 50.0 are one number.
fn same_number(old: &Value, new: &Value) -> bool {
    matches!((old.as_f64(), new.as_f64()), (Some(old), Some(new)) if old == new)
        && old.is_f64() != new.is_f64()
}

fn change(pointer: String, before: Option<&Value>, after: Option<&Value>) -> ValueChange {
    ValueChange {
        pointer,
        before: before.map(short),
        after: after.map(short),
    }
}

fn short(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= MAX_VALUE {
        return value.clone();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_VALUE)]).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn between(before: &Value, after: &Value) -> Vec<String> {
        let mut found = Vec::new();
        walk(before, after, String::new(), &mut found);
        found.into_iter().map(|change| change.pointer).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let old = json!({"a": 1, "b": {"c/d": [1, 2, 3]}, "e": 50});
        assert!(between(&old, &json!({"e": 50.0, "b": {"c/d": [1, 2, 3]}, "a": 1})).is_empty());
        assert_eq!(
            between(&old, &json!({"a": 2, "b": {"c/d": [1, 9, 3]}, "e": 50})),
            ["/a", "/b/c~1d/1"]
        );
    }

    #[test]
    fn a_row_put_in_front_does_not_make_all_rows_new() {
        let old = json!([{"row": 1}, {"row": 2}, {"row": 3}]);
        let new = json!([{"row": 0}, {"row": 1}, {"row": 2}, {"row": 3}]);
        assert_eq!(between(&old, &new), ["/0"]);
        assert_eq!(between(&new, &old), ["/0"]);
    }
}
