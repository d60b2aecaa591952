//! A running workflow as a value: where it is, what it knows, what it waits for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::listening::Listening;
use super::machine::Event;
use super::{EffectId, Fault};
use crate::call::{Call, EffectClass};
use crate::task::{Flow, ListId, TaskId};

/// A running task's number. Parents have smaller numbers than their children.
pub(crate) type FrameId = u32;

/// The status phases of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Made, not begun.
    Pending,
    /// Has something to do, or waits for an effect.
    Running,
    /// Waits for time, an event or a person.
    Waiting,
    /// Stopped by a person, to be resumed.
    Suspended,
    /// Stopped by a person for good.
    Cancelled,
    /// Ended in an error.
    Faulted,
    /// Ended.
    Completed,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// With this output.
    Completed {
        /// The workflow's output.
        output: Value,
    },
    /// With this error.
    Faulted {
        /// The error nobody caught.
        error: Fault,
    },
    /// By a person.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// A running workflow. It is stored as it is, and continued from what was stored.
///
/// Invariants: its workflow is the one with this digest; every frame but the root has a parent in the same instance; an
/// ended instance has no frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub(super) id: String,
    pub(super) workflow: String,
    pub(super) phase: Phase,
    pub(super) started: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<u64>,
    /// Before `input.from`.
    pub(super) input: Arc<Value>,
    pub(super) context: Arc<Value>,
    pub(super) frames: BTreeMap<FrameId, Frame>,
    pub(super) next_frame: FrameId,
    /// What a transition left for the next, because it was long enough.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) work: VecDeque<Work>,
    /// Facts that came while it was suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) held: Vec<Event>,
    /// How often an effect inside a `try` has been asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attempts: BTreeMap<String, u32>,
    pub(super) entries: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
}

/// A running task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(super) parent: Option<FrameId>,
    /// Its index in its list, or its branch.
    pub(super) slot: u32,
    pub(super) task: TaskId,
    /// The pointer with the rounds of every loop on the way: the same in every attempt, different in every round.
    pub(super) path: String,
    /// Before `input.from`.
    pub(super) raw: Arc<Value>,
    pub(super) input: Arc<Value>,
    /// Arguments for what runs inside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) vars: BTreeMap<String, Value>,
    pub(super) started: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<u64>,
    /// Since when its time limits stand still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) paused: Option<u64>,
    /// Where to go afterwards, where it is not the task's own `then`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decided: Option<Flow>,
    pub(super) state: State,
}

/// What a running task is doing. A step moves it as the comments say; everything else ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// New => any
    New,
    /// List => List
    List(Cursor),
    /// For => For, once a round
    For {
        items: Vec<Value>,
        at: u32,
        cursor: Cursor,
    },
    /// Fork => Fork, once a branch
    Fork { outputs: Vec<Value>, running: u32 },
    /// Trying => Trying | Backoff | Catching; Backoff => Trying
    Try {
        cursor: Cursor,
        phase: TryPhase,
        attempt: u32,
        first: Option<u64>,
        until: Option<u64>,
    },
    /// Wait
    Wait { until: u64 },
    /// Listen => Listen, once an event
    Listen {
        listening: Listening,
        queue: VecDeque<Value>,
        results: Vec<Value>,
        cursor: Option<Cursor>,
    },
    /// Effect => Effect, when it was sent, or is held back
    Effect {
        call: Box<Call>,
        class: EffectClass,
        attempt: u32,
        sent: bool,
        /// People hold it back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TryPhase {
    Trying,
    Backoff,
    Catching,
}

/// A place in a list of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(super) list: ListId,
    /// How often each task was entered, from the second time on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) visits: BTreeMap<u32, u32>,
}

/// One thing to do next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    Enter {
        parent: FrameId,
        slot: u32,
        task: TaskId,
        input: Arc<Value>,
    },
    Done {
        frame: FrameId,
        output: Value,
    },
    Fail {
        frame: FrameId,
        error: Fault,
    },
}

impl Instance {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The digest of its workflow.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// Its status.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// What `$context` is.
    pub fn context(&self) -> &Value {
        &self.context
    }

    /// When it started.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Where it is: the pointers of the tasks that are running, outermost first.
    pub fn position(&self, workflow: &crate::Workflow) -> Vec<String> {
        self.frames
            .values()
            .filter_map(|frame| workflow.task(frame.task))
            .filter(|task| !task.pointer.is_empty())
            .map(|task| task.pointer.clone())
            .collect()
    }

    /// The effects that have been asked for and not answered.
    pub fn pending(&self) -> Vec<EffectId> {
        self.frames
            .values()
            .filter_map(|frame| match &frame.state {
                State::Effect { attempt, .. } => Some(self.effect_id(frame, *attempt)),
                _ => None,
            })
            .collect()
    }

    /// True where it listens, so that events are worth showing to it.
    pub fn is_listening(&self) -> bool {
        self.frames
            .values()
            .any(|frame| matches!(frame.state, State::Listen { .. }))
    }

    /// When it wants to be woken, milliseconds since the epoch.
    pub fn next_wake(&self) -> Option<u64> {
        if self.outcome.is_some() || self.phase == Phase::Suspended {
            return None;
        }
        if !self.work.is_empty() {
            return Some(0);
        }
        let frames = self.frames.values();
        let timers = frames.flat_map(|frame| [frame.timer(), frame.running_deadline()]);
        timers.flatten().chain(self.running_deadline()).min()
    }

    pub(super) fn effect_id(&self, frame: &Frame, attempt: u32) -> EffectId {
        EffectId {
            key: format!("{}{}", self.id, frame.path),
            attempt,
        }
    }
}
