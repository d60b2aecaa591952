//! A completion that has been let happen and paid for in advance, until it has ended.
//!
//! It ends once, in whatever way: when the adapter returns, when the deadline has passed, or when whoever waited for the
//! answer has gone, in which case this is dropped. Each way settles the reservation and writes the record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_constitution::CompletionRecords;
use polity_dispatch::{AttemptId, Continuation};
use polity_ledger::{Commit, CommitError, Event};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Completion, Outcome};
use polity_runtime::{Delta, Received};
use uuid::Uuid;

use super::cache::Keep;
use super::flight::{Flight, Next};
use super::price::{self, Tokens, guess_tokens};
use super::race::Lap;
use super::telemetry;
use super::{About, Claim, CompleteError, Completed, CompletionRecord, CompletionStatus, Failure};
use crate::Kernel;
use crate::budget::Reservation;
use crate::drain::Visit;
use crate::models::ModelEntry;
use crate::record::Record;

/// What is known before the adapter is called.
pub(super) struct Dispatched {
    pub(super) kernel: Kernel,
    pub(super) visit: Visit,
    pub(super) id: Uuid,
    pub(super) record: Record,
    pub(super) completion: CompletionRecord,
    pub(super) model: Arc<ModelEntry>,
    pub(super) why: Option<Arc<str>>,
    pub(super) flight: Flight,
    /// Models that wrote on where another broke off.
    pub(super) continued_by: Vec<Arc<str>>,
    /// Where the answer is kept, if it is.
    pub(super) keep: Option<Keep>,
    pub(super) reservation: Reservation,
    pub(super) prompt_bytes: usize,
    pub(super) started: Instant,
    pub(super) deadline: Option<Duration>,
    pub(super) records: CompletionRecords,
}

/// A completion in progress: `Some` until it has ended.
pub(super) struct Running {
    open: Option<Box<Dispatched>>,
    delivered_bytes: u64,
}

/// How it ended.
enum Ending {
    Answered(Outcome),
    Failed(CallError),
    Late,
    Cancelled,
}

impl Running {
    pub(super) fn new(dispatched: Dispatched) -> Self {
        Self {
            open: Some(Box::new(dispatched)),
            delivered_bytes: 0,
        }
    }

    /// Why its model answers, where it was not simply named.
    pub(super) fn why(&self) -> Option<Arc<str>> {
        self.open.as_ref().and_then(|open| open.why.clone())
    }

    /// Takes a piece of a stream, counts it, and returns what of it goes out.
    pub(super) fn deliver(&mut self, piece: Delta) -> Option<Delta> {
        self.delivered_bytes += bytes(&piece);
        let Some(open) = &mut self.open else {
            return Some(piece);
        };
        let first = &mut open.completion.first_piece_us;
        first.get_or_insert_with(|| micros(open.started.elapsed()));
        let piece = open.flight.hear(piece)?;
        open.credit();
        if let Some(keep) = &mut open.keep {
            keep.take(&piece);
        }
        Some(piece)
    }

    /// Takes note of vectors, which are an answer without a word in it.
    pub(super) fn data(&mut self, bytes: u64) {
        if let Some(open) = &mut self.open {
            open.flight.data(bytes);
        }
    }

    /// What is still to go out when a call has landed.
    pub(super) fn take_tail(&mut self) -> Option<Delta> {
        let open = self.open.as_mut()?;
        let tail = Delta::Text(open.flight.take_tail()?);
        open.credit();
        if let Some(keep) = &mut open.keep {
            keep.take(&tail);
        }
        Some(tail)
    }

    /// What the model that is asked next has to write on.
    pub(super) fn take_continuation(&mut self) -> Option<Continuation> {
        let open = self.open.as_mut()?;
        open.flight.take_continuation()
    }

    /// Who is asked next. From then on it is this model's completion.
    pub(super) async fn next(&mut self) -> Next {
        self.cover();
        let Some(open) = &mut self.open else {
            return Next::Nobody(CallError::Cancelled);
        };
        let next = open.flight.next().await;
        if let Next::Call(model, _) = &next
            && !Arc::ptr_eq(model, &open.model)
        {
            open.why =
                Some(format!("{} failed, so {} was asked", open.model.key, model.key).into());
            open.model = model.clone();
            open.completion.seat(model);
        }
        next
    }

