//! Beginning an instance, by its name or because of something.

use std::collections::VecDeque;
use std::sync::Arc;

use polity_constitution::{ActionKind, Constitution, KindError, OutcomeKind};
use polity_ledger::{CommitError, ReadError, new_id};
use polity_workflow::{Instance, Transition, Workflow};
use serde_json::{Value, json};
use uuid::Uuid;

use super::drive::{Desk, DriveError, Launch};
use super::key;
use super::stored::{Cause, Stored};
use super::view::InstanceView;
use crate::act::{ActError, ActionRequest};
use crate::drain::Draining;
use crate::near::near;
use crate::{Actor, Decision, Kernel};

/// The longest name that whoever starts an instance can give it.
const MAX_NAME: usize = 200;

/// What running a workflow is to rules.
const KIND: &str = "run.workflow";

/// Why an instance did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such workflow.
    #[error("there is no workflow `{asked}`{}", meant(near))]
    UnknownWorkflow {
        /// The name that was asked for.
        asked: String,
        /// Names that look like it.
        near: Vec<String>,
    },
    /// The input is not what the workflow takes.
    #[error("{0}")]
    Invalid(String),
    /// Somebody stopped the running of workflows.
    #[error("{0}")]
    Halted(String),
    /// The rules do not let it be run now.
    #[error("{}", .0.reason)]
    Judged(Box<Decision>),
    /// It could not be judged.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The ledger could not take it.
    #[error("the run could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// The ledger does not read.
    #[error("the run cannot be read: {0}")]
    Read(#[from] ReadError),
    /// It failed here.
    #[error("the run could not begin: {0}")]
    Internal(String),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
    /// The kind of action is no kind.
    #[error(transparent)]
    Kind(#[from] KindError),
}

fn meant(near: &[String]) -> String {
    if near.is_empty() {
        "; `polity ask` finds protocols by what they are about".to_owned()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

impl From<DriveError> for RunError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Commit(error) => Self::Record(error),
            DriveError::Read(error) => Self::Read(error),
            error => Self::Internal(error.to_string()),
        }
    }
}

/// An instance about to begin.
pub(super) struct Beginning {
    pub(super) id: Uuid,
    pub(super) constitution: Arc<Constitution>,
    pub(super) workflow: Arc<Workflow>,
    pub(super) input: Value,
    pub(super) actor: String,
    pub(super) cause: Cause,
}

/// An instance of this id is there.
pub(super) fn already(key: String) -> DriveError {
    let found = "it exists";
    CommitError::Conflict { key, found }.into()
}

impl Kernel {
    /// Starts a workflow of the constitution in force. It has begun, and is on the disk, when this returns.
    ///
    /// Where `name` is given there is one instance of the workflow by this name for all time: starting it again returns
    /// the first. A workflow that events start gets the input as the data of such an event, unless it is an array.
    ///
    /// # Errors
    /// See [`RunError`]; in every case nothing has begun.
    pub async fn run_workflow(
        &self,
        actor: &Actor,
        workflow: &str,
        input: Value,
        name: Option<&str>,
    ) -> Result<InstanceView, RunError> {
        let _visit = self.enter()?;
        let constitution = self.constitution();
        let found = constitution.workflow(workflow).cloned().ok_or_else(|| {
            let known = constitution.workflows().iter();
            RunError::UnknownWorkflow {
                asked: workflow.to_owned(),
                near: near(workflow, known.map(|workflow| workflow.name())),
            }
        })?;
        if name.is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(RunError::Invalid(format!(
                "a run's own name has 1 to {MAX_NAME} bytes"
            )));
        }
        let name = name.map(|name| key::name(found.name(), name));
        if let Some(name) = &name
            && let Some(view) = self.named(name)?
        {
            return Ok(view);
        }
        let kind: ActionKind = KIND.parse()?;
        if let Some(halt) = self.inner.workflows.halts.find(&kind) {
            return Err(RunError::Halted(halt.sentence()));
        }
        let input = self.may_run(actor, kind, workflow, input).await?;
        let now_ms = self.inner.clock.now_ms();
        let input = as_event(&found, input, actor, now_ms);
        found.check_input(&input).map_err(|why| {
            RunError::Invalid(format!("the input is not what {workflow} takes: {why}"))
        })?;
        let id = new_id(now_ms);
        let (desk, transition) = self.desk(Beginning {
            id,
            constitution,
            workflow: found,
            input,
            actor: actor.id.clone(),
            cause: Cause::Request,
        });
        let launch = Launch {
            desk,
            transition,
            name: name.clone(),
        };
        match self.launch(launch).await {
            Ok(()) => {}
            // Somebody was faster with the same name.
            Err(DriveError::Commit(CommitError::Conflict { .. })) if name.is_some() => {
                if let Some(view) = self.named(&name.unwrap_or_default())? {
                    return Ok(view);
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.instance(id)?
            .ok_or_else(|| RunError::Internal("it is not where it was put".to_owned()))
    }

    fn named(&self, name: &str) -> Result<Option<InstanceView>, RunError> {
        let Some(id) = self.inner.ledger.get(name)? else {
            return Ok(None);
        };
        match String::from_utf8_lossy(&id).parse() {
            Ok(id) => Ok(self.instance(id)?),
            Err(_) => Ok(None),
        }
    }

    /// Has the running judged, where rules guard it, and returns the input to run with.
    async fn may_run(
        &self,
        actor: &Actor,
        kind: ActionKind,
        workflow: &str,
        input: Value,
    ) -> Result<Value, RunError> {
        if !self.is_guarded(&kind) {
            return Ok(input);
        }
        let request = ActionRequest {
            kind,
            input: json!({ "name": workflow, "input": input }),
            context: json!({}),
        };
        let mut decision = self.act(actor, request).await?;
        match decision.outcome {
            OutcomeKind::Allow => Ok(input),
            OutcomeKind::Amend => Ok(decision
                .amended_input
                .as_mut()
                .map_or(input, |amended| amended["input"].take())),
            OutcomeKind::Deny | OutcomeKind::Escalate => Err(RunError::Judged(Box::new(decision))),
        }
    }

    /// A new instance with its first transition, neither of them written.
    pub(super) fn desk(&self, beginning: Beginning) -> (Desk, Transition) {
        let Beginning {
            id,
            constitution,
            workflow,
            input,
            actor,
            cause,
        } = beginning;
        let now_ms = self.inner.clock.now_ms();
        let seed = id.as_u64_pair().1 ^ now_ms;
        let transition = Instance::start(&workflow, input, id.to_string(), now_ms, seed);
        let stored = Stored {
            instance: transition.instance.clone(),
            name: workflow.name().to_owned(),
            namespace: workflow.namespace().to_owned(),
            version: workflow.version().to_owned(),
            constitution: constitution.version().clone(),
            actor,
            cause,
            effects: Default::default(),
            heard: Vec::new(),
            updated_ms: now_ms,
        };
        let desk = Desk {
            stored,
            id,
            constitution,
            workflow,
            events: VecDeque::new(),
            requests: VecDeque::new(),
            cleared: Vec::new(),
            accepted: Vec::new(),
            asked: Vec::new(),
            dirty: false,
        };
        (desk, transition)
    }
}

/// The input as the events that would have started the workflow.
fn as_event(workflow: &Workflow, input: Value, actor: &Actor, now_ms: u64) -> Value {
    if input.is_array() {
        return input;
    }
    let id = new_id(now_ms).to_string();
    let source = format!("/actors/{}", actor.id);
    match workflow.started_by(&input, &id, &source, now_ms) {
        Some(events) => events,
        None => input,
    }
}
