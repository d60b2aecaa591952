//! Facts and timers as they come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::arguments::View;
use super::entry::EntryKind;
use super::instance::{Cursor, Frame, FrameId, Outcome, Phase, State, TryPhase};
use super::machine::{EffectId, Event, Ignored, Machine, shallow};
use super::{Fault, FaultKind};
use crate::task::Kind;

/// Most facts that are held for a suspended instance.
const MAX_HELD: usize = 10_000;

/// A timer of a frame.
enum Timer {
    Deadline,
    Waited(Arc<Value>),
    Retry { attempt: u32, first: Option<u64> },
    AttemptLimit,
}

impl Machine<'_> {
    /// The first moves of a workflow: check and transform its input, and enter its root.
    pub(super) fn begin(&mut self) {
        self.entry_of(EntryKind::WorkflowStarted, None, []);
        self.phase(Phase::Running);
        if let Some(why) = &self.workflow.refused {
            let error = Fault::new(FaultKind::Configuration, why.clone());
            return self.end(Outcome::Faulted { error });
        }
        let admitted = shallow(&self.instance.input).and_then(|()| self.admit());
        if let Err(error) = admitted {
            if shallow(&self.instance.input).is_err() {
                self.instance.input = Arc::new(Value::Null);
            }
            self.end(Outcome::Faulted { error });
        }
    }

    fn admit(&mut self) -> Result<(), Fault> {
        let raw = Arc::clone(&self.instance.input);
        let view = View {
            frame: None,
            input: &raw,
            output: None,
        };
        Self::fits(
            self.workflow.input.schema.as_ref(),
            &raw,
            "the input of the workflow",
        )?;
        let input = match &self.workflow.input.from {
            Some(from) => Arc::new(self.fill(from, view)?),
            None => Arc::clone(&raw),
        };
        shallow(&input)?;
        if let Some(timeout) = &self.workflow.timeout {
            let view = View {
                input: &input,
                ..view
            };
            self.instance.deadline = Some(self.now.saturating_add(self.duration(timeout, view)?));
        }
        let list = match self.workflow.task(0).map(|task| &task.kind) {
            Some(Kind::Root(list)) => *list,
            _ => 0,
        };
        self.instance.frames.insert(
            0,
            Frame {
                parent: None,
                slot: 0,
                task: 0,
                path: String::new(),
                raw,
                input: Arc::clone(&input),
                vars: BTreeMap::new(),
                started: self.now,
                deadline: None,
                paused: None,
                decided: None,
                state: State::List(Cursor::at(list)),
            },
        );
        self.begin_list(0, list, input);
        Ok(())
    }

    /// Takes one fact in.
    pub(super) fn apply(&mut self, event: Event) -> Option<Ignored> {
        if self.instance.outcome.is_some() {
            return Some(Ignored::Ended);
        }
        match (event, self.instance.phase == Phase::Suspended) {
            (Event::Cancel { reason }, _) => {
                self.end(Outcome::Cancelled { reason });
                None
            }
            (Event::Resume, true) => {
                self.resume();
                None
            }
            (Event::Resume, false) | (Event::Suspend, true) => Some(Ignored::NoChange),
            (Event::Suspend, false) => {
                self.stand_still();
                self.tasks(EntryKind::TaskSuspended);
                self.entry_of(EntryKind::WorkflowSuspended, None, []);
                self.phase(Phase::Suspended);
                None
            }
            (Event::TimerFired, true) => Some(Ignored::NothingDue),
            (Event::EffectSent { id }, _) => self.sent(&id),
            (Event::EffectHeld { id }, _) => self.hold(&id),
            (Event::EffectReleased { id }, _) => self.release(&id),
            (event, true) => {
                if self.instance.held.len() < MAX_HELD && !self.instance.held.contains(&event) {
                    self.instance.held.push(event);
                    return None;
                }
                Some(Ignored::NoChange)
            }
            (event, false) => self.fact(event),
        }
    }

    fn fact(&mut self, event: Event) -> Option<Ignored> {
        let fired = self.timers();
        match event {
            Event::TimerFired => {
                let idle = !fired && self.instance.work.is_empty();
                idle.then_some(Ignored::NothingDue)
            }
            Event::EffectCompleted { id, output } => self.answered(&id, Ok(output)),
            Event::EffectFailed { id, error } => self.answered(&id, Err(error)),
            Event::Received { cloud_event } => {
                (!self.receive(&cloud_event)).then_some(Ignored::NobodyListens)
            }
            _ => None,
        }
    }

    fn resume(&mut self) {
        self.entry_of(EntryKind::WorkflowResumed, None, []);
        self.tasks(EntryKind::TaskResumed);
        self.phase(Phase::Running);
        self.go_on_everywhere();
        for event in std::mem::take(&mut self.instance.held) {
            if self.instance.outcome.is_none() {
                let _ = match event {
                    Event::EffectCompleted { id, output } => self.answered(&id, Ok(output)),
                    Event::EffectFailed { id, error } => self.answered(&id, Err(error)),
                    Event::Received { cloud_event } => {
                        (!self.receive(&cloud_event)).then_some(Ignored::NobodyListens)
                    }
                    _ => None,
                };
            }
        }
        self.timers();
    }

    /// An entry for each task that has no task inside it.
    fn tasks(&mut self, kind: EntryKind) {
        let parents: Vec<FrameId> = self
            .instance
            .frames
            .values()
            .filter_map(|frame| frame.parent)
            .collect();
        let leaves: Vec<FrameId> = self
            .instance
            .frames
            .keys()
            .filter(|id| !parents.contains(id))
            .copied()
            .collect();
        for leaf in leaves {
            self.entry(kind, Some(leaf), []);
        }
    }

    pub(super) fn waiting_for(&mut self, id: &EffectId) -> Option<FrameId> {
        let path = id.key.strip_prefix(self.instance.id.as_str())?;
        self.instance
            .frames
            .iter()
            .find(|(_, frame)| {
                frame.path == path
                    && matches!(frame.state, State::Effect { attempt, .. } if attempt == id.attempt)
            })
            .map(|(id, _)| *id)
    }

    fn sent(&mut self, id: &EffectId) -> Option<Ignored> {
        let frame = self
            .waiting_for(id)
            .and_then(|frame| self.instance.frames.get_mut(&frame));
        match frame.map(|frame| &mut frame.state) {
            Some(State::Effect { sent, .. }) => {
                *sent = true;
                None
            }
            _ => Some(Ignored::UnknownEffect),
        }
    }

    fn answered(&mut self, id: &EffectId, answer: Result<Value, Fault>) -> Option<Ignored> {
        let Some(frame) = self.waiting_for(id) else {
            return Some(Ignored::UnknownEffect);
        };
        let Some(task) = self.task_of(frame) else {
            return Some(Ignored::UnknownEffect);
        };
        // Nobody waits for it any more, so that a second answer finds nothing to answer.
        self.state(frame, State::New);
        self.go_on(Some(frame));
        match answer.and_then(|output| shallow(&output).map(|()| output)) {
            Ok(output) => {
                let awaited = !matches!(task.kind, Kind::Run { awaited: false, .. });
                let input = self
                    .instance
                    .frames
                    .get(&frame)
                    .map(|frame| (*frame.input).clone());
                self.done(
                    frame,
                    if awaited {
                        output
                    } else {
                        input.unwrap_or_default()
                    },
                );
            }
            Err(mut error) => {
                error.instance.clone_from(&task.pointer);
                self.failed(frame, error);
            }
        }
        None
    }

    /// Fires everything that is due, the earliest first.
    pub(super) fn timers(&mut self) -> bool {
        if self
            .instance
            .running_deadline()
            .is_some_and(|deadline| deadline <= self.now)
        {
            let error = Fault::new(
                FaultKind::Timeout,
                "the workflow took longer than its timeout",
            );
            self.end(Outcome::Faulted { error });
            return true;
        }
        let mut due: Vec<(u64, FrameId, Timer)> = Vec::new();
        for (id, frame) in &self.instance.frames {
            if let Some(deadline) = frame.running_deadline() {
                due.push((deadline, *id, Timer::Deadline));
            }
            match &frame.state {
                State::Wait { until } => {
                    due.push((*until, *id, Timer::Waited(Arc::clone(&frame.input))))
                }
                State::Try {
                    phase: TryPhase::Backoff,
                    attempt,
                    first,
                    until: Some(until),
                    ..
                } => {
                    due.push((
                        *until,
                        *id,
                        Timer::Retry {
                            attempt: *attempt,
                            first: *first,
                        },
                    ));
                }
                State::Try {
                    phase: TryPhase::Trying,
                    until: Some(until),
                    ..
                } if frame.paused.is_none() => {
                    due.push((*until, *id, Timer::AttemptLimit));
                }
                _ => {}
            }
        }
        due.retain(|(at, ..)| *at <= self.now);
        due.sort_by_key(|(at, id, _)| (*at, *id));
        let fired = !due.is_empty();
        for (_, id, timer) in due {
            // What ran inside a task that has just timed out is gone.
            if !self.instance.frames.contains_key(&id) || self.instance.outcome.is_some() {
                continue;
            }
            match timer {
                Timer::Deadline => {
                    let error =
                        Fault::new(FaultKind::Timeout, "the task took longer than its timeout");
                    self.fail(id, error);
                }
                Timer::Waited(input) => {
                    self.state(id, State::New);
                    self.done(id, (*input).clone());
                }
                Timer::Retry { attempt, first } => {
                    if let Err(error) = self.attempt(id, attempt.saturating_add(1), first) {
                        self.fail(id, error);
                    }
                }
                Timer::AttemptLimit => self.attempt_timed_out(id),
            }
        }
        fired
    }
}
