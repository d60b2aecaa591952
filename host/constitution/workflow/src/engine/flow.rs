//! From one task to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Fault;
use super::arguments::View;
use super::entry::EntryKind;
use super::instance::{Cursor, Frame, FrameId, Outcome, State, TryPhase, Work};
use super::machine::{Machine, expression, shallow};
use crate::task::{Flow, Kind, ListId, TaskId};

impl Machine<'_> {
    /// Enters a task, or skips it where its condition does not hold.
    pub(super) fn enter(&mut self, parent: FrameId, slot: u32, task: TaskId, input: Arc<Value>) {
        let Some(spec) = self.workflow.task(task) else {
            return;
        };
        let Some(path) = self.path_below(parent, slot, &spec.pointer) else {
            return;
        };
        let id = self.instance.next_frame;
        self.instance.next_frame += 1;
        self.instance.frames.insert(
            id,
            Frame {
                parent: Some(parent),
                slot,
                task,
                path,
                raw: Arc::clone(&input),
                input: Arc::clone(&input),
                vars: BTreeMap::new(),
                started: self.now,
                deadline: None,
                paused: None,
                decided: None,
                state: State::New,
            },
        );
        self.entry(EntryKind::TaskCreated, Some(id), []);
        match self.prepare(id, &input) {
            Ok(true) => self.start(id),
            Ok(false) => {
                self.instance.frames.remove(&id);
                self.advance(parent, slot, &Flow::Continue, input);
            }
            Err(error) => self.fail(id, error),
        }
    }

    /// Condition, input and deadline. False where the task is skipped.
    fn prepare(&mut self, id: FrameId, raw: &Arc<Value>) -> Result<bool, Fault> {
        let Some(task) = self.task_of(id) else {
            return Ok(false);
        };
        let view = View::of(id, raw);
        if !self.holds_if_any(task.condition.as_ref(), view)? {
            return Ok(false);
        }
        Self::fits(task.input.schema.as_ref(), raw, "the input")?;
        let input = match &task.input.from {
            Some(from) => Arc::new(self.fill(from, view)?),
            None => Arc::clone(raw),
        };
        shallow(&input)?;
        let deadline = match &task.timeout {
            Some(timeout) => Some(
                self.now
                    .saturating_add(self.duration(timeout, View::of(id, &input))?),
            ),
            None => None,
        };
        if let Some(frame) = self.instance.frames.get_mut(&id) {
            frame.input = input;
            frame.deadline = deadline;
        }
        self.entry(EntryKind::TaskStarted, Some(id), []);
        Ok(true)
    }

    /// The path of a child: its parent's, with the round of a loop, and a count where it is entered again.
    fn path_below(&mut self, parent: FrameId, slot: u32, pointer: &str) -> Option<String> {
        let frame = self.instance.frames.get_mut(&parent)?;
        let round = match &frame.state {
            State::For { at, .. } => format!("[{at}]"),
            State::Listen { results, .. } => format!("[{}]", results.len()),
            _ => String::new(),
        };
        let own = self
            .workflow
            .task(frame.task)
            .map_or("", |task| task.pointer.as_str());
        let below = pointer.strip_prefix(own).unwrap_or(pointer);
        let mut path = format!("{}{round}{below}", frame.path);
        let cursor = match &mut frame.state {
            State::List(cursor) | State::For { cursor, .. } | State::Try { cursor, .. } => {
                Some(cursor)
            }
            State::Listen { cursor, .. } => cursor.as_mut(),
            _ => None,
        };
        if let Some(cursor) = cursor {
            let visit = cursor
                .visits
                .entry(slot)
                .and_modify(|visit| *visit += 1)
                .or_insert(1);
            if *visit > 1 {
                path.push_str(&format!("@{visit}"));
            }
        }
        Some(path)
    }

    /// Begins a list inside a frame. An empty list passes its input on.
    pub(super) fn begin_list(&mut self, id: FrameId, list: ListId, input: Arc<Value>) {
        match self.workflow.list(list).first() {
            Some(first) => self.instance.work.push_back(Work::Enter {
                parent: id,
                slot: 0,
                task: *first,
                input,
            }),
            None => self.list_done(id, input),
        }
    }

    /// Ends a task with its raw output.
    pub(super) fn finish(&mut self, id: FrameId, raw: Value) {
        let Some(task) = self.task_of(id) else { return };
        if matches!(task.kind, Kind::Root(_)) {
            return self.complete(raw);
        }
        let output = match self.leave(id, raw) {
            Ok(output) => output,
            Err(error) => return self.fail(id, error),
        };
        self.entry(
            EntryKind::TaskCompleted,
            Some(id),
            [("output", output.clone())],
        );
        let Some(frame) = self.instance.frames.remove(&id) else {
            return;
        };
        if matches!(frame.state, State::Try { .. }) {
            self.forget_attempts(&frame);
        }
        let flow = Flow::or(&frame.decided, &task.then).clone();
        if let Some(parent) = frame.parent {
            self.advance(parent, frame.slot, &flow, Arc::new(output));
        }
    }

    /// `output` and `export`.
    fn leave(&mut self, id: FrameId, raw: Value) -> Result<Value, Fault> {
        let Some(task) = self.task_of(id) else {
            return Ok(raw);
        };
        let view = |input, output| View {
            frame: Some(id),
            input,
            output,
        };
        shallow(&raw)?;
        let output = self.transformed(
            &task.output,
            raw.clone(),
            view(&raw, Some(&raw)),
            "the output",
        )?;
        shallow(&output)?;
        if task.export.transform.is_some() || task.export.schema.is_some() {
            let context = (*self.instance.context).clone();
            let context = self.transformed(
                &task.export,
                context,
                view(&output, Some(&output)),
                "the context",
            )?;
            shallow(&context)?;
            self.instance.context = Arc::new(context);
        }
        Ok(output)
    }

    /// A child has ended: what comes next in its parent.
    pub(super) fn advance(&mut self, parent: FrameId, slot: u32, flow: &Flow, output: Arc<Value>) {
        if *flow == Flow::End {
            return self.complete((*output).clone());
        }
        let Some(frame) = self.instance.frames.get(&parent) else {
            return;
        };
        if let State::Fork { .. } = frame.state {
            return self.branch_done(parent, slot, output);
        }
        let Some(list) = self.current_list(parent) else {
            return;
        };
        let next = match flow {
            Flow::Continue => slot + 1,
            Flow::To(index) => *index,
            Flow::Exit | Flow::End => u32::MAX,
        };
        match self.workflow.list(list).get(next as usize) {
            Some(task) => self.instance.work.push_back(Work::Enter {
                parent,
                slot: next,
                task: *task,
                input: output,
            }),
            None => self.list_done(parent, output),
        }
    }

    fn current_list(&self, id: FrameId) -> Option<ListId> {
        match &self.instance.frames.get(&id)?.state {
            State::List(cursor) | State::For { cursor, .. } | State::Try { cursor, .. } => {
                Some(cursor.list)
            }
            State::Listen { cursor, .. } => cursor.as_ref().map(|cursor| cursor.list),
            _ => None,
        }
    }

    /// A list has come to its end.
    pub(super) fn list_done(&mut self, id: FrameId, output: Arc<Value>) {
        let Some(task) = self.task_of(id) else { return };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return;
        };
        match (&mut frame.state, &task.kind) {
            (State::For { at, .. }, _) => {
                *at += 1;
                self.round(id, output);
            }
            (State::Listen { .. }, _) => self.event_done(id, output),
            (
                State::Try {
                    phase: TryPhase::Catching,
                    ..
                },
                Kind::Try { catch, .. },
            ) => {
                frame.decided.clone_from(&catch.then);
                self.done(id, (*output).clone());
            }
            _ => self.done(id, (*output).clone()),
        }
    }

    /// The next round of a `for`, or its end.
    pub(super) fn round(&mut self, id: FrameId, input: Arc<Value>) {
        let Some(Kind::For {
            each,
            at: name,
            condition,
            body,
            ..
        }) = self.task_of(id).map(|task| &task.kind)
        else {
            return;
        };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return;
        };
        let State::For { items, at, cursor } = &mut frame.state else {
            return;
        };
        let Some(item) = items.get(*at as usize) else {
            return self.done(id, (*input).clone());
        };
        frame.vars = BTreeMap::from([
            (each.clone(), item.clone()),
            (name.clone(), Value::from(*at)),
        ]);
        cursor.visits.clear();
        match self.holds_if_any(condition.as_ref(), View::of(id, &input)) {
            Ok(true) => self.begin_list(id, *body, input),
            Ok(false) => self.done(id, (*input).clone()),
            Err(error) => self.fail(id, error),
        }
    }

    /// A branch of a fork has ended. In a race the first to complete wins, and the others are cancelled.
    fn branch_done(&mut self, id: FrameId, slot: u32, output: Arc<Value>) {
        let Some(Kind::Fork { compete, .. }) = self.task_of(id).map(|task| &task.kind) else {
            return;
        };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return;
        };
        let State::Fork { outputs, running } = &mut frame.state else {
            return;
        };
        *running = running.saturating_sub(1);
        if *compete {
            frame.state = State::New;
            self.cancel_below(Some(id));
            self.instance
                .work
                .retain(|work| !matches!(work, Work::Enter { parent, .. } if *parent == id));
            return self.done(id, (*output).clone());
        }
        if let Some(place) = outputs.get_mut(slot as usize) {
            *place = (*output).clone();
        }
        if *running == 0 {
            let outputs = std::mem::take(outputs);
            self.done(id, Value::Array(outputs));
        }
    }

    /// The workflow has come to its end.
    pub(super) fn complete(&mut self, last: Value) {
        let view = View {
            frame: None,
            input: &last,
            output: None,
        };
        match self.transformed(
            &self.workflow.output,
            last.clone(),
            view,
            "the output of the workflow",
        ) {
            Ok(output) => {
                // Where `end` stood deep inside, the tasks around it have completed with it.
                self.complete_around(&last);
                self.end(Outcome::Completed { output });
            }
            Err(error) => self.end(Outcome::Faulted { error }),
        }
    }

    /// Frames that only wait for their children are completed by `end`; what runs beside them is cancelled later.
    fn complete_around(&mut self, output: &Value) {
        let waits_for_child = |frame: &Frame| {
            matches!(
                frame.state,
                State::List(_) | State::For { .. } | State::Try { .. }
            )
        };
        let beside: Vec<FrameId> = self
            .instance
            .frames
            .values()
            .filter(|frame| !waits_for_child(frame))
            .filter_map(|frame| frame.parent)
            .collect();
        let ids: Vec<FrameId> = self.instance.frames.keys().rev().copied().collect();
        for id in ids {
            let around =
                self.instance.frames.get(&id).is_some_and(waits_for_child) && !beside.contains(&id);
            if around
                && !self
                    .instance
                    .frames
                    .values()
                    .any(|frame| frame.parent == Some(id))
            {
                self.entry(
                    EntryKind::TaskCompleted,
                    Some(id),
                    [("output", output.clone())],
                );
                self.instance.frames.remove(&id);
            }
        }
    }

    /// The items of a `for`.
    pub(super) fn items(&self, value: Value) -> Result<Vec<Value>, Fault> {
        match value {
            Value::Array(items) => Ok(items),
            Value::Null if self.workflow.dialect == crate::Dialect::Spec => Ok(Vec::new()),
            other => {
                let kind = if other.is_null() {
                    "null".to_owned()
                } else {
                    other.to_string().chars().take(80).collect()
                };
                Err(expression(format!(
                    "`for.in` gave {kind} where a list is needed"
                )))
            }
        }
    }
}

impl Cursor {
    pub(super) fn at(list: ListId) -> Self {
        Self {
            list,
            visits: BTreeMap::new(),
        }
    }
}
