//! Goes up a cascade.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::FuturesUnordered;
use jsonschema::Validator;
use polity_dispatch::cascade::{
    Cascade, CascadePlan, CascadeResult, CascadeStep, Check, Correction, Rung, TaskId, Trust,
    Unchecked, Verdict,
};
use polity_router::{CascadeSpec, CheckSpec, Otherwise, UncheckedSpec};
use tokio::time::sleep;

use super::check::Checking;
use super::council::compare;
use super::party::{candidate, max_cost, smaller};
use super::session::{Met, Unmet};
use super::tally::{Tally, calls_tools, outcome};
use super::{Watch, part};
use crate::completion::about::{About, CascadeAccount, Together, TryAccount};
use crate::completion::{CompleteError, Completed, CompletionRequest, Message};
use crate::models::ModelEntry;
use crate::{Actor, Kernel};

/// What several samples of one model are asked with, where the caller says nothing: without chance they would all be
/// the same.
const SAMPLING: f64 = 0.7;

/// Who is asked in turn.
pub(super) struct Stairs<'s> {
    pub(super) spec: &'s CascadeSpec,
    /// Of each step.
    pub(super) seats: &'s [Arc<ModelEntry>],
    pub(super) left_out: Vec<String>,
}

/// What a task brought.
enum Done {
    Answered(usize, Result<Completed, CompleteError>),
    Checked(Verdict, u64),
}

impl Kernel {
    /// Asks one model after the other until an answer passes.
    pub(super) async fn climb(
        &self,
        actor: &Actor,
        request: &CompletionRequest,
        stairs: Stairs<'_>,
        deadline_ms: u64,
        watch: Watch,
    ) -> Result<Met, Unmet> {
        let schema = schema_of(request).map_err(|detail| Unmet {
            detail,
            cause: None,
            about: Box::default(),
        })?;
        let mut cascade = Cascade::new(plan(&stairs, request, deadline_ms));
        let mut tally = Tally::new(stairs.seats.len());
        let mut tasks = FuturesUnordered::new();
        let mut handles: HashMap<TaskId, AbortHandle> = HashMap::new();
        let mut current = 0;
        let result = loop {
            let (task, work): (TaskId, BoxFuture<'_, Done>) = match cascade.next(watch.now_ms()) {
                CascadeStep::Ask {
                    task,
                    rung,
                    correction,
                    timeout_at_ms,
                    ..
                } => {
                    let Some(seat) = stairs.seats.get(rung) else {
                        cascade.on_answer(task, None, 0);
                        continue;
                    };
                    current = rung;
                    let part = part(request, &seat.key, watch.until(timeout_at_ms));
                    let part = asked(part, is_sampled(&stairs, rung), correction);
                    let answer = self.ask_one(actor, part);
                    let work = async move { Done::Answered(rung, answer.await) };
                    (task, Box::pin(work))
                }
                CascadeStep::Verify {
                    task,
                    check,
                    answer,
                    timeout_at_ms,
                } => {
                    let Some(seat) = stairs.seats.get(current) else {
                        let lost = Verdict::Unavailable("the model is gone".to_owned());
                        cascade.on_verdict(task, lost, 0);
                        continue;
                    };
                    let given = tally.answer(current, &answer);
                    let calls_tools = given.is_some_and(calls_tools);
                    let (schema, time) = (schema.as_ref(), watch.until(timeout_at_ms));
                    let work = async move {
                        let checking = Checking {
                            request,
                            schema,
                            seat,
                            answer: &answer,
                            calls_tools,
                        };
                        let (verdict, cost) =
                            self.check_answer(actor, checking, &check, time).await;
                        Done::Checked(verdict, cost)
                    };
                    (task, Box::pin(work))
                }
                CascadeStep::Stop(task) => {
                    if let Some(handle) = handles.remove(&task) {
                        handle.abort();
                    }
                    continue;
                }
                CascadeStep::WaitUntil(at_ms) => {
                    let ended = tokio::select! {
                        ended = tasks.next(), if !tasks.is_empty() => ended,
                        () = sleep(watch.until(at_ms)) => None,
                    };
                    if let Some(Ok((task, done))) = ended {
                        handles.remove(&task);
                        match done {
                            Done::Answered(rung, called) => {
                                let (answer, cost) = tally.take(rung, called);
                                cascade.on_answer(task, answer.as_deref(), cost);
                            }
                            Done::Checked(verdict, cost) => {
                                tally.cost_micro = tally.cost_micro.saturating_add(cost);
                                cascade.on_verdict(task, verdict, cost);
                            }
                        }
                    }
                    continue;
                }
                CascadeStep::Done(result) => break result,
            };
            let (handle, registration) = AbortHandle::new_pair();
            handles.insert(task, handle);
            tasks.push(Abortable::new(
                async move { (task, work.await) },
                registration,
            ));
        };
        drop(tasks);
        conclude(request, &result, &stairs, tally)
    }
}

