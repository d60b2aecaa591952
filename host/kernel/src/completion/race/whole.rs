//! Whole answers: the first that is complete is heard.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use polity_dispatch::AttemptId;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Completion, Request};
use polity_runtime::{Received, Reply};
use tokio::time::sleep;

use super::Lap;
use crate::completion::others::Others;
use crate::completion::running::{Running, micros};
use crate::models::ModelEntry;

/// Calls a model, and another one if it is slow. Returns what the call that was heard, or failed last, returned; it has
/// landed.
pub(in crate::completion) async fn first_to_end(
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
    let call = |attempt: AttemptId, model: Arc<ModelEntry>, received: Received| {
        let mut asked = wire.clone();
        asked.model.clone_from(&model.info.id);
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        async move {
            let reply = Reply::Collect(Vec::new());
            let called = model
                .adapter
                .complete_receiving(&asked, reply, left, received)
                .await;
            (attempt, model, called)
        }
    };
    if let Some(attempt) = running.attempt() {
        let received = running.listen_to(attempt);
        calls.push(call(attempt, first, received));
    }
    loop {
        match running.lap() {
            Lap::Begin(attempt, model) => {
                let received = running.listen_to(attempt);
                calls.push(call(attempt, model, received));
            }
            Lap::Stop(attempt) => {
                stopped.push(attempt);
                if matches!(last, Err(CallError::Cancelled)) {
                    last = Err(CallError::Timeout(micros(began.elapsed()) / 1000));
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
