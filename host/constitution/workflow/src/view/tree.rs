//! A workflow as a tree of steps: what happens, under which condition, what it changes, and who is asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words;
use crate::Workflow;
use crate::call::EffectClass;
use crate::graph::kind;
use crate::task::{CallTask, Catch, Flow, Kind, ListId, Task, Template};

/// A workflow for people. It holds no type of the interpreter, so that it can be stored, sent and shown anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// The document's title, or its name.
    pub title: String,
    /// `namespace/name`.
    pub workflow: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// When it starts.
    pub starts: String,
    /// A time limit on the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The task's name.
    pub name: String,
    /// Its kind: `call`, `switch`, ...
    pub kind: String,
    /// What it does, in one line.
    pub says: String,
    /// Under which condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The sentence of policy that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How often its effect may happen, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Who decides, where a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// A time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What happens in each case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<Branch>,
    /// Where it goes afterwards, where that is not the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// The line in the document.
    pub line: u32,
    /// Where it stands in the document, as a JSON pointer: what a run says that it is at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
}

/// One of several ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// Its name, or when it is taken.
    pub label: String,
    /// Where it goes, for the case of a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes: Option<String>,
    /// What happens in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

impl Workflow {
    /// The workflow as a tree of steps.
    pub fn tree(&self) -> Tree {
        let document = &self.source["document"];
        let text = |name: &str| document[name].as_str().map(|text| words::line(text, 200));
        let root = match self.task(0).map(|task| &task.kind) {
            Some(Kind::Root(list)) => *list,
            _ => 0,
        };
        Tree {
            title: text("title").unwrap_or_else(|| self.name.clone()),
            workflow: format!("{}/{}", self.namespace, self.name),
            version: self.version.clone(),
            summary: text("summary"),
            starts: self
                .schedule
                .as_ref()
                .map_or_else(|| "on request".to_owned(), |schedule| schedule.in_words()),
            limit: self.timeout.as_ref().map(words::duration),
            steps: self.steps(root),
        }
    }

    fn steps(&self, list: ListId) -> Vec<Step> {
        let ids = self.list(list);
        let names: Vec<&str> = ids
            .iter()
            .filter_map(|id| self.task(*id))
            .map(|task| task.name.as_str())
            .collect();
        ids.iter()
            .filter_map(|id| self.task(*id))
            .map(|task| self.step(task, &names))
            .collect()
    }

    fn step(&self, task: &Task, siblings: &[&str]) -> Step {
        let goes = |flow: &Flow| match flow {
            Flow::Continue => "on to the next step".to_owned(),
            Flow::Exit => "leave this block".to_owned(),
            Flow::End => "end".to_owned(),
            Flow::To(index) => format!("go to {}", siblings.get(*index as usize).unwrap_or(&"?")),
        };
        let says = task.metadata["title"]
            .as_str()
            .map_or_else(|| says(task), |title| words::line(title, 120));
        let policy = match &task.metadata["policy"] {
            Value::String(text) => Some(words::line(text, 300)),
            policy => policy["sentence"]
                .as_str()
                .or(policy["text"].as_str())
                .map(|text| words::line(text, 300)),
        };
        let mut step = Step {
            name: words::line(&task.name, 80),
            kind: kind(&task.kind).to_owned(),
            says,
            condition: task
                .condition
                .as_ref()
                .map(|condition| words::line(condition.source(), 120)),
            policy,
            effect: None,
            gate: None,
            limit: task.timeout.as_ref().map(words::duration),
            branches: Vec::new(),
            then: (task.then != Flow::Continue).then(|| goes(&task.then)),
            line: self.line(&task.pointer),
            pointer: task.pointer.clone(),
        };
        let branch = |label: &str, list: ListId| Branch {
            label: label.to_owned(),
            goes: None,
            steps: self.steps(list),
        };
        match &task.kind {
            Kind::Switch(cases) => {
                step.branches = cases
                    .iter()
                    .map(|case| Branch {
                        label: match &case.when {
                            Some(when) => {
                                format!(
                                    "{}: {}",
                                    words::line(&case.name, 80),
                                    words::line(when.source(), 120)
                                )
                            }
                            None => format!("{}: otherwise", words::line(&case.name, 80)),
                        },
                        goes: Some(goes(&case.then)),
                        steps: Vec::new(),
                    })
                    .collect();
            }
            Kind::Fork { branches, .. } => {
                step.branches = branches
                    .iter()
                    .filter_map(|id| self.task(*id))
                    .map(|task| Branch {
                        label: words::line(&task.name, 80),
                        goes: None,
                        steps: vec![self.step(task, &[])],
                    })
                    .collect();
            }
            Kind::Try { body, catch } => {
                step.branches.push(branch("try", *body));
                let label = format!("if it fails{}", caught(catch));
                match (catch.body, &catch.then) {
                    (Some(list), then) => {
                        let mut handled = branch(&label, list);
                        handled.goes = then.as_ref().map(goes);
                        step.branches.push(handled);
                    }
                    (None, then) => step.branches.push(Branch {
                        label,
                        goes: then
                            .as_ref()
                            .map(goes)
                            .or_else(|| Some("on to the next step".to_owned())),
                        steps: Vec::new(),
                    }),
                }
            }
            Kind::Call(call) => {
                step.effect = Some(class(call.class).to_owned());
                step.gate = gate(call);
            }
            Kind::Emit(_) | Kind::Run { .. } => {
                step.effect = Some(class(EffectClass::Own).to_owned())
            }
            _ => {
                step.branches = task
                    .lists()
                    .into_iter()
                    .map(|(word, list)| branch(word, list))
                    .collect()
            }
        }
        step
    }
}

