//! Amendments: JSON Patches by several rules, joined without an order.
//!
//! Rules are evaluated side by side on the same input, so their patches must not be applied one after the other: the
//! result would depend on an order that means nothing. Instead each patch is applied to the original input alone, and
//! what it touched becomes a set of *claims*: "after me, this pointer holds this value" (or nothing). Claims of all rules
//! are then compared. Where two agree, they merge; where one pointer, or one pointer inside another's subtree, is claimed
//! with different values, that is a conflict, and a person decides.
//!
//! Inserting into or removing from an array shifts what follows, so it claims the array as a whole.
//!
//! A patch comes from a plugin and may be hostile. A few `copy` operations can double a document until memory is gone,
//! and a few thousand `move`s can nest it until the stack is gone, so both are bounded here.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::{Patch, PatchOperation, patch_unsafe};
use serde::Deserialize;
use serde_json::Value;

/// Operations in one patch.
const MAX_OPERATIONS: usize = 10_000;
/// Levels of nesting, as many as the JSON parser accepts.
const MAX_DEPTH: usize = 127;
/// Bytes that the `copy` operations of one patch may add, roughly.
const MAX_COPIED: usize = 4 << 20;

/// What one patch touched: the value each pointer holds afterwards, or `None` where it holds nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims(BTreeMap<String, Option<Value>>);

/// The joined effect of all patches.
#[derive(Debug, PartialEq)]
pub(crate) struct Merged {
    /// The input with every patch applied.
    pub(crate) input: Value,
    /// The pointers that differ from the original input; empty where nothing does.
    pub(crate) changed: Vec<String>,
}

/// Pointers on which patches disagree, each with the indices of the claims that do.
pub(crate) type Disagreements = BTreeMap<String, BTreeSet<usize>>;

/// Applies a patch to the input, alone.
pub(crate) fn claims(input: &Value, patch: &Value) -> Result<Claims, String> {
    let Patch(operations) =
        Patch::deserialize(patch).map_err(|error| format!("it is no JSON Patch: {error}"))?;
    if operations.len() > MAX_OPERATIONS {
        return Err(format!(
            "it has {} operations, more than {MAX_OPERATIONS}",
            operations.len()
        ));
    }
    let mut patched = input.clone();
    let mut touched = BTreeSet::new();
    let mut copied = 0;
    for (index, operation) in operations.iter().enumerate() {
        let failed = |why: String| format!("operation {index} at \"{}\": {why}", operation.path());
        check_bounds(&patched, operation, &mut copied).map_err(failed)?;
        touch(&patched, operation, &mut touched);
        // Its sibling `patch` undoes what it did when an operation fails, and panics where that cannot be undone. Nothing
        // needs undoing here: `patched` is dropped.
        patch_unsafe(&mut patched, std::slice::from_ref(operation))
            .map_err(|error| failed(error.kind.to_string()))?;
    }
    if input.is_object() && !patched.is_object() {
        return Err("it leaves no object".to_owned());
    }
    let outermost = touched
        .iter()
        .filter(|pointer| ancestors(pointer).all(|above| !touched.contains(above)));
    Ok(Claims(
        outermost
            .map(|pointer| (pointer.clone(), patched.pointer(pointer).cloned()))
            .collect(),
    ))
}

