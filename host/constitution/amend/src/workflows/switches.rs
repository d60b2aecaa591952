//! Switches whose cases changed, each with a value that goes another way: found by asking both versions, as they would
//! decide it when they run.

use std::collections::BTreeSet;

use polity_lint::Direction;
use polity_workflow::{Branch, Graph, Node, Step, Tree, Workflow};
use serde_json::{Map, Value, json};

use super::nodes::by_name;
use super::{Part, StepChange};

/// Values that are tried at one switch.
const MAX_TRIED: usize = 4_000;

pub(super) fn compare(
    before: &Workflow,
    old: &Graph,
    after: &Workflow,
    new: &Graph,
) -> Vec<StepChange> {
    let (was, is) = (by_name(old), by_name(new));
    let (was_tree, is_tree) = (before.tree(), after.tree());
    let mut found = Vec::new();
    for (key, at) in &was {
        let (node, Some(now)) = (&old.nodes[*at], is.get(key)) else {
            continue;
        };
        let next = &new.nodes[*now];
        if node.kind != "switch" || next.kind != "switch" {
            continue;
        }
        let (Some(a), Some(b)) = (
            step(&was_tree, &node.place.pointer),
            step(&is_tree, &next.place.pointer),
        ) else {
            continue;
        };
        if a.branches == b.branches {
            continue;
        }
        found.extend(one(before, (node, a), after, (next, b)));
    }
    found
}

fn one(
    before: &Workflow,
    (node, a): (&Node, &Step),
    after: &Workflow,
    (next, b): (&Node, &Step),
) -> Vec<StepChange> {
    let witness = witness(before, (node, a), after, (next, b));
    let mut found = Vec::new();
    let mut tell = |words: String, direction, witness| {
        found.push(StepChange {
            step: next.name.clone(),
            pointer: next.place.pointer.clone(),
            part: Part::Branch,
            words,
            direction,
            witness,
        });
    };
    let all = b
        .branches
        .iter()
        .filter(|branch| !a.branches.contains(branch));
    let new: Vec<&Branch> = all.collect();
    let gone: Vec<&Branch> = a
        .branches
        .iter()
        .filter(|branch| !b.branches.contains(branch))
        .collect();
    let told = match (gone.as_slice(), new.as_slice()) {
        ([], []) => "the cases stand in another order".to_owned(),
        (gone, new) => {
            let list = |branches: &[&Branch]| match branches {
                [] => "nothing".to_owned(),
                some => some
                    .iter()
                    .map(|branch| case(branch))
                    .collect::<Vec<_>>()
                    .join("; "),
            };
            format!("{} now, and before {}", list(new), list(gone))
        }
    };
    match witness {
        Some((value, went, goes)) => {
            let told = format!("{told}: {value} leads to {goes} and led to {went}");
            tell(told, Direction::Other, Some(value));
        }
        None => tell(
            format!("{told}; no value was found that goes another way"),
            Direction::Other,
            None,
        ),
    }
    found
}

/// `pay: .outcome == "pay" -> go to pay`
fn case(branch: &Branch) -> String {
    match &branch.goes {
        Some(goes) => format!("{} -> {goes}", branch.label),
        None => branch.label.clone(),
    }
}

fn step<'t>(tree: &'t Tree, pointer: &str) -> Option<&'t Step> {
    fn find<'t>(steps: &'t [Step], pointer: &str) -> Option<&'t Step> {
        steps.iter().find_map(|step| {
            if step.pointer == pointer {
                return Some(step);
            }
            let mut branches = step.branches.iter();
            branches.find_map(|branch| find(&branch.steps, pointer))
        })
    }
    find(&tree.steps, pointer)
}

