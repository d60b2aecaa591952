//! Time that does not count.
//!
//! While people hold an effect back, nobody can be late with it. So the time limits of its task, of every task around it
//! and of the whole workflow stand still, and go on with what was left of them when it may happen. The same holds for all
//! of them while the instance is suspended. What merely waits (`wait`, a pause between retries, another branch) is not
//! affected: time does pass.

use super::entry::EntryKind;
use super::instance::{Frame, FrameId, Instance, Phase, State, TryPhase};
use super::machine::{EffectId, EffectRequest, Ignored, Machine};

impl Instance {
    /// Whether people hold this effect back.
    pub fn is_held(&self, id: &EffectId) -> bool {
        self.frames.values().any(|frame| {
            matches!(frame.state, State::Effect { attempt, held: true, .. } if self.effect_id(frame, attempt) == *id)
        })
    }

    /// When the workflow has to have ended, unless its time stands still.
    pub(super) fn running_deadline(&self) -> Option<u64> {
        let stands = self
            .frames
            .get(&0)
            .is_some_and(|root| root.paused.is_some());
        self.deadline.filter(|_| !stands)
    }
}

impl Frame {
    /// When the task has to have ended, unless its time stands still.
    pub(super) fn running_deadline(&self) -> Option<u64> {
        self.deadline.filter(|_| self.paused.is_none())
    }

    /// When what the state waits for is over, or has to be.
    pub(super) fn timer(&self) -> Option<u64> {
        match &self.state {
            State::Wait { until } => Some(*until),
            State::Try {
                phase: TryPhase::Trying,
                until,
                ..
            } => until.filter(|_| self.paused.is_none()),
            State::Try { until, .. } => *until,
            _ => None,
        }
    }
}

impl Machine<'_> {
    /// An effect is held back before it begins.
    pub(super) fn hold(&mut self, id: &EffectId) -> Option<Ignored> {
        if self.instance.phase != Phase::Suspended {
            // What was late before is late.
            self.timers();
        }
        let Some(held_frame) = self.waiting_for(id) else {
            return Some(Ignored::UnknownEffect);
        };
        let frame = self.instance.frames.get_mut(&held_frame);
        match frame.map(|frame| &mut frame.state) {
            Some(State::Effect { held, sent, .. }) if !*held => {
                *held = true;
                // It was about to be sent, and was not.
                *sent = false;
            }
            _ => return Some(Ignored::NoChange),
        }
        self.entry(EntryKind::TaskSuspended, Some(held_frame), []);
        let now = self.now;
        for id in self.around(held_frame) {
            if let Some(frame) = self.instance.frames.get_mut(&id) {
                frame.paused.get_or_insert(now);
            }
        }
        None
    }

    /// It may begin now: it is asked for again, with the time that it has left.
    pub(super) fn release(&mut self, id: &EffectId) -> Option<Ignored> {
        let Some(held_frame) = self.waiting_for(id) else {
            return Some(Ignored::UnknownEffect);
        };
        let frame = self.instance.frames.get_mut(&held_frame);
        match frame.map(|frame| &mut frame.state) {
            Some(State::Effect { held, .. }) if *held => *held = false,
            _ => return Some(Ignored::NoChange),
        }
        self.entry(EntryKind::TaskResumed, Some(held_frame), []);
        self.go_on(Some(held_frame));
        if let Some(frame) = self.instance.frames.get(&held_frame)
            && let State::Effect {
                call,
                class,
                attempt,
                ..
            } = &frame.state
            && let Some(task) = self.workflow.task(frame.task)
        {
            self.requests.push(EffectRequest {
                id: self.instance.effect_id(frame, *attempt),
                task: task.pointer.clone(),
                class: *class,
                deadline: frame.deadline,
                call: (**call).clone(),
            });
        }
        None
    }

    /// All limits stand still.
    pub(super) fn stand_still(&mut self) {
        for frame in self.instance.frames.values_mut() {
            frame.paused.get_or_insert(self.now);
        }
    }

    /// All limits go on but those that a held effect keeps.
    pub(super) fn go_on_everywhere(&mut self) {
        let all: Vec<FrameId> = self.instance.frames.keys().copied().collect();
        for id in all {
            self.go_on_at(id);
        }
    }

    /// The limits of a task and of those around it go on, where nothing else keeps them.
    pub(super) fn go_on(&mut self, from: Option<FrameId>) {
        if self.instance.phase == Phase::Suspended {
            return;
        }
        for id in from.map(|id| self.around(id)).unwrap_or_default() {
            self.go_on_at(id);
        }
    }

    fn go_on_at(&mut self, id: FrameId) {
        let keeps = |(other, frame): (&FrameId, &Frame)| {
            matches!(frame.state, State::Effect { held: true, .. })
                && (*other == id || self.is_inside(*other, id))
        };
        if self.instance.frames.iter().any(keeps) {
            return;
        }
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return;
        };
        let Some(since) = frame.paused.take() else {
            return;
        };
        let lost = self.now.saturating_sub(since);
        let later = |limit: &mut Option<u64>| *limit = limit.map(|at| at.saturating_add(lost));
        later(&mut frame.deadline);
        if let State::Try {
            phase: TryPhase::Trying,
            until,
            ..
        } = &mut frame.state
        {
            later(until);
        }
        if id == 0 {
            later(&mut self.instance.deadline);
        }
    }

    /// A task and all that it is inside of.
    fn around(&self, id: FrameId) -> Vec<FrameId> {
        let parent = |id: &FrameId| self.instance.frames.get(id).and_then(|frame| frame.parent);
        std::iter::successors(Some(id), parent).collect()
    }
}
