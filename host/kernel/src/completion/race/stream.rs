//! Streams: the first whose answer can be seen is heard, and the others are dropped with their connections.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use polity_dispatch::AttemptId;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Completion, Request};
use polity_runtime::{Delta, Received, Reply};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Lap;
use crate::completion::others::Others;
use crate::completion::running::{Running, micros};
use crate::completion::stream::{AHEAD, Guest, Sign, first_sign};
use crate::models::ModelEntry;

/// How a race of streams ends.
pub(in crate::completion) enum Lead {
    /// One has begun to answer.
    Ahead(Box<Ahead>),
    /// Nobody will: what the last one returned. It has landed.
    Nobody(Result<Completion, CallError>),
}

/// Whoever answers first.
pub(in crate::completion) struct Ahead {
    /// The model.
    pub(in crate::completion) model: Arc<ModelEntry>,
    /// Its call, and what it returned if it has ended.
    pub(in crate::completion) guest: Guest,
    pub(in crate::completion) returned: Option<Result<Completion, CallError>>,
    /// What it sends, and what of that has come and goes out.
    pub(in crate::completion) pieces: mpsc::Receiver<Delta>,
    pub(in crate::completion) first: Vec<Delta>,
}

/// One call.
struct Runner {
    attempt: AttemptId,
    model: Arc<ModelEntry>,
    guest: Guest,
    pieces: mpsc::Receiver<Delta>,
    /// White space: it shows nobody anything.
    held: Vec<Delta>,
}

/// Calls a model, and another one if nothing comes of it for longer than usual.
pub(in crate::completion) async fn first_to_speak(
    running: &mut Running,
    others: &Others<'_>,
    wire: &Request,
    first: Arc<ModelEntry>,
    deadline: Option<Instant>,
) -> Lead {
    let mut runners: Vec<Runner> = Vec::with_capacity(2);
    let mut last = Err(CallError::Cancelled);
    let began = Instant::now();
    if let Some(attempt) = running.attempt() {
        let received = running.listen_to(attempt);
        runners.push(Runner::begin(attempt, first, wire, deadline, received));
    }
    loop {
        match running.lap() {
            Lap::Begin(attempt, model) => {
                let received = running.listen_to(attempt);
                runners.push(Runner::begin(attempt, model, wire, deadline, received));
            }
            Lap::Stop(attempt) => {
                runners.retain(|runner| runner.attempt != attempt);
                if matches!(last, Err(CallError::Cancelled)) {
                    last = Err(CallError::Timeout(micros(began.elapsed()) / 1000));
                }
                others.judge_all(running).await;
            }
            Lap::Over => return Lead::Nobody(last),
            Lap::Wait(time) => {
                let seen = tokio::select! {
                    seen = poll_fn(|context| poll(&mut runners, context)) => Some(seen),
                    () = sleep(time) => None,
                };
                let Some((at, sign)) = seen else {
                    // Whoever could be asked as well has to be let.
                    others.judge_all(running).await;
                    continue;
                };
                let mut runner = runners.swap_remove(at);
                let (piece, returned) = match sign {
                    Sign::Piece(piece) if is_blank(&piece) => {
                        runner.held.push(piece);
                        runners.push(runner);
                        continue;
                    }
                    Sign::Piece(piece) => (piece, None),
                    Sign::Whole(piece, returned) => (piece, Some(returned)),
                    Sign::Returned(returned) => {
                        let is_over = running.finished(runner.attempt, &runner.model, &returned);
                        last = returned;
                        if is_over {
                            return Lead::Nobody(last);
                        }
                        others.judge_all(running).await;
                        continue;
                    }
                };
                let Runner {
                    attempt,
                    model,
                    guest,
                    pieces,
                    held,
                    ..
                } = runner;
                let pieces_so_far = held.into_iter().chain([piece]);
                let first = running.spoke(attempt, &model, pieces_so_far);
                return Lead::Ahead(Box::new(Ahead {
                    model,
                    guest,
                    returned,
                    pieces,
                    first,
                }));
            }
        }
    }
}

impl Runner {
    fn begin(
        attempt: AttemptId,
        model: Arc<ModelEntry>,
        wire: &Request,
        deadline: Option<Instant>,
        received: Received,
    ) -> Self {
        let mut asked = wire.clone();
        asked.model.clone_from(&model.info.id);
        let (sender, pieces) = mpsc::channel(AHEAD);
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let adapter = model.adapter.clone();
        let guest: Guest = Box::pin(async move {
            adapter
                .complete_receiving(&asked, Reply::Stream(sender), left, received)
                .await
        });
        Self {
            attempt,
            model,
            guest,
            pieces,
            held: Vec::new(),
        }
    }
}

/// The first sign of any of them. Pending for ever where there are none; the clock ends that.
fn poll(runners: &mut [Runner], context: &mut Context<'_>) -> Poll<(usize, Sign)> {
    for (at, runner) in runners.iter_mut().enumerate() {
        if let Poll::Ready(sign) = first_sign(&mut runner.guest, &mut runner.pieces, context) {
            return Poll::Ready((at, sign));
        }
    }
    Poll::Pending
}

fn is_blank(piece: &Delta) -> bool {
    matches!(piece, Delta::Text(text) if text.chars().all(char::is_whitespace))
}