fn conclude(
    request: &CompletionRequest,
    result: &CascadeResult,
    stairs: &Stairs<'_>,
    tally: Tally,
) -> Result<Met, Unmet> {
    let best = result.best.and_then(|best| result.tries.get(best));
    let is_taken = best.is_some_and(|best| {
        best.trust != Trust::Rejected || stairs.spec.otherwise == Otherwise::Best
    });
    let about = About {
        together: Some(Together::Cascade(account(result, stairs, &tally))),
        ..About::default()
    };
    let given = best
        .filter(|_| is_taken)
        .and_then(|best| Some((best, tally.answer(best.rung, best.answer.as_deref()?)?)));
    match given {
        Some((best, given)) => {
            let name: String = request
                .model
                .chars()
                .filter(char::is_ascii_graphic)
                .collect();
            let trust = match best.trust {
                Trust::Verified => "its answer passed every check",
                Trust::Unchecked => "its answer was not checked",
                Trust::Rejected => "its answer passed no check, and none was better",
            };
            let key = stairs.seats.get(best.rung).map_or("", |seat| &*seat.key);
            Ok(Met {
                content: given.content.clone(),
                outcome: outcome(&given.outcome.finish, &tally.usage),
                cost_micro: tally.cost_micro,
                why: format!(
                    "{name}: {key}, answer {} of {}; {trust}",
                    result.best.unwrap_or(0) + 1,
                    result.tries.len()
                ),
                about,
            })
        }
        None => {
            let rejected = result.tries.iter().rev().find_map(|tried| {
                let check = tried.checks.iter().rev().find(|check| !check.is_passed)?;
                Some(match &check.verdict {
                    Verdict::Fail(why) | Verdict::Unavailable(why) => why.clone(),
                    Verdict::Score(score) => {
                        format!("it reached {}.{} of 100", score / 10, score % 10)
                    }
                    Verdict::Pass => String::new(),
                })
            });
            let detail = match (rejected, &tally.cause) {
                (Some(why), _) => format!("no model's answer passed the checks; the last: {why}"),
                (None, Some(error)) => format!("no model answered; the first that failed: {error}"),
                (None, None) => "no model could be asked within the limits".to_owned(),
            };
            Err(Unmet {
                detail,
                cause: tally.cause.filter(|_| best.is_none()),
                about: Box::new(about),
            })
        }
    }
}

fn plan(stairs: &Stairs<'_>, request: &CompletionRequest, deadline_ms: u64) -> CascadePlan {
    let spec = stairs.spec;
    let rungs = spec.steps.iter().zip(stairs.seats).map(|(step, seat)| {
        let has_schema = request.response_schema.is_some();
        let checks = step.checks.iter();
        Rung {
            candidate: candidate(seat, request),
            // Without a schema there is nothing to satisfy.
            checks: checks
                .filter(|check| has_schema || **check != CheckSpec::Schema)
                .map(check)
                .collect(),
            corrections: step.corrections,
        }
    });
    CascadePlan {
        rungs: rungs.collect(),
        deadline_ms,
        max_cost_micro: smaller(spec.max_cost, max_cost(request)),
        compare: compare(spec.compare),
        unchecked: match spec.unchecked {
            UncheckedSpec::Rejects => Unchecked::Rejects,
            UncheckedSpec::Accepts => Unchecked::Accepts,
        },
    }
}

