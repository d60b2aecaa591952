//! Cases of a workflow: what starts it, what the world answers, and the way it must take.

use std::collections::BTreeMap;

use polity_document::suggest;
use polity_workflow::{Fault, Outcome, Workflow, milliseconds};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::run::{self, Ran};
use super::same::{contains, same};
use super::{Came, Unusable};
use crate::Constitution;

/// How cases are written.
pub(super) const FORM: &str = "write {\"cases\": [{\"name\": \"…\", \"event\": {…}, \"answers\": {\"TASK\": {\"output\": …}}, \"expect\": {\"path\": [\"TASK\", …]}}]}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    name: String,
    /// The data of the event that starts it.
    #[serde(default)]
    event: Option<Value>,
    /// What it starts with, where no event starts it.
    #[serde(default)]
    input: Option<Value>,
    /// What its tasks are answered, by their names.
    #[serde(default)]
    answers: BTreeMap<String, Answers>,
    /// What is sent while it listens, in this order.
    #[serde(default)]
    events: Vec<Sent>,
    expect: Expected,
}

/// One answer for as often as it is asked, or one for each time.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Answers {
    Always(Answer),
    Each(Vec<Answer>),
}

/// What an effect comes to.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Answer {
    /// It happened.
    Output(Value),
    /// It failed.
    Error(Failure),
    /// Nobody answers, however long it is waited for.
    Silence(bool),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    status: u16,
    #[serde(default)]
    detail: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) data: Value,
}

/// What must come of it; what is not said may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The tasks that run, in their order.
    #[serde(default)]
    path: Option<Vec<String>>,
    /// What it ends with.
    #[serde(default)]
    output: Option<Value>,
    /// The error it ends with; the members that are given.
    #[serde(default)]
    error: Option<Value>,
    /// The types of the events it emits, in their order.
    #[serde(default)]
    emits: Option<Vec<String>>,
    /// What tasks ask of the world; the members that are given.
    #[serde(default)]
    calls: BTreeMap<String, Value>,
    /// How long it takes, as ISO 8601 says it.
    #[serde(default)]
    takes: Option<Value>,
}

impl Case {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Failure {
    pub(super) fn fault(&self) -> Fault {
        Fault::communication(self.status, self.detail.clone())
    }
}

impl Constitution {
    /// Runs a workflow as a case says.
    pub(super) fn try_workflow(&self, workflow: &Workflow, case: &Case) -> Result<Came, Unusable> {
        check(workflow, case)?;
        let input = match (&case.event, &case.input) {
            (Some(data), None) => run::triggered(workflow, data)?,
            (None, input) => input.clone().unwrap_or_else(|| json!({})),
            (Some(_), Some(_)) => {
                return Err(Unusable {
                    pointer: "/input".to_owned(),
                    message: "a workflow starts with an event or with an input, not with both"
                        .to_owned(),
                    fix: "keep one of them".to_owned(),
                });
            }
        };
        let ran = run::run(self, workflow, input, &case.answers, &case.events);
        Ok(compared(&case.expect, &ran))
    }
}

/// Names that no task has would be recorded for nothing, and a case that expects nothing finds nothing.
fn check(workflow: &Workflow, case: &Case) -> Result<(), Unusable> {
    let graph = workflow.graph();
    let known: Vec<&str> = graph.nodes[1..]
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    let named = case.answers.keys().map(|name| (name, "/answers"));
    let named = named.chain(case.expect.calls.keys().map(|name| (name, "/expect/calls")));
    let path = case.expect.path.iter().flatten();
    for (name, list) in named.chain(path.map(|name| (name, "/expect/path"))) {
        if !known.contains(&name.as_str()) {
            return Err(Unusable {
                pointer: list.to_owned(),
                message: format!("{} has no task \"{name}\"", workflow.name()),
                fix: suggest::fix(name, "task", known.iter().copied()),
            });
        }
    }
    for (name, answers) in &case.answers {
        let each = match answers {
            Answers::Always(answer) => std::slice::from_ref(answer),
            Answers::Each(each) => each,
        };
        if each
            .iter()
            .any(|answer| matches!(answer, Answer::Silence(false)))
        {
            return Err(Unusable {
                pointer: format!("/answers/{name}"),
                message: "who is not silent answers something".to_owned(),
                fix: "write {\"output\": …}, {\"error\": {\"status\": …}} or {\"silence\": true}"
                    .to_owned(),
            });
        }
    }
    let expect = &case.expect;
    let says_nothing = expect.path.is_none()
        && expect.output.is_none()
        && expect.error.is_none()
        && expect.emits.is_none()
        && expect.calls.is_empty()
        && expect.takes.is_none();
    if says_nothing {
        return Err(Unusable {
            pointer: "/expect".to_owned(),
            message: "this case expects nothing".to_owned(),
            fix: "say the \"path\", the \"output\", the \"error\", what it \"emits\", what it \"calls\" or how long it \"takes\"".to_owned(),
        });
    }
    if let Some(Err(why)) = expect.takes.as_ref().map(milliseconds) {
        return Err(Unusable {
            pointer: "/expect/takes".to_owned(),
            message: why,
            fix: "write a duration: \"PT2H\", \"P3D\"".to_owned(),
        });
    }
    Ok(())
}

/// Only what differs is told.
fn compared(expect: &Expected, ran: &Ran) -> Came {
    let (mut expected, mut found) = (Map::new(), Map::new());
    let mut differ = |name: &str, wanted: Value, came: Value| {
        expected.insert(name.to_owned(), wanted);
        found.insert(name.to_owned(), came);
    };
    let (output, error) = match &ran.outcome {
        Some(Outcome::Completed { output }) => (Some(output.clone()), None),
        Some(Outcome::Faulted { error }) => (None, Some(error.to_value())),
        _ => (None, None),
    };
    // An error that is not expected is what a reader wants to see, whatever else differs.
    let failed = error.clone().filter(|_| expect.error.is_none());
    if let Some(error) = failed {
        differ("error", Value::Null, error);
    }
    if let Some(path) = expect.path.as_ref().filter(|path| **path != ran.path) {
        differ("path", json!(path), json!(ran.path));
    }
    if let Some(wanted) = &expect.output
        && !output.as_ref().is_some_and(|output| same(output, wanted))
    {
        differ("output", wanted.clone(), output.unwrap_or_default());
    }
    if let Some(wanted) = &expect.error
        && !error.as_ref().is_some_and(|error| contains(error, wanted))
    {
        differ("error", wanted.clone(), error.unwrap_or_default());
    }
    if let Some(emits) = expect.emits.as_ref().filter(|emits| **emits != ran.emits) {
        differ("emits", json!(emits), json!(ran.emits));
    }
    for (task, wanted) in &expect.calls {
        let call = ran.calls.get(task).cloned().unwrap_or_default();
        if !contains(&call, wanted) {
            differ(&format!("call of {task}"), wanted.clone(), call);
        }
    }
    if let Some(wanted) = &expect.takes
        && milliseconds(wanted) != Ok(ran.took_ms)
    {
        let seconds = ran.took_ms as f64 / 1000.0;
        differ("takes", wanted.clone(), json!(format!("PT{seconds}S")));
    }
    if let Some(why) = &ran.stuck {
        differ("end", json!("it ends"), json!(why));
    }
    Came {
        passed: found.is_empty(),
        expected: Value::Object(expected).to_string(),
        found: Value::Object(found).to_string(),
    }
}
