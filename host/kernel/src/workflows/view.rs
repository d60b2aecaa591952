//! Instances as callers see them.

use polity_constitution::Version;
use polity_ledger::ReadError;
use polity_workflow::{Outcome, Phase, Tree};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::key;
use super::stored::{self, Cause, Pending, Stored};
use crate::Kernel;

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// Its id.
    pub id: Uuid,
    /// The name of the workflow.
    pub workflow: String,
    /// The version that its document says.
    pub version: String,
    /// The constitution that it began with and ends with.
    pub constitution: Version,
    /// Its status, by the specification's names.
    pub phase: Phase,
    /// Who has it run.
    pub actor: String,
    /// Why it began: `request`, `schedule`, `event` or `parent`.
    pub cause: String,
    /// The instance that runs it, where one does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<Uuid>,
    /// When it began.
    pub started_ms: u64,
    /// When something last happened to it.
    pub updated_ms: u64,
    /// The tasks that are running, outermost first, as JSON pointers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub position: Vec<String>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub waits: Vec<Waiting>,
    /// What it came to, once it has completed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Value>,
    /// The error that ended it, or why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Value>,
}

/// Something that an instance waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Waiting {
    /// A person's answer.
    Person {
        /// The inbox item.
        item: Uuid,
        /// The role that answers.
        role: String,
        /// What is asked.
        title: String,
        /// When the answer is too late.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        due_at_ms: Option<u64>,
    },
    /// A moment.
    Time {
        /// When.
        at_ms: u64,
    },
    /// An event.
    Event {
        /// Of one of these types; of any where there is none.
        types: Vec<String>,
    },
    /// Another instance.
    Workflow {
        /// Which.
        instance: Uuid,
    },
    /// Something outside.
    Effect {
        /// The task.
        task: String,
        /// The function.
        call: String,
    },
    /// Whoever stopped what it wants to do.
    Halt {
        /// The task.
        task: String,
        /// The function.
        call: String,
    },
}

/// Which instances are wanted.
#[derive(Clone, Debug, Default)]
pub struct InstanceFilter {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Those that have not ended, or those that have.
    pub open: Option<bool>,
    /// In this phase.
    pub phase: Option<Phase>,
}

impl InstanceView {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.phase,
            Phase::Completed | Phase::Faulted | Phase::Cancelled
        )
    }

    /// Whether it goes on only when somebody answers, an event comes or time passes.
    pub fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
            || self.phase == Phase::Suspended
            || self
                .waits
                .iter()
                .any(|waits| matches!(waits, Waiting::Person { .. } | Waiting::Halt { .. }))
    }
}

