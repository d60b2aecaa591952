//! An answer on its way.
//!
//! The guest runs when the reader asks for the next piece, in the reader's task: a slow reader slows the guest down, and a
//! reader that goes takes the guest, its connection and its instance along. There is no task to cancel and nothing that
//! could run on without anyone waiting for it.
//!
//! Where a model breaks off in the middle and others may answer too, the next one writes on; where none can, the stream
//! ends with the failure, so that a part never looks like the whole.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::Stream;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Completion, Request};
use polity_runtime::{Delta, Reply};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::flight::Next;
use super::others::Others;
use super::race::{Ahead, Lead, first_to_speak};
use super::run::within;
use super::running::Running;
use super::{CompleteError, Completed, Message};
use crate::{Actor, Kernel};

/// Pieces that the guest may be ahead of the reader: what arrives in one packet goes out in one.
pub(super) const AHEAD: usize = 64;

/// One piece of a streamed answer.
#[derive(Debug)]
pub enum Piece {
    /// A piece of the answer.
    Delta(Delta),
    /// The answer has ended and is on record. Nothing comes after it.
    End(Completed),
    /// The answer breaks off here. Nothing comes after it.
    Failed(CompleteError),
}

/// A streamed answer. Dropping it stops the guest and the call upstream, and records what had been used.
pub struct AnswerStream {
    decision_id: Uuid,
    model: Arc<str>,
    why: Option<Arc<str>>,
    state: State,
    pieces: mpsc::Receiver<Delta>,
    /// Read ahead, to know that there is an answer.
    first: VecDeque<Piece>,
    /// What another model is asked with, where one could write on.
    rest: Option<Box<Rest>>,
}

/// What another model is asked with.
struct Rest {
    kernel: Kernel,
    actor: Actor,
    /// As the rules judge it.
    input: String,
    at_ms: u64,
    request: Request,
    deadline: Option<Instant>,
}

/// `Answering => Emptying => (Moving => Answering | Moving =>) Recording => Done`, or `Given => Done`.
enum State {
    /// The guest is at work.
    Answering(Guest, Running),
    /// The guest has returned; what it sent before is still to go out.
    Emptying(Result<Completion, CallError>, Running),
    /// It broke off, and another model is found to write on.
    Moving(Pin<Box<dyn Future<Output = Moved> + Send>>),
    /// There was an answer before there was a stream.
    Given(VecDeque<Delta>, Option<Box<Completed>>),
    /// The record is being written.
    Recording(Pin<Box<dyn Future<Output = Result<Completed, CompleteError>> + Send>>),
    /// Over.
    Done,
}

/// How it goes on where a model broke off.
enum Moved {
    /// Another one writes on.
    On(Guest, mpsc::Receiver<Delta>, Running, Box<Rest>),
    /// Nobody does.
    Over(CallError, Running),
}

pub(super) type Guest = Pin<Box<dyn Future<Output = Result<Completion, CallError>> + Send>>;

impl AnswerStream {
    /// Begins an answer, and waits for its first piece: whatever fails before it is done by another model or fails the
    /// whole completion, so that a caller learns of it by an error and not by a stream that breaks off.
    pub(super) async fn open(
        decision_id: Uuid,
        mut running: Running,
        others: &Others<'_>,
        mut request: Request,
        deadline: Option<Instant>,
    ) -> Result<Self, CompleteError> {
        let mut last = None;
        loop {
            others.judge(&mut running).await;
            let (model, patience) = match running.next().await {
                Next::Call(model, patience) => (model, patience),
                Next::Nobody(why) => {
                    let called = last.unwrap_or(Err(why));
                    return Self::ended(decision_id, running, called).await;
                }
            };
            if running.may_hedge() {
                let lead = first_to_speak(&mut running, others, &request, model, deadline).await;
                let ahead = match lead {
                    Lead::Ahead(ahead) => *ahead,
                    Lead::Nobody(called) => return Self::ended(decision_id, running, called).await,
                };
                return Ok(Self::begun(
                    decision_id,
                    running,
                    others,
                    request,
                    deadline,
                    ahead,
                ));
            }
            request.model.clone_from(&model.info.id);
            let (sender, mut pieces) = mpsc::channel(AHEAD);
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let (adapter, asked) = (model.adapter.clone(), request.clone());
            let received = running.listen();
            let mut guest: Guest = Box::pin(async move {
                adapter
                    .complete_receiving(&asked, Reply::Stream(sender), left, received)
                    .await
            });
            let sign = poll_fn(|context| first_sign(&mut guest, &mut pieces, context));
            let (delta, returned) = match within(patience, async { Ok(sign.await) }).await {
                Ok(Sign::Piece(delta)) => (delta, None),
                Ok(Sign::Whole(delta, returned)) => (delta, Some(returned)),
                Ok(Sign::Returned(returned)) => {
                    if running.landed(&returned) {
                        return Self::ended(decision_id, running, returned).await;
                    }
                    last = Some(returned);
                    continue;
                }
                Err(late) => {
                    let called = Err(late);
                    if running.landed(&called) {
                        return Self::ended(decision_id, running, called).await;
                    }
                    last = Some(called);
                    continue;
                }
            };
            let delta = running.deliver(delta);
            let ahead = Ahead {
                model,
                guest,
                returned,
                pieces,
                first: delta.into_iter().collect(),
            };
            return Ok(Self::begun(
                decision_id,
                running,
                others,
                request,
                deadline,
                ahead,
            ));
        }
    }

