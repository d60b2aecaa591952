//! One step: a fact comes in, the instance moves until everything in it waits, and what came of it goes out.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::{Entry, EntryKind};
use super::instance::{Frame, FrameId, Instance, Outcome, Phase, State, Work};
use super::{Fault, FaultKind};
use crate::Workflow;
use crate::call::{Call, EffectClass};
use crate::task::Task;

/// Entries after which a transition ends, so that it fits one commit and a loop without a wait cannot hold the host.
const MAX_ENTRIES: usize = 128;

/// The name of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EffectId {
    /// The same in every attempt and after every crash: what the other side recognises it by.
    pub key: String,
    /// Counted from 1. An answer counts only for the attempt it was given to.
    pub attempt: u32,
}

/// An effect to be ruled on, performed and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectRequest {
    /// Its name.
    #[serde(flatten)]
    pub id: EffectId,
    /// JSON pointer to the task.
    pub task: String,
    /// How often it may happen.
    pub class: EffectClass,
    /// When the task gives up, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// What to do.
    #[serde(flatten)]
    pub call: Call,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An effect was handed to the outside. Needed before performing one that may happen at most once.
    EffectSent {
        /// Which.
        #[serde(flatten)]
        id: EffectId,
    },
    /// People hold an effect back that has not begun. Its time limits stand still.
    EffectHeld {
        /// Which.
        #[serde(flatten)]
        id: EffectId,
    },
    /// An effect that was held back may happen: it is asked for again.
    EffectReleased {
        /// Which.
        #[serde(flatten)]
        id: EffectId,
    },
    /// An effect has happened.
    EffectCompleted {
        /// Which.
        #[serde(flatten)]
        id: EffectId,
        /// Its result.
        output: Value,
    },
    /// An effect has failed or was refused.
    EffectFailed {
        /// Which.
        #[serde(flatten)]
        id: EffectId,
        /// Why.
        error: Fault,
    },
    /// It is later than [`Instance::next_wake`], or there is work left.
    TimerFired,
    /// A CloudEvent arrived.
    Received {
        /// The event.
        cloud_event: Value,
    },
    /// A person stops it for good.
    Cancel {
        /// Why.
        reason: String,
    },
    /// A person stops it for now.
    Suspend,
    /// A person lets it go on.
    Resume,
}

/// Why a fact changed nothing. None of these is an error: facts come twice and late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ignored {
    /// The instance has ended.
    Ended,
    /// No effect of this name is waited for: it was answered, it timed out, or it is another attempt's.
    UnknownEffect,
    /// Nothing listens for this event.
    NobodyListens,
    /// It was suspended, or running, already.
    NoChange,
    /// No timer was due.
    NothingDue,
}

/// What a step came to. All of it belongs into one transaction; the requests are performed after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The next state.
    pub instance: Instance,
    /// What to journal, in order.
    pub entries: Vec<Entry>,
    /// Effects to perform, in order.
    pub requests: Vec<EffectRequest>,
    /// Effects that nobody waits for any more.
    pub withdrawn: Vec<EffectId>,
    /// When to send [`Event::TimerFired`]; 0 where it should be sent at once, since there is more to do.
    pub wake: Option<u64>,
    /// Why nothing changed, where nothing did.
    pub ignored: Option<Ignored>,
}

/// Why a step could not be made at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The instance belongs to another version.
    #[error(
        "the instance runs on the workflow with digest {wanted}, not on {found}: load the version it started with"
    )]
    OtherWorkflow {
        /// The instance's digest.
        wanted: String,
        /// The digest of the workflow it was given.
        found: String,
    },
}

/// An instance in motion.
pub(super) struct Machine<'w> {
    pub(super) workflow: &'w Workflow,
    pub(super) instance: Instance,
    pub(super) now: u64,
    pub(super) seed: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) requests: Vec<EffectRequest>,
    pub(super) withdrawn: Vec<EffectId>,
}