impl Kernel {
    /// An instance; none where there is none of this id.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn instance(&self, id: Uuid) -> Result<Option<InstanceView>, ReadError> {
        for place in [key::open(id), key::done(id)] {
            if let Some(bytes) = self.inner.ledger.get(&place)? {
                return Ok(serde_json::from_slice(&bytes)
                    .ok()
                    .map(|stored| self.view(id, &stored)));
            }
        }
        Ok(None)
    }

    /// At most `limit` instances, newest first, of those that are older than `before`.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn instances(
        &self,
        filter: &InstanceFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<InstanceView>, ReadError> {
        let mut found = Vec::new();
        for (prefix, is_open) in [(key::OPEN, true), (key::DONE, false)] {
            if filter.open.is_some_and(|wanted| wanted != is_open) {
                continue;
            }
            let mut before = before.map(|id| format!("{prefix}{id}"));
            let mut matched = 0;
            while matched < limit {
                let page = self
                    .inner
                    .ledger
                    .scan_back(prefix, before.as_deref(), 200)?;
                for (place, bytes) in &page {
                    let Ok(stored) = serde_json::from_slice::<Stored>(bytes) else {
                        continue;
                    };
                    let is_wanted = filter
                        .workflow
                        .as_ref()
                        .is_none_or(|wanted| *wanted == stored.name)
                        && filter
                            .phase
                            .is_none_or(|wanted| wanted == stored.instance.phase());
                    let id = place.strip_prefix(prefix).and_then(|id| id.parse().ok());
                    if let Some(id) = id.filter(|_| is_wanted && matched < limit) {
                        matched += 1;
                        found.push(self.view(id, &stored));
                    }
                }
                match page.into_iter().next_back() {
                    Some((last, _)) => before = Some(last),
                    None => break,
                }
            }
        }
        found.sort_by_key(|view| std::cmp::Reverse(view.id));
        found.truncate(limit);
        Ok(found)
    }

    /// What an instance carries out, as a tree whose steps have the pointers that its position and its journal speak of;
    /// none where its constitution is not on record.
    pub fn tree_of(&self, view: &InstanceView) -> Option<Tree> {
        let constitution = self.constitution_of(&view.constitution).ok()?;
        Some(constitution.workflow(&view.workflow)?.tree())
    }

    /// Waits until an instance has ended or waits for somebody, at most until `until_ms`, and returns it as it is then.
    ///
    /// # Errors
    /// The ledger does not read.
    pub async fn wait_for_instance(
        &self,
        id: Uuid,
        until_ms: u64,
    ) -> Result<Option<InstanceView>, ReadError> {
        let mut changes = self.inner.workflows.changed.subscribe();
        loop {
            let Some(view) = self.instance(id)? else {
                return Ok(None);
            };
            let left = until_ms.saturating_sub(self.inner.clock.now_ms());
            if view.has_ended() || view.is_waiting() || left == 0 {
                return Ok(Some(view));
            }
            let heard = async {
                loop {
                    match changes.recv().await {
                        Ok(changed) if changed != id => {}
                        _ => return,
                    }
                }
            };
            let _ = tokio::time::timeout(std::time::Duration::from_millis(left), heard).await;
        }
    }

    pub(super) fn view(&self, id: Uuid, stored: &Stored) -> InstanceView {
        let instance = &stored.instance;
        let workflow = self
            .constitution_of(&stored.constitution)
            .ok()
            .and_then(|constitution| constitution.workflow(&stored.name).cloned());
        let (output, error) = match instance.outcome() {
            Some(Outcome::Completed { output }) => (Some(output.clone()), None),
            Some(Outcome::Faulted { error }) => (None, Some(error.to_value())),
            Some(Outcome::Cancelled { reason }) => (None, Some(reason.clone().into())),
            None => (None, None),
        };
        let (cause, parent) = match &stored.cause {
            Cause::Request => ("request", None),
            Cause::Schedule { .. } => ("schedule", None),
            Cause::Event { .. } => ("event", None),
            Cause::Parent { instance, .. } => ("parent", Some(*instance)),
        };
        let waits = match &workflow {
            Some(workflow) if instance.outcome().is_none() => self.waits(stored, workflow),
            _ => Vec::new(),
        };
        InstanceView {
            id,
            workflow: stored.name.clone(),
            version: stored.version.clone(),
            constitution: stored.constitution.clone(),
            phase: instance.phase(),
            actor: stored.actor.clone(),
            cause: cause.to_owned(),
            parent,
            started_ms: instance.started(),
            updated_ms: stored.updated_ms,
            position: workflow
                .as_ref()
                .map(|workflow| instance.position(workflow))
                .unwrap_or_default(),
            waits,
            output,
            error,
        }
    }

    fn waits(&self, stored: &Stored, workflow: &polity_workflow::Workflow) -> Vec<Waiting> {
        use polity_workflow::Recovery;
        let mut waits = Vec::new();
        for recovery in stored.instance.recover(workflow) {
            let (Recovery::Send { request } | Recovery::Unknown { request }) = recovery;
            let pending = stored.effects.get(&stored::name(&request.id));
            let call = request.call.kind().to_owned();
            match pending {
                _ if stored.instance.is_held(&request.id) => waits.push(Waiting::Halt {
                    task: request.task,
                    call,
                }),
                Some(Pending::Child { id }) => waits.push(Waiting::Workflow { instance: *id }),
                Some(pending) if !pending.items().is_empty() => {
                    for item in pending.items() {
                        let item = self.inner.inbox.get(*item).ok().flatten();
                        waits.extend(item.filter(|item| item.is_open()).map(|item| {
                            Waiting::Person {
                                item: item.id,
                                role: item.role,
                                title: item.title,
                                due_at_ms: item.due_at_ms,
                            }
                        }));
                    }
                }
                _ => waits.push(Waiting::Effect {
                    task: request.task,
                    call,
                }),
            }
        }
        let types = stored.instance.listens_for(workflow);
        if !types.is_empty() {
            let named = types.into_iter().flatten();
            waits.push(Waiting::Event {
                types: named.collect(),
            });
        }
        let at_ms = stored.instance.next_wake().filter(|at| *at > 0);
        waits.extend(at_ms.map(|at_ms| Waiting::Time { at_ms }));
        waits
    }
}