/// Joins the claims of several patches on one input.
pub(crate) fn merge(input: &Value, all: &[Claims]) -> Result<Merged, Disagreements> {
    let mut by_pointer: BTreeMap<&str, Vec<(usize, &Option<Value>)>> = BTreeMap::new();
    for (index, Claims(claims)) in all.iter().enumerate() {
        for (pointer, value) in claims {
            by_pointer.entry(pointer).or_default().push((index, value));
        }
    }

    let mut disagreements = Disagreements::new();
    for (pointer, claims) in &by_pointer {
        let (first, rest) = claims
            .split_first()
            .map_or((None, claims.as_slice()), |(first, rest)| {
                (Some(first), rest)
            });
        let differ = rest
            .iter()
            .any(|(_, value)| first.is_some_and(|(_, expected)| value != expected));
        if differ {
            disagreements
                .entry((*pointer).to_owned())
                .or_default()
                .extend(claims.iter().map(|(index, _)| *index));
        }
        for above in ancestors(pointer) {
            for (outer, subtree) in by_pointer.get(above).into_iter().flatten() {
                let inside = subtree
                    .as_ref()
                    .and_then(|subtree| subtree.pointer(&pointer[above.len()..]));
                for (inner, _) in claims.iter().filter(|(_, value)| value.as_ref() != inside) {
                    disagreements
                        .entry((*pointer).to_owned())
                        .or_default()
                        .extend([*outer, *inner]);
                }
            }
        }
    }
    if !disagreements.is_empty() {
        return Err(disagreements);
    }

    // What lies inside an agreed subtree is in it already; the rest is disjoint and so has no order.
    let mut merged = Merged {
        input: input.clone(),
        changed: Vec::new(),
    };
    for (pointer, claims) in &by_pointer {
        let Some((index, value)) = claims.first() else {
            continue;
        };
        if ancestors(pointer).any(|above| by_pointer.contains_key(above))
            || input.pointer(pointer) == value.as_ref()
        {
            continue;
        }
        if !put(&mut merged.input, pointer, value.as_ref()) {
            return Err(BTreeMap::from([(
                (*pointer).to_owned(),
                BTreeSet::from([*index]),
            )]));
        }
        merged.changed.push((*pointer).to_owned());
    }
    Ok(merged)
}

/// Sets or removes one part. False where its parent is not there, which agreed claims exclude.
fn put(document: &mut Value, pointer: &str, value: Option<&Value>) -> bool {
    let Some((parent, token)) = pointer.rsplit_once('/') else {
        return value.is_some_and(|value| {
            *document = value.clone();
            true
        });
    };
    match (document.pointer_mut(parent), value) {
        (Some(Value::Object(fields)), Some(value)) => {
            fields.insert(unescaped(token), value.clone());
            true
        }
        (Some(Value::Object(fields)), None) => {
            fields.remove(&unescaped(token));
            true
        }
        (Some(Value::Array(items)), Some(value)) => {
            let item = token
                .parse()
                .ok()
                .and_then(|index: usize| items.get_mut(index));
            item.map(|item| *item = value.clone()).is_some()
        }
        _ => false,
    }
}

/// Notes what an operation is about to change.
fn touch(document: &Value, operation: &PatchOperation, touched: &mut BTreeSet<String>) {
    let slot = |pointer: &str| match pointer.rsplit_once('/') {
        Some((parent, _)) if document.pointer(parent).is_some_and(Value::is_array) => {
            parent.to_owned()
        }
        _ => pointer.to_owned(),
    };
    match operation {
        PatchOperation::Test(_) => {}
        PatchOperation::Replace(replace) => {
            touched.insert(replace.path.as_str().to_owned());
        }
        PatchOperation::Add(_) | PatchOperation::Remove(_) | PatchOperation::Copy(_) => {
            touched.insert(slot(operation.path().as_str()));
        }
        PatchOperation::Move(moved) => {
            touched.insert(slot(moved.from.as_str()));
            touched.insert(slot(moved.path.as_str()));
        }
    }
}

fn check_bounds(
    document: &Value,
    operation: &PatchOperation,
    copied: &mut usize,
) -> Result<(), String> {
    let at = operation.path().count();
    let below = match operation {
        PatchOperation::Add(add) => depth(&add.value),
        PatchOperation::Replace(replace) => depth(&replace.value),
        PatchOperation::Move(moved) => document.pointer(moved.from.as_str()).map_or(0, depth),
        PatchOperation::Copy(copy) => {
            let source = document.pointer(copy.from.as_str());
            *copied = copied.saturating_add(source.map_or(0, size));
            if *copied > MAX_COPIED {
                return Err(format!("the patch copies more than {MAX_COPIED} bytes"));
            }
            source.map_or(0, depth)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => 0,
    };
    if at + below > MAX_DEPTH {
        return Err(format!(
            "the result would be nested more than {MAX_DEPTH} levels deep"
        ));
    }
    Ok(())
}

/// Levels of nesting. Recursion is safe: no document here is nested deeper than the bound above.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Roughly the bytes that a value takes in memory.
fn size(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| 2 * own + name.len() + size(value))
            .sum(),
        _ => 0,
    }
}