    /// What the call that has been begun last is to count on, so that an answer that breaks off can be settled.
    pub(super) fn listen(&mut self) -> Received {
        self.attempt()
            .map_or_else(Received::default, |attempt| self.listen_to(attempt))
    }

    /// The same for one of several calls.
    pub(super) fn listen_to(&mut self, attempt: AttemptId) -> Received {
        let open = self.open.as_mut();
        open.map_or_else(Received::default, |open| open.flight.listen(attempt))
    }

    /// Takes note of how a call ended, and says whether nobody else is to be asked.
    pub(super) fn landed(&mut self, returned: &Result<Completion, CallError>) -> bool {
        let Some(open) = &mut self.open else {
            return true;
        };
        let is_over = open.flight.ended(returned);
        if !is_over {
            // What came of it is on its bill, which the trail has; the next one begins anew.
            self.delivered_bytes = 0;
        }
        is_over
    }

    pub(super) fn id(&self) -> Uuid {
        self.open.as_ref().map_or(Uuid::nil(), |open| open.id)
    }

    /// The model whose completion it is now.
    pub(super) fn model(&self) -> Option<Arc<str>> {
        self.open.as_ref().map(|open| open.model.id().clone())
    }

    /// Whether a second model may be asked where the first is slow.
    pub(super) fn may_hedge(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.flight.may_hedge())
    }

    pub(super) fn attempt(&self) -> Option<AttemptId> {
        self.open.as_ref()?.flight.attempt()
    }

    pub(super) fn is_over(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.flight.is_over())
    }

    pub(super) fn all_unjudged(&self) -> Vec<(usize, Arc<ModelEntry>)> {
        let open = self.open.as_ref();
        open.map_or_else(Vec::new, |open| open.flight.all_unjudged())
    }

    /// What happens next while calls are under way.
    pub(super) fn lap(&mut self) -> Lap {
        match &mut self.open {
            Some(open) => open.flight.lap(),
            None => Lap::Over,
        }
    }

    /// Takes note of how one of several calls ended, and says whether nobody else is to be asked or waited for.
    pub(super) fn finished(
        &mut self,
        attempt: AttemptId,
        model: &Arc<ModelEntry>,
        returned: &Result<Completion, CallError>,
    ) -> bool {
        if let Some(open) = &mut self.open {
            open.flight.attend(attempt);
        }
        let is_over = self.landed(returned);
        if is_over {
            self.won(model);
        }
        // Whoever is still at work is so for nobody.
        while is_over && matches!(self.lap(), Lap::Stop(_)) {}
        is_over
    }

    /// The first piece that anybody could see of several calls: whoever sent it is heard from now on, and the others
    /// are not waited for any more. Returns what of it goes out.
    pub(super) fn spoke(
        &mut self,
        attempt: AttemptId,
        model: &Arc<ModelEntry>,
        pieces: impl IntoIterator<Item = Delta>,
    ) -> Vec<Delta> {
        if let Some(open) = &mut self.open {
            open.flight.attend(attempt);
        }
        self.won(model);
        let pieces = pieces.into_iter().filter_map(|piece| self.deliver(piece));
        let pieces = pieces.collect();
        while matches!(self.lap(), Lap::Stop(_)) {}
        pieces
    }

    /// From now on it is this model's completion.
    fn won(&mut self, model: &Arc<ModelEntry>) {
        if let Some(open) = &mut self.open
            && !Arc::ptr_eq(model, &open.model)
        {
            let (slow, fast) = (&open.model.key, &model.key);
            let why = match open.flight.is_hedged(model) {
                true => format!("{slow} was slow, so {fast} was asked as well and was faster"),
                false => format!("{slow} failed, so {fast} was asked"),
            };
            open.why = Some(why.into());
            open.model = model.clone();
            open.completion.seat(model);
        }
    }

    pub(super) fn unjudged(&self) -> Vec<(usize, Arc<ModelEntry>)> {
        let open = self.open.as_ref();
        open.map_or_else(Vec::new, |open| open.flight.unjudged())
    }

    pub(super) fn estimate(&self, seat: usize) -> u64 {
        let open = self.open.as_ref();
        open.map_or(0, |open| open.flight.estimate(seat))
    }

    /// Sets aside what a seat's answer may cost, where that is more than what is.
    pub(super) fn raise(&mut self, seat: usize) -> Result<(), String> {
        let micro = self.estimate(seat);
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        // What was asked before is paid for, and what is being asked may be charged for, too.
        let micro = micro.saturating_add(open.flight.taken_micro());
        if micro <= open.reservation.micro {
            return Ok(());
        }
        let inner = &*open.kernel.inner;
        let law = inner.books.law();
        match inner
            .spending
            .raise(&mut open.reservation, micro, law.charter())
        {
            Ok(Ok(())) => inner
                .spending
                .note(&open.reservation)
                .map_err(|error| error.to_string()),
            Ok(Err(over)) => Err(over.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sets aside what asking again may cost on top of what has been spent, and leaves out whom there is no money for.
    fn cover(&mut self) {
        let open = self.open.as_ref();
        let is_spent = open.is_some_and(|open| open.flight.taken_micro() > 0);
        if !is_spent {
            return;
        }
        for seat in open.map_or_else(Vec::new, |open| open.flight.admitted()) {
            if let Err(over) = self.raise(seat) {
                self.judge(seat, Err(over));
            }
        }
    }

    pub(super) fn judge(&mut self, seat: usize, verdict: Result<(), String>) {
        if let Some(open) = &mut self.open {
            open.flight.judge(seat, verdict);
        }
    }

    /// What the adapter's call returned, as the caller is to see it, and on record before he does.
    pub(super) async fn end(
        mut self,
        called: Result<Completion, CallError>,
    ) -> Result<Completed, CompleteError> {
        // Taken once, here; a drop after this finds nothing to do.
        let Some(mut open) = self.open.take() else {
            return Err(CompleteError::Record(ended()));
        };
        if open.flight.is_calling() {
            open.flight.ended(&called);
        }
        let (id, records, deadline) = (open.id, open.records, open.deadline);
        let (model, kernel) = (open.model.clone(), open.kernel.clone());
        let why = open.why.clone();
        let about = About {
            continued_by: std::mem::take(&mut open.continued_by),
            ..About::default()
        };
        let about = (!about.is_empty()).then(|| Box::new(about));
        open.completion.about.clone_from(&about);
        let keep = open.keep.take();
        let (mut outcome, content, ending) = match called {
            Ok(Completion { outcome, pieces }) => {
                self.delivered_bytes += pieces.iter().map(bytes).sum::<u64>();
                (Some(outcome.clone()), pieces, Ending::Answered(outcome))
            }
            Err(CallError::Timeout(_))
                if deadline.is_some_and(|deadline| open.started.elapsed() >= deadline) =>
            {
                (None, Vec::new(), Ending::Late)
            }
            Err(error) => (None, Vec::new(), Ending::Failed(error)),
        };
        let error = match &ending {
            Ending::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let settled = open.settle(ending, self.delivered_bytes)?;
        if records == CompletionRecords::Durable {
            kernel.inner.ledger.flush().await?;
        }
        if let Some(outcome) = &mut outcome {
            outcome.usage.input_tokens = settled.tokens.input;
            outcome.usage.output_tokens = settled.tokens.output;
        }
        match (outcome, error) {
            (Some(outcome), _) => {
                let completed = Completed {
                    decision_id: id,
                    model: model.id().clone(),
                    plugin: model.plugin.clone(),
                    why,
                    content,
                    outcome,
                    cost_micro: settled.cost_micro,
                    about,
                };
                if let Some(keep) = keep {
                    keep.put(&kernel, &completed);
                }
                Ok(completed)
            }
            (None, Some(error)) => Err(CompleteError::Plugin {
                model: model.id().to_string(),
                error,
                decision_id: id,
            }),
            (None, None) => Err(CompleteError::Deadline {
                deadline_ms: deadline.map_or(0, |deadline| micros(deadline) / 1000),
                decision_id: Some(id),
            }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.flight.cancel();
        let id = open.id;
        if let Err(error) = open.settle(Ending::Cancelled, self.delivered_bytes) {
            tracing::error!(%error, %id, "a cancelled completion could not be recorded");
        }
    }
}

struct Settled {
    tokens: Tokens,
    cost_micro: u64,
}

impl Dispatched {
    /// Notes whose words go out now, where it is no longer the first one's.
    fn credit(&mut self) {
        if self.flight.is_continued() && self.continued_by.last() != Some(&self.model.key) {
            self.continued_by.push(self.model.key.clone());
        }
    }

    /// Settles and records. Does not wait for the disk.
    fn settle(
        mut self: Box<Self>,
        ending: Ending,
        delivered_bytes: u64,
    ) -> Result<Settled, CommitError> {
        let info = &self.model.info;
        // What was read piece by piece, or collected by a call that did not come to its end.
        let (collected_bytes, is_broken_off) = self.flight.broken_off();
        let delivered_bytes = delivered_bytes.max(collected_bytes);
        let guess = Tokens {
            input: guess_tokens(self.prompt_bytes as u64),
            output: guess_tokens(delivered_bytes),
            cached: 0,
        };
        let is_priced = info.input_price > 0 || info.output_price > 0;
        let breakers = self.flight.breaker_events();
        let trail = self.flight.trail();
        let longest = self.flight.longest_answer();
        let completion = &mut self.completion;
        let (tokens, is_estimate) = match ending {
            Ending::Answered(Outcome { finish, usage }) => {
                completion.status = CompletionStatus::Answered;
                completion.finish = Some(finish);
                let said = Tokens {
                    input: usage.input_tokens,
                    output: usage.output_tokens,
                    cached: usage.cached_tokens,
                };
                // A provider that names no tokens still sends a bill, and one that names impossible ones has slipped.
                let believed = match price::is_credible(said, guess, longest, info) {
                    false => {
                        let claim = Claim::of(said);
                        let model = &*completion.model;
                        tracing::warn!(id = %self.id, model, ?claim, "what the provider says it used cannot be; the text is counted instead");
                        completion.disbelieved = Some(claim);
                        guess
                    }
                    true if is_priced => said.filled_up(guess),
                    true => said,
                };
                (believed, believed != said)
            }
            Ending::Failed(error) => {
                completion.status = CompletionStatus::Failed;
                completion.error = Some(Failure {
                    code: error.code().to_owned(),
                    detail: error.to_string(),
                });
                // What failed before an answer had begun is not charged for by any provider we know.
                if delivered_bytes > 0 || is_broken_off {
                    (guess, true)
                } else {
                    (Tokens::default(), false)
                }
            }
            Ending::Late => {
                completion.status = CompletionStatus::Late;
                (guess, true)
            }
            Ending::Cancelled => {
                completion.status = CompletionStatus::Cancelled;
                (guess, true)
            }
        };
        completion.set_tokens(tokens, is_estimate);
        completion.reserved_micro = self.reservation.micro;
        // Every call that was made, whether or not anybody heard it.
        completion.cost_micro = trail.cost_micro;
        let tried = &trail.attempts;
        if tried.len() > 1 || completion.status != CompletionStatus::Answered {
            completion.attempts = tried.clone();
        }
        completion.took_us = micros(self.started.elapsed());

        let inner = &*self.kernel.inner;
        inner.ended(self.id, completion, tried);
        telemetry::tell(self.id, completion);
        let cost_micro = completion.cost_micro;
        self.record.details.completion = Some(self.completion);
        let mut commit = Commit::new().event(self.record.event(self.id));
        for event in breakers {
            let subject = format!("model/{}/{}", event.plugin, event.model);
            let data = serde_json::to_value(&event).unwrap_or_default();
            commit = commit.event(Event::new("breaker.changed", "/kernel", subject, data));
        }
        inner
            .spending
            .settle(self.reservation, cost_micro, commit)?;
        drop(self.visit);
        Ok(Settled { tokens, cost_micro })
    }
}

fn bytes(piece: &Delta) -> u64 {
    let bytes = match piece {
        Delta::Text(text) | Delta::Thinking(text) => text.len(),
        Delta::ToolCall(call) => call.name.len() + call.arguments.len(),
    };
    bytes as u64
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn ended() -> CommitError {
    CommitError::Stopped("the completion has ended already".to_owned())
}