fn check(spec: &CheckSpec) -> Check {
    // Shares are from 0 to 1, so thousandths of them fit.
    let permille = |share: f64| (share.clamp(0.0, 1.0) * 1000.0).round() as u16;
    match spec {
        CheckSpec::Schema => Check::Schema,
        CheckSpec::Rule { name } => Check::Rule {
            name: name.as_str().into(),
        },
        CheckSpec::Judge { model, at_least } => Check::Judge {
            model: model.as_str().into(),
            at_least_permille: permille(*at_least),
            estimate_micro: 0,
        },
        CheckSpec::Agree { samples, at_least } => Check::SelfConsistency {
            samples: *samples,
            at_least_permille: permille(*at_least),
        },
    }
}

fn is_sampled(stairs: &Stairs<'_>, rung: usize) -> bool {
    let step = stairs.spec.steps.get(rung);
    step.is_some_and(|step| {
        step.checks
            .iter()
            .any(|check| matches!(check, CheckSpec::Agree { .. }))
    })
}

/// What a model is asked: the request itself, one sample of several, or to correct what it said.
fn asked(
    mut part: CompletionRequest,
    is_sampled: bool,
    correction: Option<Correction>,
) -> CompletionRequest {
    if is_sampled && part.temperature.is_none_or(|warmth| warmth == 0.0) {
        part.temperature = Some(SAMPLING);
    }
    if let Some(Correction { answer, why }) = correction {
        part.messages.push(Message::text("assistant", &answer));
        let told = format!(
            "That answer cannot be used: {why}\n\nCorrect it, and give the whole corrected answer and nothing else."
        );
        part.messages.push(Message::text("user", &told));
    }
    part
}

/// The schema that the answer has to satisfy. It is the caller's, and nothing outside it is read.
fn schema_of(request: &CompletionRequest) -> Result<Option<Validator>, String> {
    let Some(raw) = &request.response_schema else {
        return Ok(None);
    };
    let schema = serde_json::from_str(raw.get())
        .map_err(|error| format!("the schema of the answer is not JSON: {error}"))?;
    jsonschema::validator_for(&schema)
        .map(Some)
        .map_err(|error| format!("the schema of the answer is none: {error}"))
}

fn account(result: &CascadeResult, stairs: &Stairs<'_>, tally: &Tally) -> CascadeAccount {
    let key = |rung: usize| {
        let seat = stairs.seats.get(rung);
        seat.map_or_else(|| Arc::from(""), |seat| seat.key.clone())
    };
    let mut told = vec![0; stairs.seats.len()];
    let tries = result.tries.iter().map(|tried| {
        let rung = tried.rung;
        // The tries of a step are told with the step's calls, all with its first.
        let is_first = told.get(rung) == Some(&0);
        if let Some(times) = told.get_mut(rung) {
            *times += 1;
        }
        TryAccount {
            model: key(rung),
            answer: tried.answer.as_deref().map(str::to_owned),
            is_correction: tried.is_correction,
            checks: tried.checks.clone(),
            trust: tried.trust,
            error: match tried.answer {
                Some(_) => None,
                None => tally.errors.get(rung).cloned().flatten(),
            },
            decisions: match is_first {
                true => tally.decisions.get(rung).cloned().unwrap_or_default(),
                false => Vec::new(),
            },
            cost_micro: tried.cost_micro,
        }
    });
    let tries: Vec<_> = tries.collect();
    let dear = result.left_out.iter().map(|rung| key(*rung).to_string());
    CascadeAccount {
        trust: result
            .best
            .and_then(|best| result.tries.get(best))
            .map(|best| best.trust),
        ended_by: result.ended_by,
        tries,
        left_out: stairs.left_out.iter().cloned().chain(dear).collect(),
        cost_micro: tally.cost_micro,
    }
}
