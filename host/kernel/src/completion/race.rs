//! Two models at once, for a caller who names a deadline: when the first one takes longer than it nearly always does,
//! another one is asked as well, and whichever answers first is heard.
//!
//! Who is asked when is decided by [`polity_dispatch`]: once for a request at most, for a twentieth of requests at most,
//! and only if the rules let the other one answer and the budget has both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use polity_dispatch::AttemptId;
use polity_runtime::Reply;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Completion, Request};
use tokio::time::sleep;

use super::others::Others;
use super::running::Running;
use crate::models::ModelEntry;

/// What a race does next.
pub(super) enum Lap {
    /// This model is asked as well.
    Begin(AttemptId, Arc<ModelEntry>),
    /// Nothing, for so long or until a call ends.
    Wait(Duration),
    /// A call is no longer waited for.
    Stop(AttemptId),
    /// Nobody is being asked, or the answer is there.
    Over,
}

/// Calls a model, and another one if it is slow. Returns what the call that was heard, or failed last, returned; it has
/// landed.
pub(super) async fn race(
    running: &mut Running,
    others: &Others<'_>,
    wire: &Request,
    first: Arc<ModelEntry>,
    deadline: Option<Instant>,
) -> Result<Completion, CallError> {
    let mut calls = FuturesUnordered::new();
    let mut stopped: Vec<AttemptId> = Vec::new();
    let mut last = Err(CallError::Cancelled);
    let began = Instant::now();
    let call = |attempt: AttemptId, model: Arc<ModelEntry>| {
        let mut asked = wire.clone();
        asked.model.clone_from(&model.info.id);
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        async move {
            let reply = Reply::Collect(Vec::new());
            let called = model.adapter.complete(&asked, reply, left).await;
            (attempt, model, called)
        }
    };
    if let Some(attempt) = running.attempt() {
        calls.push(call(attempt, first));
    }
    loop {
        match running.lap() {
            Lap::Begin(attempt, model) => calls.push(call(attempt, model)),
            Lap::Stop(attempt) => {
                stopped.push(attempt);
                if matches!(last, Err(CallError::Cancelled)) {
                    last = Err(CallError::Timeout(
                        super::running::micros(began.elapsed()) / 1000,
                    ));
                }
                others.judge_all(running).await;
            }
            Lap::Over => return last,
            Lap::Wait(time) => {
                let ended = tokio::select! {
                    ended = calls.next(), if !calls.is_empty() => ended,
                    () = sleep(time) => None,
                };
                match ended {
                    // Whoever could be asked as well has to be let.
                    None => others.judge_all(running).await,
                    Some((attempt, ..)) if stopped.contains(&attempt) => {}
                    Some((attempt, model, called)) => {
                        let is_over = running.finished(attempt, &model, &called);
                        last = called;
                        if is_over {
                            return last;
                        }
                        others.judge_all(running).await;
                    }
                }
            }
        }
    }
}
