//! What a transition adds to the journal: the 18 lifecycle events of the specification.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::schedule::rfc3339;

/// A lifecycle event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names are those of the specification and say it all"
)]
pub enum EntryKind {
    WorkflowStarted,
    WorkflowSuspended,
    WorkflowResumed,
    WorkflowCorrelationStarted,
    WorkflowCorrelationCompleted,
    WorkflowCancelled,
    WorkflowFaulted,
    WorkflowCompleted,
    WorkflowStatusChanged,
    TaskCreated,
    TaskStarted,
    TaskSuspended,
    TaskResumed,
    TaskRetried,
    TaskCancelled,
    TaskFaulted,
    TaskCompleted,
    TaskStatusChanged,
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub kind: EntryKind,
    /// Its number within the instance, counted from 1 without a gap.
    pub number: u64,
    /// When, milliseconds since the epoch.
    pub at: u64,
    /// JSON pointer to the task, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Everything else, by the specification's names: `output`, `error`, `status`, `correlationKeys`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::WorkflowStarted,
        Self::WorkflowSuspended,
        Self::WorkflowResumed,
        Self::WorkflowCorrelationStarted,
        Self::WorkflowCorrelationCompleted,
        Self::WorkflowCancelled,
        Self::WorkflowFaulted,
        Self::WorkflowCompleted,
        Self::WorkflowStatusChanged,
        Self::TaskCreated,
        Self::TaskStarted,
        Self::TaskSuspended,
        Self::TaskResumed,
        Self::TaskRetried,
        Self::TaskCancelled,
        Self::TaskFaulted,
        Self::TaskCompleted,
        Self::TaskStatusChanged,
    ];

    /// The short name: `workflow.started`, `task.completed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkflowStarted => "workflow.started",
            Self::WorkflowSuspended => "workflow.suspended",
            Self::WorkflowResumed => "workflow.resumed",
            Self::WorkflowCorrelationStarted => "workflow.correlation-started",
            Self::WorkflowCorrelationCompleted => "workflow.correlation-completed",
            Self::WorkflowCancelled => "workflow.cancelled",
            Self::WorkflowFaulted => "workflow.faulted",
            Self::WorkflowCompleted => "workflow.completed",
            Self::WorkflowStatusChanged => "workflow.status-changed",
            Self::TaskCreated => "task.created",
            Self::TaskStarted => "task.started",
            Self::TaskSuspended => "task.suspended",
            Self::TaskResumed => "task.resumed",
            Self::TaskRetried => "task.retried",
            Self::TaskCancelled => "task.cancelled",
            Self::TaskFaulted => "task.faulted",
            Self::TaskCompleted => "task.completed",
            Self::TaskStatusChanged => "task.status-changed",
        }
    }

    /// The field of the data that says when.
    const fn moment(self) -> &'static str {
        match self {
            Self::WorkflowStarted | Self::WorkflowCorrelationStarted | Self::TaskStarted => {
                "startedAt"
            }
            Self::WorkflowSuspended | Self::TaskSuspended => "suspendedAt",
            Self::WorkflowResumed | Self::TaskResumed => "resumedAt",
            Self::WorkflowCorrelationCompleted | Self::WorkflowCompleted | Self::TaskCompleted => {
                "completedAt"
            }
            Self::WorkflowCancelled | Self::TaskCancelled => "cancelledAt",
            Self::WorkflowFaulted | Self::TaskFaulted => "faultedAt",
            Self::WorkflowStatusChanged | Self::TaskStatusChanged => "updatedAt",
            Self::TaskCreated => "createdAt",
            Self::TaskRetried => "retriedAt",
        }
    }
}

impl Entry {
    /// The entry as a CloudEvent 1.0, with the type and data that the specification names.
    pub fn cloud_event(&self, instance: &super::Instance, workflow: &crate::Workflow) -> Value {
        let qualified = format!(
            "{}-{}.{}",
            workflow.name(),
            instance.id(),
            workflow.namespace()
        );
        let mut data = self.data.clone();
        let subject = if self.task.is_some() {
            "workflow"
        } else {
            "name"
        };
        data.insert(subject.to_owned(), qualified.into());
        data.insert(self.kind.moment().to_owned(), rfc3339(self.at).into());
        if let Some(task) = &self.task {
            data.insert("task".to_owned(), task.clone().into());
        }
        if self.kind == EntryKind::WorkflowStarted {
            data.insert(
                "definition".to_owned(),
                json!({"name": workflow.name(), "namespace": workflow.namespace(), "version": workflow.version()}),
            );
        }
        json!({
            "specversion": "1.0",
            "id": format!("{}/{}", instance.id(), self.number),
            "source": format!("/workflows/{}/{}", workflow.namespace(), workflow.name()),
            "type": format!("io.serverlessworkflow.{}.v1", self.kind.name()),
            "subject": instance.id(),
            "time": rfc3339(self.at),
            "datacontenttype": "application/json",
            "data": data,
        })
    }
}