fn caught(catch: &Catch) -> String {
    let mut words = String::new();
    for (name, value) in &catch.with {
        words.push_str(&format!(
            " with {name} {}",
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        ));
    }
    if let Some(when) = &catch.when {
        words.push_str(&format!(" and {}", words::line(when.source(), 80)));
    }
    if let Some(retry) = &catch.retry {
        match retry.attempts {
            Some(count) => words.push_str(&format!(", after {count} more attempts")),
            None => words.push_str(", after more attempts"),
        }
    }
    words
}

/// The class of an effect in words.
fn class(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Own => "own record, exactly once",
        EffectClass::Idempotent => "once, by its key",
        EffectClass::AtMostOnce => "at most once",
        EffectClass::AtLeastOnce => "at least once",
    }
}

fn argument(template: &Template, name: &str) -> Option<String> {
    match template {
        Template::Literal(value) => {
            let value = value.get(name)?;
            Some(words::line(
                &value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
                80,
            ))
        }
        Template::Fields(fields) => fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| words::template(value)),
        _ => None,
    }
}

fn gate(call: &CallTask) -> Option<String> {
    if !call.function.is_human() {
        return None;
    }
    let role = argument(&call.arguments, "role").unwrap_or_else(|| "somebody".to_owned());
    let verb = match call.function.name() {
        "human.approve" => "approves",
        "human.vote" => "votes",
        _ => "does it",
    };
    let deadline = match &call.arguments {
        Template::Literal(value) => value.get("deadline").cloned().map(Template::Literal),
        Template::Fields(fields) => fields
            .iter()
            .find(|(field, _)| field == "deadline")
            .map(|(_, value)| value.clone()),
        _ => None,
    };
    let within = deadline.map_or_else(
        || ", without a deadline".to_owned(),
        |time| format!(" within {}", words::duration(&time)),
    );
    Some(format!("{role} {verb}{within}"))
}

fn says(task: &Task) -> String {
    let with = |call: &CallTask, name: &str| argument(&call.arguments, name).unwrap_or_default();
    match &task.kind {
        Kind::Root(_) | Kind::Do(_) => "do in turn".to_owned(),
        Kind::Set(Template::Literal(Value::Object(fields))) => {
            format!(
                "set {}",
                fields.keys().cloned().collect::<Vec<_>>().join(", ")
            )
        }
        Kind::Set(Template::Fields(fields)) => {
            format!(
                "set {}",
                fields
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        Kind::Set(template) => format!("set {}", words::template(template)),
        Kind::Switch(_) => "choose".to_owned(),
        Kind::For {
            each,
            items,
            condition,
            ..
        } => {
            let condition = condition.as_ref().map_or_else(String::new, |condition| {
                format!(" while {}", condition.source())
            });
            format!("for each {each} of {}{condition}", words::template(items))
        }
        Kind::Fork { compete: true, .. } => {
            "start all of these, the first to finish counts".to_owned()
        }
        Kind::Fork { .. } => "do all of these at once".to_owned(),
        Kind::Try { .. } => "try".to_owned(),
        Kind::Raise(error) => {
            let name = argument(error, "title").or_else(|| argument(error, "type"));
            format!("fail: {}", name.unwrap_or_default())
        }
        Kind::Wait(duration) => format!("wait {}", words::duration(duration)),
        Kind::Listen(listen) => format!("wait for {}", words::events(&listen.to)),
        Kind::Emit(event) => format!("announce {}", argument(event, "type").unwrap_or_default()),
        Kind::Run { workflow, awaited } => {
            let name = argument(workflow, "name").unwrap_or_default();
            if *awaited {
                format!("run the workflow {name}")
            } else {
                format!("start the workflow {name}")
            }
        }
        Kind::Function { name, .. } => format!("do as in {name}"),
        Kind::Refused(why) => why.clone(),
        Kind::Call(call) => match call.function.name() {
            "decide" => format!("decide by the table {}", with(call, "table")),
            "model" => format!("ask a model: {}", with(call, "prompt")),
            "council" => format!("ask a council: {}", with(call, "question")),
            "records.query" => format!("look up {}", with(call, "collection")),
            "records.insert" => format!("add to {}", with(call, "collection")),
            "records.update" => format!(
                "change {} in {}",
                with(call, "id"),
                with(call, "collection")
            ),
            "human.approve" | "human.task" | "human.vote" => with(call, "title"),
            "connector" => format!("{} by {}", with(call, "operation"), with(call, "plugin")),
            "http" => {
                let endpoint = argument(&call.arguments, "endpoint").unwrap_or_default();
                format!("{} {endpoint}", with(call, "method").to_uppercase())
            }
            other => format!("call {other}"),
        },
    }
}
