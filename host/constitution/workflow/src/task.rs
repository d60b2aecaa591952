//! The typed view of a document: an arena of tasks that refer to each other by number, so that a running instance can
//! name its place by numbers too. Every expression in it is compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::EffectClass;
use crate::function::Function;
use crate::jq::Expr;

/// A task's number in its document.
pub(crate) type TaskId = u32;
/// A list of tasks: the children of a `do`, the body of a `for`.
pub(crate) type ListId = u32;

/// A shared compiled expression.
pub(crate) type Jq = Arc<Expr>;

/// A value with expressions in it.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    /// No expression anywhere inside.
    Literal(Value),
    Expr(Jq),
    List(Vec<Template>),
    Fields(Vec<(String, Template)>),
}

/// A schema ready for checking.
#[derive(Clone)]
pub(crate) struct Schema(pub(crate) Arc<jsonschema::Validator>);

/// `input` of a workflow or task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) schema: Option<Schema>,
    pub(crate) from: Option<Template>,
}

/// `output` or `export`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    pub(crate) schema: Option<Schema>,
    pub(crate) transform: Option<Template>,
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) pointer: String,
    /// What the author says about it: `metadata`.
    pub(crate) metadata: Value,
    pub(crate) condition: Option<Jq>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) export: Output,
    pub(crate) timeout: Option<Template>,
    pub(crate) then: Flow,
    pub(crate) kind: Kind,
}

/// Where to go after a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flow {
    Continue,
    Exit,
    End,
    /// The index in the same list.
    To(u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The document's own `do`, which has no task around it.
    Root(ListId),
    Do(ListId),
    Set(Template),
    Switch(Vec<Case>),
    For {
        each: String,
        at: String,
        items: Template,
        condition: Option<Jq>,
        body: ListId,
    },
    Fork {
        branches: Vec<TaskId>,
        compete: bool,
    },
    Try {
        body: ListId,
        catch: Box<Catch>,
    },
    Raise(Template),
    Wait(Template),
    Listen(Box<Listen>),
    Emit(Template),
    Call(Box<CallTask>),
    /// A call of a task under `use.functions`.
    Function {
        name: String,
        arguments: Template,
        list: ListId,
    },
    Run {
        workflow: Template,
        awaited: bool,
    },
    /// What this host does not do, and why. Only documents of the specification's dialect get so far.
    Refused(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) when: Option<Jq>,
    pub(crate) then: Flow,
}

#[derive(Clone, Debug)]
pub(crate) struct Catch {
    /// Fields of an error that must be equal.
    pub(crate) with: BTreeMap<String, Value>,
    pub(crate) name: String,
    pub(crate) when: Option<Jq>,
    pub(crate) except: Option<Jq>,
    pub(crate) retry: Option<Retry>,
    pub(crate) body: Option<ListId>,
    pub(crate) then: Option<Flow>,
}

#[derive(Clone, Debug)]
pub(crate) struct Retry {
    pub(crate) when: Option<Jq>,
    pub(crate) except: Option<Jq>,
    pub(crate) delay: Option<Template>,
    pub(crate) backoff: Backoff,
    pub(crate) jitter: Option<(Template, Template)>,
    pub(crate) attempts: Option<u32>,
    pub(crate) attempt_duration: Option<Template>,
    pub(crate) duration: Option<Template>,
}

/// How the delay grows from one retry to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Backoff {
    Constant,
    /// Delay times the number of the retry.
    Linear,
    /// Delay times a factor for each retry.
    Exponential(f64),
}

#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) to: Strategy,
    pub(crate) read: Read,
    pub(crate) each: Option<Each>,
}

/// Which events a listener, or a schedule, consumes.
#[derive(Clone, Debug)]
pub(crate) struct Strategy {
    pub(crate) mode: Mode,
    pub(crate) filters: Vec<Filter>,
    pub(crate) until: Option<Until>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    One,
    Any,
    All,
}

#[derive(Clone, Debug)]
pub(crate) enum Until {
    Condition(Jq),
    Events(Box<Strategy>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) with: Vec<(String, Template)>,
    pub(crate) correlate: Vec<Correlation>,
}

#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    pub(crate) name: String,
    pub(crate) from: Jq,
    pub(crate) expect: Option<Template>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Read {
    Data,
    Envelope,
}

#[derive(Clone, Debug)]
pub(crate) struct Each {
    pub(crate) item: String,
    pub(crate) at: String,
    pub(crate) body: Option<ListId>,
    pub(crate) output: Output,
    pub(crate) export: Output,
}

#[derive(Clone, Debug)]
pub(crate) struct CallTask {
    pub(crate) function: Function,
    pub(crate) arguments: Template,
    pub(crate) class: EffectClass,
    pub(crate) declared: bool,
}

impl Task {
    /// The lists of children this task starts, with a word for each.
    pub(crate) fn lists(&self) -> Vec<(&'static str, ListId)> {
        match &self.kind {
            Kind::Root(list) | Kind::Do(list) => vec![("do", *list)],
            Kind::For { body, .. } => vec![("for each", *body)],
            Kind::Try { body, catch } => {
                let mut lists = vec![("try", *body)];
                lists.extend(catch.body.map(|list| ("catch", list)));
                lists
            }
            Kind::Listen(listen) => listen
                .each
                .iter()
                .filter_map(|each| each.body)
                .map(|list| ("for each event", list))
                .collect(),
            Kind::Function { list, .. } => vec![("function", *list)],
            _ => Vec::new(),
        }
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}