impl Instance {
    /// Starts a workflow. The id is the host's, unique for all time.
    pub fn start(
        workflow: &Workflow,
        input: Value,
        id: impl Into<String>,
        now: u64,
        seed: u64,
    ) -> Transition {
        let input = Arc::new(input);
        let instance = Self {
            id: id.into(),
            workflow: workflow.digest().to_owned(),
            phase: Phase::Pending,
            started: now,
            deadline: None,
            input: Arc::clone(&input),
            context: Arc::new(Value::Null),
            frames: Default::default(),
            next_frame: 1,
            work: VecDeque::new(),
            held: Vec::new(),
            attempts: Default::default(),
            entries: 0,
            outcome: None,
        };
        let mut machine = Machine::new(workflow, instance, now, seed);
        machine.begin();
        machine.run();
        machine.transition(None)
    }

    /// Takes a fact in. Timers that are due fire first, so that an answer after the deadline is late.
    ///
    /// # Errors
    /// Where the workflow is not the one it was started with.
    pub fn step(
        self,
        workflow: &Workflow,
        event: Event,
        now: u64,
        seed: u64,
    ) -> Result<Transition, StepError> {
        if self.workflow != workflow.digest() {
            return Err(StepError::OtherWorkflow {
                wanted: self.workflow,
                found: workflow.digest().to_owned(),
            });
        }
        let mut machine = Machine::new(workflow, self, now, seed);
        let ignored = machine.apply(event);
        machine.run();
        Ok(machine.transition(ignored))
    }
}

impl<'w> Machine<'w> {
    fn new(workflow: &'w Workflow, instance: Instance, now: u64, seed: u64) -> Self {
        Self {
            workflow,
            instance,
            now,
            seed,
            entries: Vec::new(),
            requests: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    fn transition(mut self, ignored: Option<Ignored>) -> Transition {
        self.settle_phase();
        let changed = !self.entries.is_empty() || !self.requests.is_empty();
        Transition {
            wake: self.instance.next_wake(),
            instance: self.instance,
            entries: self.entries,
            requests: self.requests,
            withdrawn: self.withdrawn,
            ignored: ignored.filter(|_| !changed),
        }
    }

    /// Moves until everything waits, or until the transition is long enough.
    pub(super) fn run(&mut self) {
        while self.instance.outcome.is_none()
            && self.instance.phase != Phase::Suspended
            && self.entries.len() < MAX_ENTRIES
            && let Some(work) = self.instance.work.pop_front()
        {
            match work {
                Work::Enter {
                    parent,
                    slot,
                    task,
                    input,
                } => self.enter(parent, slot, task, input),
                Work::Done { frame, output } => self.finish(frame, output),
                Work::Fail { frame, error } => self.fail(frame, error),
            }
        }
    }

    fn settle_phase(&mut self) {
        if self.instance.outcome.is_some() || self.instance.phase == Phase::Suspended {
            return;
        }
        let waits = |frame: &Frame| match &frame.state {
            State::Wait { .. } | State::Listen { cursor: None, .. } => true,
            State::Try { phase, .. } => *phase == super::instance::TryPhase::Backoff,
            State::Effect { call, .. } => {
                matches!(
                    **call,
                    Call::HumanApprove(_) | Call::HumanTask(_) | Call::HumanVote { .. }
                )
            }
            _ => false,
        };
        let busy = |frame: &Frame| matches!(frame.state, State::Effect { .. }) && !waits(frame);
        let frames = &self.instance.frames;
        let waiting = self.instance.work.is_empty()
            && frames.values().any(waits)
            && !frames.values().any(busy);
        self.phase(if waiting {
            Phase::Waiting
        } else {
            Phase::Running
        });
    }

    /// Changes the status, and says so.
    pub(super) fn phase(&mut self, phase: Phase) {
        if self.instance.phase != phase {
            self.instance.phase = phase;
            let status = serde_json::to_value(phase).unwrap_or_default();
            self.entry(EntryKind::WorkflowStatusChanged, None, [("status", status)]);
        }
    }

    pub(super) fn entry<const N: usize>(
        &mut self,
        kind: EntryKind,
        frame: Option<FrameId>,
        data: [(&str, Value); N],
    ) {
        let task = frame
            .and_then(|frame| self.instance.frames.get(&frame))
            .and_then(|frame| self.workflow.task(frame.task))
            .map(|task| task.pointer.clone());
        if frame.is_some() && task.as_deref().is_none_or(str::is_empty) {
            // The root is the workflow itself, which has entries of its own.
            return;
        }
        self.entry_of(kind, task, data);
    }

    pub(super) fn entry_of<const N: usize>(
        &mut self,
        kind: EntryKind,
        task: Option<String>,
        data: [(&str, Value); N],
    ) {
        self.instance.entries += 1;
        self.entries.push(Entry {
            kind,
            number: self.instance.entries,
            at: self.now,
            task,
            data: data
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>(),
        });
    }

    /// The task of a frame. Numbers in a stored instance fit its workflow, since the digest does.
    pub(super) fn task_of(&self, frame: FrameId) -> Option<&'w Task> {
        let frame = self.instance.frames.get(&frame)?;
        self.workflow.task(frame.task)
    }

    pub(super) fn done(&mut self, frame: FrameId, output: Value) {
        self.instance.work.push_back(Work::Done { frame, output });
    }

    pub(super) fn failed(&mut self, frame: FrameId, error: Fault) {
        self.instance.work.push_back(Work::Fail { frame, error });
    }

    /// Ends the instance, and everything that still runs in it.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.cancel_below(None);
        self.instance.work.clear();
        self.instance.held.clear();
        self.instance.attempts.clear();
        self.instance.deadline = None;
        let (kind, phase, data) = match &outcome {
            Outcome::Completed { output } => (
                EntryKind::WorkflowCompleted,
                Phase::Completed,
                ("output", output.clone()),
            ),
            Outcome::Faulted { error } => (
                EntryKind::WorkflowFaulted,
                Phase::Faulted,
                ("error", error.to_value()),
            ),
            Outcome::Cancelled { reason } => (
                EntryKind::WorkflowCancelled,
                Phase::Cancelled,
                ("reason", reason.clone().into()),
            ),
        };
        self.instance.outcome = Some(outcome);
        self.entry_of(kind, None, [data]);
        self.phase(phase);
    }