/// The pointers of everything that encloses a part, nearest first, ending with the whole document.
fn ancestors(pointer: &str) -> impl Iterator<Item = &str> {
    let mut rest = pointer;
    std::iter::from_fn(move || {
        rest = &rest[..rest.rfind('/')?];
        Some(rest)
    })
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(input: &Value, patches: &[Value]) -> Result<Merged, Disagreements> {
        let all: Vec<_> = patches
            .iter()
            .map(|patch| claims(input, patch).unwrap())
            .collect();
        merge(input, &all)
    }

    #[track_caller]
    fn agree(input: Value, patches: &[Value], expected: Value) {
        assert_eq!(merged(&input, patches).unwrap().input, expected);
    }

    #[track_caller]
    fn disagree(input: Value, patches: &[Value], on: &[&str]) {
        let disagreements = merged(&input, patches).unwrap_err();
        assert_eq!(
            disagreements.keys().map(String::as_str).collect::<Vec<_>>(),
            on
        );
    }

    fn replace(path: &str, value: Value) -> Value {
        json!([{"op": "replace", "path": path, "value": value}])
    }

    #[test]
    fn amendments_of_different_parts_are_both_made() {
        agree(
            json!({"a": 1, "b": {"c": 2}}),
            &[replace("/a", json!(5)), replace("/b/c", json!(6))],
            json!({"a": 5, "b": {"c": 6}}),
        );
    }

    #[test]
    fn equal_amendments_of_one_pointer_merge() {
        agree(
            json!({"a": 1}),
            &[replace("/a", json!(5)), replace("/a", json!(5))],
            json!({"a": 5}),
        );
        let remove = json!([{"op": "remove", "path": "/a"}]);
        agree(json!({"a": 1}), &[remove.clone(), remove], json!({}));
    }

    #[test]
    fn different_amendments_of_one_pointer_are_a_conflict() {
        disagree(
            json!({"a": 1}),
            &[replace("/a", json!(5)), replace("/a", json!(6))],
            &["/a"],
        );
        disagree(
            json!({"a": 1}),
            &[
                replace("/a", json!(5)),
                json!([{"op": "remove", "path": "/a"}]),
            ],
            &["/a"],
        );
    }

    #[test]
    fn insisting_on_the_present_value_is_a_claim_too() {
        disagree(
            json!({"a": 1}),
            &[replace("/a", json!(1)), replace("/a", json!(6))],
            &["/a"],
        );
    }

    #[test]
    fn a_pointer_inside_anothers_subtree_conflicts_unless_both_say_the_same() {
        let input = json!({"a": {"b": 1, "c": 2}});
        let whole = replace("/a", json!({"b": 9, "c": 2}));
        disagree(
            input.clone(),
            &[whole.clone(), replace("/a/c", json!(5))],
            &["/a/c"],
        );
        agree(
            input.clone(),
            &[whole, replace("/a/b", json!(9))],
            json!({"a": {"b": 9, "c": 2}}),
        );
        let removed = json!([{"op": "remove", "path": "/a"}]);
        disagree(
            input.clone(),
            &[removed.clone(), replace("/a/c", json!(5))],
            &["/a/c"],
        );
        agree(
            input,
            &[removed, json!([{"op": "remove", "path": "/a/b"}])],
            json!({}),
        );
    }

    #[test]
    fn a_name_that_merely_begins_alike_is_no_subtree() {
        agree(
            json!({"a": 1, "ab": 2}),
            &[replace("/a", json!(5)), replace("/ab", json!(6))],
            json!({"a": 5, "ab": 6}),
        );
    }

    #[test]
    fn elements_of_an_array_are_amended_independently_until_one_moves() {
        let input = json!({"m": ["x", "y"]});
        agree(
            input.clone(),
            &[replace("/m/0", json!("X")), replace("/m/1", json!("Y"))],
            json!({"m": ["X", "Y"]}),
        );
        let prepend = json!([{"op": "add", "path": "/m/0", "value": "new"}]);
        disagree(
            input.clone(),
            &[prepend.clone(), replace("/m/1", json!("Y"))],
            &["/m/1"],
        );
        disagree(
            input,
            &[
                prepend,
                json!([{"op": "add", "path": "/m/-", "value": "last"}]),
            ],
            &["/m"],
        );
    }

    #[test]
    fn the_parties_to_a_conflict_are_named_and_no_others() {
        let input = json!({"a": 1, "b": 1});
        let patches = [
            replace("/b", json!(2)),
            replace("/a", json!(2)),
            replace("/a", json!(3)),
        ];
        let disagreements = merged(&input, &patches).unwrap_err();
        assert_eq!(
            disagreements,
            BTreeMap::from([("/a".to_owned(), BTreeSet::from([1, 2]))])
        );
    }

    #[test]
    fn moves_and_copies_claim_both_ends() {
        let input = json!({"a": 1, "b": 2});
        agree(
            input.clone(),
            &[json!([{"op": "move", "from": "/a", "path": "/c"}])],
            json!({"b": 2, "c": 1}),
        );
        disagree(
            input.clone(),
            &[
                json!([{"op": "move", "from": "/a", "path": "/c"}]),
                replace("/a", json!(7)),
            ],
            &["/a"],
        );
        agree(
            input,
            &[
                json!([{"op": "copy", "from": "/a", "path": "/c"}]),
                replace("/a", json!(7)),
            ],
            json!({"a": 7, "b": 2, "c": 1}),
        );
    }

    #[test]
    fn an_amendment_that_changes_nothing_changes_nothing() {
        let input = json!({"a": 1});
        let result = merged(&input, &[replace("/a", json!(1)), json!([])]).unwrap();
        assert_eq!(
            result,
            Merged {
                input,
                changed: vec![]
            }
        );
    }

    #[test]
    fn escaped_names_are_the_names_they_stand_for() {
        agree(
            json!({"a/b": 1, "m~n": 2}),
            &[
                replace("/a~1b", json!(3)),
                json!([{"op": "remove", "path": "/m~0n"}]),
            ],
            json!({"a/b": 3}),
        );
    }

    #[test]
    fn a_patch_that_does_not_apply_says_which_operation_and_why() {
        let input = json!({"a": 1});
        for (patch, expected) in [
            (
                json!([{"op": "test", "path": "/a", "value": 2}]),
                "operation 0 at \"/a\": value did not match",
            ),
            (
                json!([{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/a"}]),
                "operation 1 at \"/a\": path is invalid",
            ),
            (
                json!([{"op": "replace", "path": "/x/y", "value": 2}]),
                "operation 0 at \"/x/y\": path is invalid",
            ),
            (
                json!([{"op": "replace", "path": "", "value": 2}]),
                "it leaves no object",
            ),
        ] {
            assert_eq!(claims(&input, &patch).unwrap_err(), expected);
        }
        for patch in [
            json!({}),
            json!(null),
            json!([{"op": "jump", "path": ""}]),
            json!([{"op": "add", "path": "/a"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
        ] {
            assert!(
                claims(&input, &patch)
                    .unwrap_err()
                    .starts_with("it is no JSON Patch"),
                "{patch}"
            );
        }
    }

    #[test]
    fn a_patch_cannot_double_a_document_until_memory_is_gone() {
        let double: Vec<_> = (0..64)
            .map(|i| json!({"op": "copy", "from": "/a", "path": format!("/a/{i}")}))
            .collect();
        let error = claims(&json!({"a": {"x": "y".repeat(100)}}), &json!(double)).unwrap_err();
        assert!(error.contains("copies more than"), "{error}");
    }

    #[test]
    fn a_patch_cannot_nest_a_document_until_the_stack_is_gone() {
        let mut operations = Vec::new();
        for _ in 0..2_000 {
            operations.push(json!({"op": "add", "path": "/b", "value": {}}));
            operations.push(json!({"op": "move", "from": "/a", "path": "/b/a"}));
            operations.push(json!({"op": "move", "from": "/b", "path": "/a"}));
        }
        let error = claims(&json!({"a": {}}), &json!(operations)).unwrap_err();
        assert!(error.contains("nested more than"), "{error}");
    }

    #[test]
    fn a_patch_that_fails_after_a_move_over_its_own_origin_is_a_failure_and_no_panic() {
        let patch = json!([{"op": "move", "from": "/b/c", "path": "/b"}, {"op": "test", "path": "/a", "value": 2}]);
        assert!(claims(&json!({"a": 1, "b": {"c": 2}}), &patch).is_err());
    }

    #[test]
    fn a_patch_cannot_be_endless() {
        let operation = json!({"op": "test", "path": "", "value": {}});
        let error = claims(
            &json!({}),
            &Value::Array(vec![operation; MAX_OPERATIONS + 1]),
        )
        .unwrap_err();
        assert!(error.contains("more than 10000"), "{error}");
    }
}