/// A value, where it led and where it leads.
fn witness(
    before: &Workflow,
    (node, a): (&Node, &Step),
    after: &Workflow,
    (next, b): (&Node, &Step),
) -> Option<(Value, String, String)> {
    let labels = a.branches.iter().chain(&b.branches);
    let text: Vec<&str> = labels.map(|branch| branch.label.as_str()).collect();
    let way = |workflow: &Workflow, node: &Node, step: &Step, value: &Value| -> String {
        workflow
            .case_taken(&node.place.pointer, value)
            .and_then(|number| step.branches.get(number)?.goes.clone())
            .unwrap_or_else(|| "no case".to_owned())
    };
    candidates(&text).into_iter().find_map(|value| {
        let went = way(before, node, a, &value);
        let goes = way(after, next, b, &value);
        (went != goes).then_some((value, went, goes))
    })
}

/// Values made of the facts and the constants that conditions speak of.
fn candidates(conditions: &[&str]) -> Vec<Value> {
    let (mut paths, mut constants) = (BTreeSet::new(), Vec::new());
    for condition in conditions {
        gather(condition, &mut paths, &mut constants);
    }
    let mut values: Vec<Value> = Vec::new();
    let mut add = |value: Value| {
        if !values.contains(&value) {
            values.push(value);
        }
    };
    for constant in constants {
        if let Some(number) = constant.as_f64() {
            add(constant.clone());
            for beside in [number - 1.0, number + 1.0, number - 0.01, number + 0.01] {
                add(json!(beside));
            }
        } else {
            add(constant);
        }
    }
    add(json!(true));
    add(json!(false));
    add(json!("something else"));
    add(Value::Null);
    let mut inputs = vec![json!({})];
    for path in &paths {
        let room = MAX_TRIED / values.len().max(1);
        let known: Vec<Value> = inputs.iter().take(room.max(1)).cloned().collect();
        inputs = known
            .iter()
            .flat_map(|input| values.iter().map(move |value| with(input, path, value)))
            .collect();
    }
    inputs.truncate(MAX_TRIED);
    inputs
}

/// Facts such as `.outcome` and `$workflow.input.amount`, and constants: texts, numbers.
fn gather(condition: &str, paths: &mut BTreeSet<Vec<String>>, constants: &mut Vec<Value>) {
    let mut rest = condition;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
            constants.extend(serde_json::from_str::<Value>(&rest[..end]));
            rest = &rest[end..];
        } else if c == '.' || c == '$' || c.is_alphanumeric() || c == '_' || c == '-' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '$' | '_' | '-')))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end.max(c.len_utf8()));
            if let Ok(number @ Value::Number(_)) = serde_json::from_str(word) {
                constants.push(number);
            } else if let Some(path) = path(word) {
                paths.insert(path);
            }
            rest = after;
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
}

fn path(word: &str) -> Option<Vec<String>> {
    let fields = match word.strip_prefix('$') {
        Some(argument) => {
            let (name, fields) = argument.split_once('.')?;
            match name {
                "workflow" => fields.strip_prefix("input.")?,
                "context" | "input" => fields,
                _ => return None,
            }
        }
        None => word.strip_prefix('.')?,
    };
    let fields: Vec<String> = fields.split('.').map(str::to_owned).collect();
    fields
        .iter()
        .all(|field| !field.is_empty())
        .then_some(fields)
}

fn with(input: &Value, path: &[String], value: &Value) -> Value {
    let mut whole = input.clone();
    let mut at = &mut whole;
    for field in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else {
            return whole;
        };
        at = members.entry(field.clone()).or_insert(Value::Null);
    }
    *at = value.clone();
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_and_constants_of_a_condition_are_tried_together() {
        let (mut paths, mut constants) = (BTreeSet::new(), Vec::new());
        gather(
            r#"pay: (.outcome == "pay") and ($workflow.input.amount <= 50.5)"#,
            &mut paths,
            &mut constants,
        );
        assert_eq!(paths.len(), 2, "{paths:?}");
        assert_eq!(constants, [json!("pay"), json!(50.5)]);
        let tried = candidates(&[r#"(.a.b == "x") and (.c > 5)"#]);
        assert!(tried.contains(&json!({"a": {"b": "x"}, "c": 6.0})));
        assert!(tried.len() <= MAX_TRIED);
    }
}
