//! Errors on their way outwards: caught, tried again, or the end of the workflow.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::arguments::View;
use super::entry::EntryKind;
use super::fault::same_type;
use super::instance::{Cursor, Frame, FrameId, Outcome, State, TryPhase, Work};
use super::machine::Machine;
use super::{Fault, FaultKind};
use crate::task::{Backoff, Catch, Kind, Retry};

/// Longest delay between two attempts.
const MAX_DELAY: u64 = 365 * 86_400_000;

/// What becomes of an error at a `try`.
enum Caught {
    No,
    Again { at: u64 },
    Handled,
}

impl Machine<'_> {
    /// Begins an attempt of a `try`.
    pub(super) fn attempt(
        &mut self,
        id: FrameId,
        attempt: u32,
        first: Option<u64>,
    ) -> Result<(), Fault> {
        let Some(Kind::Try { body, catch }) = self.task_of(id).map(|task| &task.kind) else {
            return Ok(());
        };
        let Some(input) = self
            .instance
            .frames
            .get(&id)
            .map(|frame| Arc::clone(&frame.input))
        else {
            return Ok(());
        };
        let limit = catch
            .retry
            .as_ref()
            .and_then(|retry| retry.attempt_duration.as_ref());
        let until = match limit {
            Some(limit) => Some(
                self.now
                    .saturating_add(self.duration(limit, View::of(id, &input))?),
            ),
            None => None,
        };
        self.state(
            id,
            State::Try {
                cursor: Cursor::at(*body),
                phase: TryPhase::Trying,
                attempt,
                first,
                until,
            },
        );
        if attempt > 1 {
            self.entry(
                EntryKind::TaskRetried,
                Some(id),
                [("attempt", attempt.into())],
            );
        }
        self.begin_list(id, *body, input);
        Ok(())
    }

    /// A task has failed. The error travels outwards until a `try` catches it.
    pub(super) fn fail(&mut self, id: FrameId, mut error: Fault) {
        let mut at = id;
        loop {
            let Some(task) = self.task_of(at) else { return };
            if error.instance.is_empty() {
                error.instance.clone_from(&task.pointer);
            }
            self.cancel_below(Some(at));
            self.entry(
                EntryKind::TaskFaulted,
                Some(at),
                [("error", error.to_value())],
            );
            let Some(frame) = self.drop_frame(at) else {
                return;
            };
            if matches!(frame.state, State::Try { .. }) {
                self.forget_attempts(&frame);
            }
            let Some(parent) = frame.parent else {
                return self.end(Outcome::Faulted { error });
            };
            if self.others_race(parent) {
                return;
            }
            match self.catch(parent, &error) {
                Ok(true) => return,
                Ok(false) => {}
                // An error in the handling replaces the error that was handled.
                Err(worse) => error = worse,
            }
            at = parent;
        }
    }

    /// In a race a branch that fails drops out, as long as another still runs.
    fn others_race(&mut self, fork: FrameId) -> bool {
        let Some(Kind::Fork { compete: true, .. }) = self.task_of(fork).map(|task| &task.kind)
        else {
            return false;
        };
        let Some(frame) = self.instance.frames.get_mut(&fork) else {
            return false;
        };
        let State::Fork { running, .. } = &mut frame.state else {
            return false;
        };
        *running = running.saturating_sub(1);
        *running > 0
    }

    /// True where the frame is a `try` that deals with the error.
    pub(super) fn catch(&mut self, id: FrameId, error: &Fault) -> Result<bool, Fault> {
        let Some(Kind::Try { catch, .. }) = self.task_of(id).map(|task| &task.kind) else {
            return Ok(false);
        };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return Ok(false);
        };
        let State::Try {
            phase: TryPhase::Trying,
            attempt,
            first,
            ..
        } = frame.state
        else {
            return Ok(false);
        };
        let first = first.unwrap_or(self.now);
        let input = Arc::clone(&frame.input);
        frame.vars.insert(catch.name.clone(), error.to_value());
        self.cancel_below(Some(id));
        match self.caught(id, catch, error, attempt, first, &input)? {
            Caught::No => Ok(false),
            Caught::Again { at } if at <= self.now => {
                self.attempt(id, attempt.saturating_add(1), Some(first))?;
                Ok(true)
            }
            Caught::Again { at } => {
                let body = self.cursor_list(id);
                self.state(
                    id,
                    State::Try {
                        cursor: Cursor::at(body),
                        phase: TryPhase::Backoff,
                        attempt,
                        first: Some(first),
                        until: Some(at),
                    },
                );
                self.waiting(id);
                Ok(true)
            }
            Caught::Handled => {
                let body = catch.body.unwrap_or(0);
                self.state(
                    id,
                    State::Try {
                        cursor: Cursor::at(body),
                        phase: TryPhase::Catching,
                        attempt,
                        first: Some(first),
                        until: None,
                    },
                );
                if catch.body.is_some() {
                    self.begin_list(id, body, input);
                } else {
                    self.list_done(id, input);
                }
                Ok(true)
            }
        }
    }

    fn cursor_list(&self, id: FrameId) -> u32 {
        match self.task_of(id).map(|task| &task.kind) {
            Some(Kind::Try { body, .. }) => *body,
            _ => 0,
        }
    }

    fn caught(
        &self,
        id: FrameId,
        catch: &Catch,
        error: &Fault,
        attempt: u32,
        first: u64,
        input: &Value,
    ) -> Result<Caught, Fault> {
        let view = View::of(id, input);
        let fields = error.to_value();
        let fits = catch
            .with
            .iter()
            .all(|(name, wanted)| match (name.as_str(), wanted.as_str()) {
                ("type", Some(wanted)) => same_type(&error.kind, wanted),
                _ => fields.get(name) == Some(wanted),
            });
        if !fits
            || !self.holds_if_any(catch.when.as_ref(), view)?
            || catch
                .except
                .as_ref()
                .map_or(Ok(false), |except| self.holds(except, view))?
        {
            return Ok(Caught::No);
        }
        let Some(retry) = &catch.retry else {
            return Ok(Caught::Handled);
        };
        let wanted = self.holds_if_any(retry.when.as_ref(), view)?
            && !retry
                .except
                .as_ref()
                .map_or(Ok(false), |except| self.holds(except, view))?;
        if wanted && retry.attempts.is_none_or(|most| attempt <= most) {
            let at = self
                .now
                .saturating_add(self.delay(id, retry, attempt, view)?);
            let in_time = match &retry.duration {
                Some(limit) => at <= first.saturating_add(self.duration(limit, view)?),
                None => true,
            };
            if in_time {
                return Ok(Caught::Again { at });
            }
        }
        // When no attempt is left, `do` is the way out; without one the error was not dealt with.
        Ok(if catch.body.is_some() || catch.then.is_some() {
            Caught::Handled
        } else {
            Caught::No
        })
    }

    /// The delay before the next attempt, with jitter from the seed.
    fn delay(
        &self,
        id: FrameId,
        retry: &Retry,
        attempt: u32,
        view: View<'_>,
    ) -> Result<u64, Fault> {
        let base = match &retry.delay {
            Some(delay) => self.duration(delay, view)?,
            None => 0,
        };
        let grown = match retry.backoff {
            Backoff::Constant => base as f64,
            Backoff::Linear => base as f64 * f64::from(attempt),
            Backoff::Exponential(factor) => base as f64 * factor.powf(f64::from(attempt - 1)),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded just before"
        )]
        let grown = grown.min(MAX_DELAY as f64) as u64;
        let Some((from, to)) = &retry.jitter else {
            return Ok(grown);
        };
        let from = self.duration(from, view)?;
        let to = self.duration(to, view)?.max(from);
        Ok(grown.saturating_add(from + self.random(id, attempt) % (to - from + 1)))
    }

    /// A number that the seed, the place and the attempt decide.
    fn random(&self, id: FrameId, attempt: u32) -> u64 {
        let path = self
            .instance
            .frames
            .get(&id)
            .map_or("", |frame| frame.path.as_str());
        let digest = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(attempt.to_le_bytes())
            .chain_update(path)
            .finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// An attempt has taken too long.
    pub(super) fn attempt_timed_out(&mut self, id: FrameId) {
        self.cancel_below(Some(id));
        self.instance.work.retain(|work| match work {
            Work::Enter { parent, .. } => *parent != id,
            _ => true,
        });
        let Some(task) = self.task_of(id) else { return };
        let mut error = Fault::new(FaultKind::Timeout, "the attempt took longer than its limit");
        error.instance.clone_from(&task.pointer);
        match self.catch(id, &error) {
            Ok(true) => {}
            Ok(false) => self.fail(id, error),
            Err(worse) => self.fail(id, worse),
        }
    }

    /// Counts of attempts are needed as long as an enclosing `try` can try again.
    pub(super) fn forget_attempts(&mut self, frame: &Frame) {
        if !frame.parent.is_some_and(|parent| self.is_in_try(parent)) {
            self.instance
                .attempts
                .retain(|path, _| !path.starts_with(&frame.path));
        }
    }

    pub(super) fn is_in_try(&self, id: FrameId) -> bool {
        let mut at = Some(id);
        while let Some(frame) = at.and_then(|id| self.instance.frames.get(&id)) {
            if matches!(frame.state, State::Try { .. }) {
                return true;
            }
            at = frame.parent;
        }
        false
    }
}
