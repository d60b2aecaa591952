//! A workflow as a neutral graph: what a linter needs to know, without the types of the interpreter.
//!
//! Every node is a task; edges are the ways on. A node that holds other tasks has an edge to the first task of each list
//! ([`EdgeKind::Into`]), and the last task of a list leads back to it ([`EdgeKind::OutOf`]), so that reachability is plain
//! graph search from node 0.

use serde::Serialize;
use serde_json::Value;

use crate::Workflow;
use crate::call::{EffectClass, Function};
use crate::task::{Flow, Kind, ListId, Task, TaskId, Template};
use crate::view::words;

/// A workflow as a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// `namespace/name`.
    pub workflow: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The file it was read from.
    pub file: String,
    /// When it starts by itself. Empty where somebody must start it.
    pub triggers: Vec<Trigger>,
    /// The schema of its input, where it has one inline.
    pub input_schema: Option<Value>,
    /// A time limit on the whole.
    pub timeout_ms: Option<u64>,
    /// Its tasks; the first is the workflow itself.
    pub nodes: Vec<Node>,
    /// The ways from task to task.
    pub edges: Vec<Edge>,
}

/// When a workflow starts by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// `cron`, `every`, `after` or `on`.
    pub kind: &'static str,
    /// In words.
    pub words: String,
    /// Event types, where events start it.
    pub events: Vec<String>,
    /// Where it says so.
    pub place: Place,
}

/// A place in the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// JSON pointer.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name; empty for the workflow itself.
    pub name: String,
    /// `do`, `call`, `switch`, ...
    pub kind: &'static str,
    /// The task around it.
    pub parent: Option<usize>,
    /// Where it stands.
    pub place: Place,
    /// The condition under which it runs at all.
    pub condition: Option<String>,
    /// The effect it has, where it has one.
    pub effect: Option<Effect>,
    /// What it waits for, where it waits.
    pub wait: Option<Wait>,
    /// How it ends where the wait takes too long.
    pub timeout_ms: Option<u64>,
    /// The loop it is, where it is one.
    pub repeat: Option<Repeat>,
    /// True for a switch with a case that needs no condition.
    pub has_default: bool,
    /// The sentence of policy it carries out, from `metadata.policy`.
    pub policy: Option<Value>,
}

/// An effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What is called: `http`, `records.insert`, `log:1@tools`.
    pub call: String,
    /// How often it may happen.
    pub class: EffectClass,
    /// True where the author said how often.
    pub declared: bool,
    /// True where it changes nothing outside: tables, queries, reading requests.
    pub reads_only: bool,
    /// Arguments that are known before anything runs.
    pub arguments: Value,
    /// The gate it is, where a person answers.
    pub gate: Option<Gate>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Who answers.
    pub role: Option<String>,
    /// True where it has a deadline.
    pub has_deadline: bool,
    /// True where somebody else is asked afterwards, or an error of the gate is caught.
    pub has_escalation: bool,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// `time`, `event`, `person` or `answer`.
    pub on: &'static str,
    /// In words.
    pub words: String,
    /// True where it ends some day by itself: a duration, a timeout here or around it.
    pub bounded: bool,
}

/// A loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// `for`, `listen` or `retry`.
    pub kind: &'static str,
    /// True where the number of rounds has a bound that does not depend on what happens.
    pub bounded: bool,
}

/// A way from one task to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// From this node.
    pub from: usize,
    /// To this node; `None` ends the workflow.
    pub to: Option<usize>,
    /// What kind of way.
    pub kind: EdgeKind,
    /// The case of a switch, or what list is entered.
    pub label: Option<String>,
    /// The condition, as jq.
    pub condition: Option<String>,
}

/// A kind of way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The next in the list.
    Next,
    /// By `then`.
    Then,
    /// A case of a switch.
    Case,
    /// A switch none of whose cases holds.
    NoCase,
    /// Into the first task of a list.
    Into,
    /// A branch of a fork.
    Branch,
    /// Into the tasks that handle an error.
    Catch,
    /// Out of a list, back to the task around it.
    OutOf,
}

