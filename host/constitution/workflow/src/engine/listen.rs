//! The `listen` task: events in, one by one, and what is done for each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::Fault;
use super::arguments::View;
use super::entry::EntryKind;
use super::instance::{Cursor, FrameId, State};
use super::listening::{Evaluate, Listening, Offered, read};
use super::machine::{Machine, shallow};
use crate::task::{Jq, Kind, Listen, Template, Until};

/// Expressions in a filter see the arguments of the task that listens.
struct OfTask<'m, 'w> {
    machine: &'m Machine<'w>,
    frame: FrameId,
}

impl Evaluate for OfTask<'_, '_> {
    fn fill(&self, template: &Template, input: &Value) -> Result<Value, String> {
        // An expectation speaks about the workflow's own data, not about the event.
        let own = self
            .machine
            .instance
            .frames
            .get(&self.frame)
            .map(|frame| Arc::clone(&frame.input));
        let input = own.as_deref().unwrap_or(input);
        self.machine
            .fill(template, View::of(self.frame, input))
            .map_err(|fault| fault.to_string())
    }

    fn eval(&self, jq: &Jq, input: &Value) -> Result<Value, String> {
        self.machine
            .eval(jq, View::of(self.frame, input))
            .map_err(|fault| fault.to_string())
    }
}

impl<'w> Machine<'w> {
    /// Begins to listen.
    pub(super) fn listen(&mut self, id: FrameId) -> Result<(), Fault> {
        self.state(
            id,
            State::Listen {
                listening: Listening::default(),
                queue: VecDeque::new(),
                results: Vec::new(),
                cursor: None,
            },
        );
        self.entry_of(EntryKind::WorkflowCorrelationStarted, None, []);
        self.waiting(id);
        Ok(())
    }

    fn spec(&self, id: FrameId) -> Option<&'w Listen> {
        match self.task_of(id).map(|task| &task.kind) {
            Some(Kind::Listen(listen)) => Some(listen),
            _ => None,
        }
    }

    /// Shows an event to everything that listens. True where it meant something to one of them.
    pub(super) fn receive(&mut self, event: &Value) -> bool {
        let ids: Vec<FrameId> = self
            .instance
            .frames
            .iter()
            .filter(|(_, frame)| matches!(frame.state, State::Listen { .. }))
            .map(|(id, _)| *id)
            .collect();
        if shallow(event).is_err() {
            return false;
        }
        let mut meant = false;
        for id in ids {
            let Some(spec) = self.spec(id) else { continue };
            let Some(State::Listen { listening, .. }) =
                self.instance.frames.get(&id).map(|frame| &frame.state)
            else {
                continue;
            };
            let mut next = listening.clone();
            let offered = next.offer(
                &spec.to,
                event,
                &OfTask {
                    machine: self,
                    frame: id,
                },
            );
            if let Some(State::Listen {
                listening, queue, ..
            }) = self
                .instance
                .frames
                .get_mut(&id)
                .map(|frame| &mut frame.state)
            {
                *listening = next;
                if offered == Offered::Consumed {
                    queue.push_back(read(event, spec.read));
                }
            }
            if offered != Offered::Ignored {
                meant = true;
                self.next_event(id);
            }
        }
        meant
    }

    /// Takes the next event from the queue, or ends the task where there will be none.
    fn next_event(&mut self, id: FrameId) {
        let Some(spec) = self.spec(id) else { return };
        loop {
            let Some(frame) = self.instance.frames.get_mut(&id) else {
                return;
            };
            let State::Listen {
                listening,
                queue,
                results,
                cursor,
            } = &mut frame.state
            else {
                return;
            };
            if cursor.is_some() {
                // One event after the other.
                return;
            }
            let Some(event) = queue.pop_front() else {
                if listening.closed {
                    let keys: Vec<(String, Value)> = listening
                        .keys
                        .iter()
                        .map(|(name, value)| (name.clone(), value.clone()))
                        .collect();
                    let results = std::mem::take(results);
                    self.state(id, State::New);
                    let keys = Value::Object(keys.into_iter().collect());
                    self.entry_of(
                        EntryKind::WorkflowCorrelationCompleted,
                        None,
                        [("correlationKeys", keys)],
                    );
                    self.done(id, Value::Array(results));
                }
                return;
            };
            let Some(each) = &spec.each else {
                results.push(event);
                if let Err(error) = self.until(id) {
                    return self.failed(id, error);
                }
                continue;
            };
            let at = results.len();
            frame.vars = BTreeMap::from([
                (each.item.clone(), event.clone()),
                (each.at.clone(), at.into()),
            ]);
            match each.body {
                Some(body) => {
                    *cursor = Some(Cursor::at(body));
                    self.begin_list(id, body, Arc::new(event));
                    return;
                }
                None => return self.event_done(id, Arc::new(event)),
            }
        }
    }

    /// What was to be done for an event is done.
    pub(super) fn event_done(&mut self, id: FrameId, output: Arc<Value>) {
        let Some(each) = self.spec(id).and_then(|spec| spec.each.as_ref()) else {
            return;
        };
        fn view(id: FrameId, value: &Value) -> View<'_> {
            View {
                frame: Some(id),
                input: value,
                output: Some(value),
            }
        }
        let result = self
            .transformed(
                &each.output,
                (*output).clone(),
                view(id, &output),
                "the output for an event",
            )
            .and_then(|result| {
                if each.export.transform.is_some() || each.export.schema.is_some() {
                    let context = (*self.instance.context).clone();
                    let context =
                        self.transformed(&each.export, context, view(id, &result), "the context")?;
                    shallow(&context)?;
                    self.instance.context = Arc::new(context);
                }
                shallow(&result)?;
                Ok(result)
            });
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.failed(id, error),
        };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return;
        };
        if let State::Listen {
            results, cursor, ..
        } = &mut frame.state
        {
            results.push(result);
            *cursor = None;
        }
        if let Err(error) = self.until(id) {
            return self.failed(id, error);
        }
        self.next_event(id);
    }

    /// `until` as a condition: `.` is the list of what was consumed so far.
    fn until(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(Until::Condition(condition)) =
            self.spec(id).and_then(|spec| spec.to.until.as_ref())
        else {
            return Ok(());
        };
        let Some(State::Listen { results, .. }) =
            self.instance.frames.get(&id).map(|frame| &frame.state)
        else {
            return Ok(());
        };
        let consumed = Value::Array(results.clone());
        if self.holds(condition, View::of(id, &consumed))?
            && let Some(State::Listen {
                listening, queue, ..
            }) = self
                .instance
                .frames
                .get_mut(&id)
                .map(|frame| &mut frame.state)
        {
            listening.closed = true;
            queue.clear();
        }
        Ok(())
    }
}