    /// Cancels everything that runs inside a frame, or everything; innermost first.
    pub(super) fn cancel_below(&mut self, ancestor: Option<FrameId>) {
        let ids: Vec<FrameId> = self.instance.frames.keys().rev().copied().collect();
        for id in ids {
            if ancestor.is_none_or(|ancestor| self.is_inside(id, ancestor)) {
                self.entry(EntryKind::TaskCancelled, Some(id), []);
                self.drop_frame(id);
            }
        }
    }

    pub(super) fn is_inside(&self, frame: FrameId, ancestor: FrameId) -> bool {
        let mut at = self
            .instance
            .frames
            .get(&frame)
            .and_then(|frame| frame.parent);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.instance.frames.get(&id).and_then(|frame| frame.parent);
        }
        false
    }

    /// Takes a frame out; an effect it waited for is withdrawn.
    pub(super) fn drop_frame(&mut self, id: FrameId) -> Option<Frame> {
        let frame = self.instance.frames.remove(&id)?;
        if let State::Effect { attempt, .. } = &frame.state {
            self.withdrawn
                .push(self.instance.effect_id(&frame, *attempt));
            // What held it back is no reason to wait for the tasks around it.
            self.go_on(frame.parent);
        }
        Some(frame)
    }
}

/// A failed expression as an error of the specification.
pub(super) fn expression(why: String) -> Fault {
    Fault::new(FaultKind::Expression, why)
}

/// Data that does not fit, as an error of the specification.
pub(super) fn validation(why: String) -> Fault {
    Fault::new(FaultKind::Validation, why)
}

/// Deepest data that an instance takes in. What is stored is read back by a parser that stops at twice this depth, and
/// an instance that cannot be read back is lost.
const MAX_DEPTH: usize = 56;

/// Refuses data that is too deep to be kept.
pub(super) fn shallow(value: &Value) -> Result<(), Fault> {
    fn within(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(items) => left > 0 && items.iter().all(|item| within(item, left - 1)),
            Value::Object(fields) => {
                left > 0 && fields.values().all(|field| within(field, left - 1))
            }
            _ => true,
        }
    }
    if within(value, MAX_DEPTH) {
        Ok(())
    } else {
        Err(validation(format!(
            "the data is nested more than {MAX_DEPTH} deep"
        )))
    }
}