impl Workflow {
    /// The workflow as a graph.
    pub fn graph(&self) -> Graph {
        let mut builder = Builder {
            workflow: self,
            nodes: vec![None; self.tasks.len()],
            edges: Vec::new(),
        };
        builder.task(0, None, Around::default());
        Graph {
            workflow: format!("{}/{}", self.namespace, self.name),
            version: self.version.clone(),
            digest: self.digest.clone(),
            file: self.file.clone(),
            triggers: self.triggers(),
            input_schema: self.source.pointer("/input/schema/document").cloned(),
            timeout_ms: self.timeout.as_ref().and_then(known_ms),
            nodes: builder.nodes.into_iter().flatten().collect(),
            edges: builder.edges,
        }
    }

    fn triggers(&self) -> Vec<Trigger> {
        let Some(schedule) = &self.schedule else {
            return Vec::new();
        };
        let pointer = format!("/schedule/{}", schedule.field);
        let events = match &schedule.trigger {
            crate::schedule::Trigger::On { strategy, .. } => strategy
                .filters
                .iter()
                .filter_map(|filter| filter.with.iter().find(|(name, _)| name == "type"))
                .map(|(_, value)| words::template(value))
                .collect(),
            _ => Vec::new(),
        };
        vec![Trigger {
            kind: schedule.field,
            words: schedule.in_words(),
            events,
            place: Place {
                line: self.line(&pointer),
                pointer,
            },
        }]
    }
}

/// What the tasks around a task promise.
#[derive(Clone, Copy, Default)]
struct Around {
    timed: bool,
    caught: bool,
}

struct Builder<'w> {
    workflow: &'w Workflow,
    nodes: Vec<Option<Node>>,
    edges: Vec<Edge>,
}

