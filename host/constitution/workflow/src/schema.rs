//! The official JSON Schema of the specification, and its objections in words.
//!
//! The schema describes a task as one of twelve alternatives, so all it can say of a misspelt field is that no alternative
//! fits. [`explain`] looks at the tasks one by one, knows which kind each is meant to be, and names the field.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::text::{Text, escaped};

/// The specification's schema, as it is published (Apache-2.0).
pub const OPEN_WORKFLOW_SCHEMA: &str = include_str!("../schemas/open-workflow-1.0.3.yaml");

/// The kinds of task: the field that names the kind, and the fields beside it.
const KINDS: [(&str, &[&str]); 12] = [
    ("call", &["with"]),
    ("do", &[]),
    ("fork", &[]),
    ("emit", &[]),
    ("for", &["do", "while"]),
    ("listen", &["foreach"]),
    ("raise", &[]),
    ("run", &[]),
    ("set", &[]),
    ("switch", &[]),
    ("try", &["catch"]),
    ("wait", &[]),
];
const BASE: [&str; 7] = [
    "if", "input", "output", "export", "timeout", "then", "metadata",
];

/// An objection to a part of a document.
pub(crate) struct Objection {
    pub(crate) pointer: String,
    pub(crate) message: String,
    pub(crate) fix: String,
}

static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| {
    let schema = Text::read(OPEN_WORKFLOW_SCHEMA, false).ok()?.value;
    jsonschema::validator_for(&schema).ok()
});

/// Everything the official schema objects to.
pub(crate) fn objections(document: &Value) -> Vec<Objection> {
    let Some(validator) = VALIDATOR.as_ref() else {
        return vec![Objection {
            pointer: String::new(),
            message: "the embedded schema cannot be used".to_owned(),
            fix: "report this as a fault of the program".to_owned(),
        }];
    };
    if validator.is_valid(document) {
        return Vec::new();
    }
    let mut found = Vec::new();
    explain(&document["do"], "/do", &mut found);
    if let Some(functions) = document["use"]["functions"].as_object() {
        for (name, task) in functions {
            explain_task(
                task,
                &format!("/use/functions/{}", escaped(name)),
                &mut found,
            );
        }
    }
    if found.is_empty() {
        found = validator
            .iter_errors(document)
            .map(|error| {
                let text = error.to_string();
                let about: String = text.chars().take(200).collect();
                Objection {
                    pointer: error.instance_path().as_str().to_owned(),
                    message: format!("the specification's schema does not allow this: {about}"),
                    fix: "compare it with the reference of the Open Workflow Specification 1.0.3"
                        .to_owned(),
                }
            })
            .collect();
    }
    found
}

/// The kind of a task, by its telling field. A `for` has a `do`, too.
pub(crate) fn kind_of(task: &Value) -> Option<&'static str> {
    if task.get("for").is_some() {
        return Some("for");
    }
    let mut kinds = KINDS.iter().filter(|(kind, _)| task.get(kind).is_some());
    let (kind, _) = kinds.next()?;
    kinds.next().is_none().then_some(kind)
}

fn explain(list: &Value, pointer: &str, found: &mut Vec<Objection>) {
    for (index, item) in list.as_array().into_iter().flatten().enumerate() {
        let here = format!("{pointer}/{index}");
        match item.as_object() {
            Some(fields) if fields.len() == 1 => {
                for (name, task) in fields {
                    explain_task(task, &format!("{here}/{}", escaped(name)), found);
                }
            }
            _ => found.push(Objection {
                pointer: here,
                message: "an item of a task list is an object with one field, the task's name"
                    .to_owned(),
                fix: "give each task its own item, beginning with `- name:`".to_owned(),
            }),
        }
    }
}

fn explain_task(task: &Value, pointer: &str, found: &mut Vec<Objection>) {
    let Some(fields) = task.as_object() else {
        found.push(Objection {
            pointer: pointer.to_owned(),
            message: "a task is an object".to_owned(),
            fix: "write what it does: `call`, `set`, `switch` or another kind".to_owned(),
        });
        return;
    };
    let Some(kind) = kind_of(task) else {
        let named: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        found.push(Objection {
            pointer: pointer.to_owned(),
            message: "a task has exactly one of the fields that say what it does".to_owned(),
            fix: format!("use one of {}", named.join(", ")),
        });
        return;
    };
    let own = KINDS
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(&[][..], |(_, own)| *own);
    for name in fields.keys() {
        let known = || own.iter().chain(&BASE).copied().chain([kind]);
        if !known().any(|known| known == name) {
            let near = known()
                .map(|known| (strsim::damerau_levenshtein(known, name), known))
                .min()
                .filter(|(distance, _)| *distance <= 2);
            found.push(Objection {
                pointer: format!("{pointer}/{}", escaped(name)),
                message: format!("a `{kind}` task has no field \"{name}\""),
                fix: match near {
                    Some((_, near)) => format!("did you mean \"{near}\"?"),
                    None => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
                },
            });
        }
    }
    let before = found.len();
    for list in ["do", "try"] {
        explain(&task[list], &format!("{pointer}/{list}"), found);
    }
    explain(&task["catch"]["do"], &format!("{pointer}/catch/do"), found);
    explain(
        &task["fork"]["branches"],
        &format!("{pointer}/fork/branches"),
        found,
    );
    explain(
        &task["foreach"]["do"],
        &format!("{pointer}/foreach/do"),
        found,
    );
    if found.len() == before && fields.keys().all(|name| known_field(kind, name)) {
        found.extend(deepest(task, kind, pointer));
    }
}

fn known_field(kind: &str, name: &str) -> bool {
    let own = KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(&[][..], |(_, own)| *own);
    name == kind || own.contains(&name) || BASE.contains(&name)
}

/// The schemas of calls, by the functions they are for.
const CALLS: [&str; 6] = ["asyncapi", "grpc", "http", "openapi", "a2a", "mcp"];

/// Checks a task, without the tasks inside it, against the schema of its kind alone, and keeps the objection to the
/// innermost part.
fn deepest(task: &Value, kind: &str, pointer: &str) -> Option<Objection> {
    let mut alone = task.clone();
    for inner in ["/do", "/try", "/fork/branches", "/catch/do", "/foreach/do"] {
        if let Some(list) = alone.pointer_mut(inner).filter(|list| list.is_array()) {
            *list = Value::Array(Vec::new());
        }
    }
    let mut schema = Text::read(OPEN_WORKFLOW_SCHEMA, false).ok()?.value;
    let definition = match kind {
        "call" => {
            let name = task["call"].as_str().unwrap_or_default();
            let index = CALLS
                .iter()
                .position(|call| *call == name)
                .unwrap_or(CALLS.len());
            format!("#/$defs/callTask/oneOf/{index}")
        }
        kind => format!("#/$defs/{kind}Task"),
    };
    let definitions = schema.get_mut("$defs")?.take();
    let own =
        serde_json::json!({"$schema": schema["$schema"], "$defs": definitions, "$ref": definition});
    let validator = jsonschema::validator_for(&own).ok()?;
    let error = validator
        .iter_errors(&alone)
        .max_by_key(|error| error.instance_path().as_str().matches('/').count())?;
    let about: String = error.to_string().chars().take(200).collect();
    Some(Objection {
        pointer: format!("{pointer}{}", error.instance_path().as_str()),
        message: format!("this does not fit the schema of a `{kind}` task: {about}"),
        fix: format!(
            "compare it with `{kind}` in the reference of the Open Workflow Specification 1.0.3"
        ),
    })
}
