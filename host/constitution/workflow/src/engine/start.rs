//! How each kind of task begins.

use std::sync::Arc;

use serde_json::Value;

use super::arguments::View;
use super::entry::EntryKind;
use super::instance::{Cursor, FrameId, State, Work};
use super::machine::{Machine, shallow};
use super::{Fault, FaultKind};
use crate::task::{Kind, Task};

impl Machine<'_> {
    /// Begins a task whose input is ready.
    pub(super) fn start(&mut self, id: FrameId) {
        let Some(task) = self.task_of(id) else { return };
        let Some(input) = self
            .instance
            .frames
            .get(&id)
            .map(|frame| Arc::clone(&frame.input))
        else {
            return;
        };
        if let Err(mut error) = self.started(id, task, &input) {
            if error.instance.is_empty() {
                error.instance.clone_from(&task.pointer);
            }
            self.fail(id, error);
        }
    }

    fn started(&mut self, id: FrameId, task: &Task, input: &Arc<Value>) -> Result<(), Fault> {
        let view = View::of(id, input);
        match &task.kind {
            Kind::Root(list) | Kind::Do(list) => {
                self.state(id, State::List(Cursor::at(*list)));
                self.begin_list(id, *list, Arc::clone(input));
            }
            Kind::Set(template) => {
                let output = self.fill(template, view)?;
                self.done(id, output);
            }
            Kind::Switch(cases) => {
                let mut matched = None;
                for case in cases.iter().filter(|case| case.when.is_some()) {
                    if self.holds_if_any(case.when.as_ref(), view)? {
                        matched = Some(case);
                        break;
                    }
                }
                let matched = matched.or_else(|| cases.iter().find(|case| case.when.is_none()));
                if let Some(frame) = self.instance.frames.get_mut(&id) {
                    frame.decided = matched.map(|case| case.then.clone());
                }
                self.done(id, (**input).clone());
            }
            Kind::For { items, body, .. } => {
                let items = self.fill(items, view)?;
                shallow(&items)?;
                let items = self.items(items)?;
                self.state(
                    id,
                    State::For {
                        items,
                        at: 0,
                        cursor: Cursor::at(*body),
                    },
                );
                self.round(id, Arc::clone(input));
            }
            Kind::Fork { branches, .. } => {
                let running = u32::try_from(branches.len()).unwrap_or(u32::MAX);
                if running == 0 {
                    self.done(id, Value::Array(Vec::new()));
                    return Ok(());
                }
                self.state(
                    id,
                    State::Fork {
                        outputs: vec![Value::Null; branches.len()],
                        running,
                    },
                );
                for (slot, branch) in (0..).zip(branches) {
                    self.instance.work.push_back(Work::Enter {
                        parent: id,
                        slot,
                        task: *branch,
                        input: Arc::clone(input),
                    });
                }
            }
            Kind::Try { .. } => self.attempt(id, 1, None)?,
            Kind::Raise(error) => {
                let mut error = Fault::raised(&self.fill(error, view)?);
                if error.instance.is_empty() {
                    error.instance.clone_from(&task.pointer);
                }
                return Err(error);
            }
            Kind::Wait(duration) => {
                let until = self.now.saturating_add(self.duration(duration, view)?);
                self.state(id, State::Wait { until });
                self.waiting(id);
            }
            Kind::Listen(_) => self.listen(id)?,
            Kind::Emit(_) | Kind::Call(_) | Kind::Run { .. } => self.request(id, task, input)?,
            Kind::Function {
                arguments, list, ..
            } => {
                let arguments = self.fill(arguments, view)?;
                shallow(&arguments)?;
                self.state(id, State::List(Cursor::at(*list)));
                let input = if arguments.is_null() {
                    Arc::clone(input)
                } else {
                    Arc::new(arguments)
                };
                self.begin_list(id, *list, input);
            }
            Kind::Refused(why) => return Err(Fault::new(FaultKind::Configuration, why.clone())),
        }
        Ok(())
    }

    pub(super) fn state(&mut self, id: FrameId, state: State) {
        if let Some(frame) = self.instance.frames.get_mut(&id) {
            frame.state = state;
        }
    }

    /// Says that a task waits for time, an event or a person.
    pub(super) fn waiting(&mut self, id: FrameId) {
        self.entry(
            EntryKind::TaskStatusChanged,
            Some(id),
            [("status", "waiting".into())],
        );
    }
}
