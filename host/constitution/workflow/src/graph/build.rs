//! From the typed view to the graph.

use serde_json::Value;

use super::{Edge, EdgeKind, Effect, Gate, Graph, Node, Place, Repeat, Trigger, Wait};
use crate::Workflow;
use crate::call::EffectClass;
use crate::function::Function;
use crate::task::{Flow, Kind, ListId, Task, TaskId, Template};
use crate::view::words;

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