impl Builder<'_> {
    fn task(&mut self, id: TaskId, parent: Option<usize>, around: Around) {
        let Some(task) = self.workflow.task(id) else {
            return;
        };
        let here = id as usize;
        let inside = Around {
            timed: around.timed
                || task.timeout.is_some()
                || (id == 0 && self.workflow.timeout.is_some()),
            caught: around.caught,
        };
        let node = self.node(task, parent, inside);
        if let Some(slot) = self.nodes.get_mut(here) {
            *slot = Some(node);
        }
        if let Kind::Fork { branches, .. } = &task.kind {
            for branch in branches {
                self.task(*branch, Some(here), inside);
                self.edge(here, Some(*branch as usize), EdgeKind::Branch, None, None);
                self.edge(*branch as usize, Some(here), EdgeKind::OutOf, None, None);
            }
        }
        for (word, list) in task.lists() {
            let kind = if word == "catch" {
                EdgeKind::Catch
            } else {
                EdgeKind::Into
            };
            let inside = Around {
                caught: inside.caught || word == "try",
                ..inside
            };
            self.list(list, here, word, kind, inside);
        }
        if let Kind::Try { catch, .. } = &task.kind
            && let Some(then) = &catch.then
        {
            self.flow(
                id,
                then,
                EdgeKind::Catch,
                Some("caught".to_owned()),
                None,
                parent,
            );
        }
        if let Kind::Switch(cases) = &task.kind {
            for case in cases {
                let when = case.when.as_ref().map(|when| when.source().to_owned());
                self.flow(
                    id,
                    &case.then,
                    EdgeKind::Case,
                    Some(case.name.clone()),
                    when,
                    parent,
                );
            }
        }
    }

    fn list(&mut self, list: ListId, parent: usize, word: &str, kind: EdgeKind, around: Around) {
        let ids: Vec<TaskId> = self.workflow.list(list).to_vec();
        let Some(first) = ids.first() else { return };
        self.edge(
            parent,
            Some(*first as usize),
            kind,
            Some(word.to_owned()),
            None,
        );
        for (index, id) in ids.iter().enumerate() {
            self.task(*id, Some(parent), around);
            let Some(task) = self.workflow.task(*id) else {
                continue;
            };
            let decided = matches!(&task.kind, Kind::Switch(cases) if cases.iter().any(|case| case.when.is_none()));
            if !decided {
                let kind = match (&task.kind, &task.then) {
                    (Kind::Switch(_), _) => EdgeKind::NoCase,
                    (_, Flow::Continue) => EdgeKind::Next,
                    _ => EdgeKind::Then,
                };
                // A task that always raises goes nowhere by itself.
                if !matches!(task.kind, Kind::Raise(_)) {
                    self.way(*id, &task.then, &ids, index, parent, kind, None, None);
                }
            }
            if task.condition.is_some() && task.then != Flow::Continue {
                self.way(
                    *id,
                    &Flow::Continue,
                    &ids,
                    index,
                    parent,
                    EdgeKind::Next,
                    Some("skipped".to_owned()),
                    None,
                );
            }
        }
    }

    fn flow(
        &mut self,
        id: TaskId,
        flow: &Flow,
        kind: EdgeKind,
        label: Option<String>,
        condition: Option<String>,
        parent: Option<usize>,
    ) {
        let lists = self.workflow.lists.iter();
        let place = lists
            .filter_map(|list| {
                list.iter()
                    .position(|task| *task == id)
                    .map(|index| (list.clone(), index))
            })
            .next();
        let (Some((list, index)), Some(parent)) = (place, parent) else {
            return;
        };
        self.way(id, flow, &list, index, parent, kind, label, condition);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a way has two ends, a kind and what is said about it"
    )]
    fn way(
        &mut self,
        id: TaskId,
        flow: &Flow,
        list: &[TaskId],
        index: usize,
        parent: usize,
        kind: EdgeKind,
        label: Option<String>,
        condition: Option<String>,
    ) {
        let next = match flow {
            Flow::Continue => list.get(index + 1),
            Flow::To(to) => list.get(*to as usize),
            Flow::Exit | Flow::End => None,
        };
        let to = match (flow, next) {
            (Flow::End, _) => None,
            (_, Some(next)) => Some(*next as usize),
            (_, None) if parent == 0 => None,
            (_, None) => Some(parent),
        };
        let kind = if next.is_none() && to.is_some() && kind == EdgeKind::Next {
            EdgeKind::OutOf
        } else {
            kind
        };
        self.edge(id as usize, to, kind, label, condition);
    }

    fn edge(
        &mut self,
        from: usize,
        to: Option<usize>,
        kind: EdgeKind,
        label: Option<String>,
        condition: Option<String>,
    ) {
        self.edges.push(Edge {
            from,
            to,
            kind,
            label,
            condition,
        });
    }

    fn node(&self, task: &Task, parent: Option<usize>, around: Around) -> Node {
        let own_ms = match (&task.timeout, parent) {
            (Some(timeout), _) => known_ms(timeout),
            (None, None) => self.workflow.timeout.as_ref().and_then(known_ms),
            _ => None,
        };
        let effect = effect(task, around);
        Node {
            name: task.name.clone(),
            kind: kind(&task.kind),
            parent,
            place: Place {
                pointer: task.pointer.clone(),
                line: self.workflow.line(&task.pointer),
            },
            condition: task
                .condition
                .as_ref()
                .map(|condition| condition.source().to_owned()),
            wait: wait(task, around, effect.as_ref()),
            repeat: repeat(&task.kind),
            effect,
            timeout_ms: own_ms,
            has_default: matches!(&task.kind, Kind::Switch(cases) if cases.iter().any(|case| case.when.is_none())),
            policy: task.metadata.get("policy").cloned(),
        }
    }
}

fn known_ms(template: &Template) -> Option<u64> {
    match template {
        Template::Literal(value) => crate::duration::milliseconds(value).ok(),
        _ => None,
    }
}