    /// An answer that has begun.
    fn begun(
        decision_id: Uuid,
        running: Running,
        others: &Others<'_>,
        request: Request,
        deadline: Option<Instant>,
        ahead: Ahead,
    ) -> Self {
        let rest = (!others.input.is_empty()).then(|| {
            Box::new(Rest {
                kernel: others.kernel.clone(),
                actor: others.actor.clone(),
                input: others.input.to_owned(),
                at_ms: others.at_ms,
                request,
                deadline,
            })
        });
        Self {
            decision_id,
            model: ahead.model.id().clone(),
            why: running.why(),
            state: match ahead.returned {
                None => State::Answering(ahead.guest, running),
                Some(returned) => State::Emptying(returned, running),
            },
            pieces: ahead.pieces,
            first: ahead.first.into_iter().map(Piece::Delta).collect(),
            rest,
        }
    }

    /// A stream of which nothing comes but its end.
    async fn ended(
        decision_id: Uuid,
        running: Running,
        called: Result<Completion, CallError>,
    ) -> Result<Self, CompleteError> {
        let (model, why) = (running.model().unwrap_or_default(), running.why());
        let end = running.end(called).await?;
        Ok(Self {
            decision_id,
            model,
            why,
            state: State::Done,
            pieces: mpsc::channel(1).1,
            first: VecDeque::from([Piece::End(end)]),
            rest: None,
        })
    }

    /// An answer that is there already and on record, as a stream.
    pub(super) fn given(mut completed: Completed) -> Self {
        let pieces = std::mem::take(&mut completed.content).into();
        Self {
            decision_id: completed.decision_id,
            model: completed.model.clone(),
            why: completed.why.clone(),
            state: State::Given(pieces, Some(Box::new(completed))),
            pieces: mpsc::channel(1).1,
            first: VecDeque::new(),
            rest: None,
        }
    }

    /// The decision that let it happen, for `explain`. Its record is complete when the stream has ended.
    pub fn decision_id(&self) -> Uuid {
        self.decision_id
    }