/// The word for a kind of task.
pub(crate) fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Root(_) => "workflow",
        Kind::Do(_) => "do",
        Kind::Set(_) => "set",
        Kind::Switch(_) => "switch",
        Kind::For { .. } => "for",
        Kind::Fork { .. } => "fork",
        Kind::Try { .. } => "try",
        Kind::Raise(_) => "raise",
        Kind::Wait(_) => "wait",
        Kind::Listen(_) => "listen",
        Kind::Emit(_) => "emit",
        Kind::Call(_) | Kind::Function { .. } => "call",
        Kind::Run { .. } => "run",
        Kind::Refused(_) => "refused",
    }
}

fn effect(task: &Task, around: Around) -> Option<Effect> {
    let own = |call: &str, arguments: &Template| Effect {
        call: call.to_owned(),
        class: EffectClass::Own,
        declared: true,
        reads_only: false,
        arguments: known(arguments),
        gate: None,
    };
    match &task.kind {
        Kind::Emit(event) => Some(own("emit", event)),
        Kind::Run { workflow, .. } => Some(own("run.workflow", workflow)),
        Kind::Call(call) => {
            let arguments = known(&call.arguments);
            let name = call.function.name();
            let method = arguments["method"]
                .as_str()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let reads_only = matches!(name, "decide" | "records.query")
                || call.function == Function::Http
                    && matches!(method.as_str(), "get" | "head" | "options");
            let has = |name: &str| arguments.get(name).is_some();
            let gate = call.function.is_human().then(|| Gate {
                role: arguments["role"].as_str().map(str::to_owned),
                has_deadline: has("deadline") || task.timeout.is_some(),
                has_escalation: has("escalate") || around.caught,
            });
            Some(Effect {
                call: name.to_owned(),
                class: call.class,
                declared: call.declared || call.class == EffectClass::Own || reads_only,
                reads_only,
                arguments,
                gate,
            })
        }
        _ => None,
    }
}

/// What is known of a template before anything runs; an expression is shown as the author wrote it.
fn known(template: &Template) -> Value {
    match template {
        Template::Literal(value) => value.clone(),
        Template::Expr(jq) => format!("${{ {} }}", jq.source()).into(),
        Template::List(items) => items.iter().map(known).collect(),
        Template::Fields(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), known(field)))
                .collect(),
        ),
    }
}

fn wait(task: &Task, around: Around, effect: Option<&Effect>) -> Option<Wait> {
    match (&task.kind, effect) {
        (Kind::Wait(duration), _) => Some(Wait {
            on: "time",
            words: words::duration(duration),
            bounded: true,
        }),
        (Kind::Listen(listen), _) => Some(Wait {
            on: "event",
            words: words::events(&listen.to),
            bounded: around.timed,
        }),
        (
            _,
            Some(Effect {
                gate: Some(gate),
                call,
                ..
            }),
        ) => Some(Wait {
            on: "person",
            words: format!("{call} by {}", gate.role.as_deref().unwrap_or("somebody")),
            bounded: gate.has_deadline || around.timed,
        }),
        (_, Some(effect)) if !effect.reads_only && effect.class != EffectClass::Own => Some(Wait {
            on: "answer",
            words: effect.call.clone(),
            bounded: around.timed,
        }),
        _ => None,
    }
}

fn repeat(kind: &Kind) -> Option<Repeat> {
    match kind {
        Kind::For { .. } => Some(Repeat {
            kind: "for",
            bounded: true,
        }),
        Kind::Listen(listen) if listen.to.until.is_some() => Some(Repeat {
            kind: "listen",
            bounded: false,
        }),
        Kind::Try { catch, .. } => catch.retry.as_ref().map(|retry| Repeat {
            kind: "retry",
            bounded: retry.attempts.is_some() || retry.duration.is_some(),
        }),
        _ => None,
    }
}