    /// The id of the model that answers, which is another than the one asked for where the rules amended that.
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// Why this model answers, where it was not simply named: one sentence of printable ASCII.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        loop {
            match &mut self.state {
                State::Answering(guest, running) => {
                    if let Poll::Ready(Some(delta)) = self.pieces.poll_recv(context) {
                        match running.deliver(delta) {
                            Some(delta) => return Poll::Ready(Some(Piece::Delta(delta))),
                            None => continue,
                        }
                    }
                    let Poll::Ready(returned) = guest.as_mut().poll(context) else {
                        // The guest may have sent something just now.
                        match self.pieces.poll_recv(context) {
                            Poll::Ready(Some(delta)) => match running.deliver(delta) {
                                Some(delta) => return Poll::Ready(Some(Piece::Delta(delta))),
                                None => continue,
                            },
                            _ => return Poll::Pending,
                        }
                    };
                    let State::Answering(_, running) =
                        std::mem::replace(&mut self.state, State::Done)
                    else {
                        return Poll::Ready(None);
                    };
                    self.state = State::Emptying(returned, running);
                }
                State::Emptying(_, running) => {
                    if let Ok(delta) = self.pieces.try_recv() {
                        match running.deliver(delta) {
                            Some(delta) => return Poll::Ready(Some(Piece::Delta(delta))),
                            None => continue,
                        }
                    }
                    let State::Emptying(returned, mut running) =
                        std::mem::replace(&mut self.state, State::Done)
                    else {
                        return Poll::Ready(None);
                    };
                    let rest = self.rest.take();
                    let is_over = rest.is_none() || running.landed(&returned);
                    let tail = running.take_tail();
                    self.state = match rest {
                        Some(rest) if !is_over => {
                            State::Moving(Box::pin(go_on(running, rest, returned)))
                        }
                        _ => State::Recording(Box::pin(running.end(returned))),
                    };
                    if let Some(tail) = tail {
                        return Poll::Ready(Some(Piece::Delta(tail)));
                    }
                }
                State::Moving(moving) => {
                    self.state = match ready!(moving.as_mut().poll(context)) {
                        Moved::On(guest, pieces, running, rest) => {
                            (self.pieces, self.rest) = (pieces, Some(rest));
                            State::Answering(guest, running)
                        }
                        Moved::Over(error, running) => {
                            State::Recording(Box::pin(running.end(Err(error))))
                        }
                    };
                }
                State::Recording(record) => {
                    let ended = ready!(record.as_mut().poll(context));
                    self.state = State::Done;
                    return Poll::Ready(Some(ended.map_or_else(Piece::Failed, Piece::End)));
                }
                State::Given(pieces, completed) => {
                    if let Some(delta) = pieces.pop_front() {
                        return Poll::Ready(Some(Piece::Delta(delta)));
                    }
                    return Poll::Ready(completed.take().map(|completed| Piece::End(*completed)));
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }
}

/// Finds a model to write on where one broke off, and begins its call.
async fn go_on(
    mut running: Running,
    rest: Box<Rest>,
    returned: Result<Completion, CallError>,
) -> Moved {
    let others = Others {
        kernel: &rest.kernel,
        actor: &rest.actor,
        input: &rest.input,
        at_ms: rest.at_ms,
    };
    others.judge(&mut running).await;
    let model = match running.next().await {
        Next::Call(model, _) => model,
        // A call that ended well and added nothing is no end either.
        Next::Nobody(why) => return Moved::Over(returned.err().unwrap_or(why), running),
    };
    let mut request = rest.request.clone();
    request.model.clone_from(&model.info.id);
    if let Some(continuation) = running.take_continuation() {
        let sent = Message::text("assistant", &continuation.sent);
        let asked = Message::text("user", &continuation.instruction);
        request
            .messages
            .extend([sent.into_wire(), asked.into_wire()]);
    }
    let (sender, pieces) = mpsc::channel(AHEAD);
    let left = rest
        .deadline
        .map(|at| at.saturating_duration_since(Instant::now()));
    let adapter = model.adapter.clone();
    let received = running.listen();
    let guest: Guest = Box::pin(async move {
        adapter
            .complete_receiving(&request, Reply::Stream(sender), left, received)
            .await
    });
    Moved::On(guest, pieces, running, rest)
}

/// What is first seen of a guest.
pub(super) enum Sign {
    Piece(Delta),
    /// The rest of it waits to be read.
    Whole(Delta, Result<Completion, CallError>),
    Returned(Result<Completion, CallError>),
}

pub(super) fn first_sign(
    guest: &mut Guest,
    pieces: &mut mpsc::Receiver<Delta>,
    context: &mut Context<'_>,
) -> Poll<Sign> {
    if let Poll::Ready(Some(delta)) = pieces.poll_recv(context) {
        return Poll::Ready(Sign::Piece(delta));
    }
    let returned = guest.as_mut().poll(context);
    // It may have sent something just now, and returned after that.
    if let Poll::Ready(Some(delta)) = pieces.poll_recv(context) {
        return match returned {
            Poll::Pending => Poll::Ready(Sign::Piece(delta)),
            Poll::Ready(returned) => Poll::Ready(Sign::Whole(delta, returned)),
        };
    }
    returned.map(Sign::Returned)
}

impl Stream for AnswerStream {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        match self.first.pop_front() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.poll_piece(context),
        }
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Answering(..) => "answering",
            State::Emptying(..) => "emptying",
            State::Moving(_) => "moving",
            State::Given(..) => "given",
            State::Recording(_) => "recording",
            State::Done => "done",
        };
        f.debug_struct("AnswerStream")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
