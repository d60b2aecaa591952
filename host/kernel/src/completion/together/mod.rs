//! Answers that several models have a part in: councils and cascades.
//!
//! Whoever asks one is judged once, for all of it; then every call of a model is a completion of its own, judged,
//! paid for and recorded like any other, and named in the account of the whole. What to ask next is decided by
//! [`polity_dispatch::council`] and [`polity_dispatch::cascade`]; here it is done.

mod cascade;
mod check;
mod council;
mod party;
mod question;
mod score;
mod session;
mod tally;

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use polity_constitution::OutcomeKind;
use polity_ledger::new_id;
use polity_router::Outcome;
use uuid::Uuid;

use super::run::ACTION;
use super::{
    Answer, AnswerStream, CompleteError, Completed, CompletionRecord, CompletionRequest,
    CompletionStatus, Failure, TraceParent,
};
use crate::escalation::ask_a_person;
use crate::models::{Arrangement, Choice, Routing};
use crate::record::Record;
use crate::rules::{Facts, Question, rule};
use crate::{Actor, Kernel};
use party::Party;
use session::Session;

/// The time for all of it, where the caller names none.
const DEADLINE: Duration = Duration::from_secs(600);

/// One clock for a machine that is told the time.
#[derive(Clone, Copy)]
struct Watch {
    began_ms: u64,
    began: Instant,
}

impl Watch {
    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began_ms.saturating_add(passed)
    }

    /// How long it is until then.
    fn until(&self, at_ms: u64) -> Duration {
        Duration::from_millis(at_ms.saturating_sub(self.now_ms()))
    }
}

impl Kernel {
    /// Has several models answer.
    pub(super) fn complete_together<'k>(
        &'k self,
        actor: &'k Actor,
        request: CompletionRequest,
        stream: bool,
        accepted: Option<Uuid>,
        arrangement: Arrangement,
    ) -> BoxFuture<'k, Result<Answer, CompleteError>> {
        Box::pin(async move {
            let completed = self
                .meet(actor, request, stream, accepted, arrangement)
                .await?;
            Ok(if stream {
                Answer::Stream(AnswerStream::given(completed))
            } else {
                Answer::Whole(completed)
            })
        })
    }

    async fn meet(
        &self,
        actor: &Actor,
        request: CompletionRequest,
        stream: bool,
        accepted: Option<Uuid>,
        arrangement: Arrangement,
    ) -> Result<Completed, CompleteError> {
        let started = Instant::now();
        let visit = self.enter()?;
        request.check().map_err(CompleteError::Invalid)?;
        let inner = &*self.inner;
        let at_ms = inner.clock.now_ms();
        let id = new_id(at_ms);
        let choice = Choice {
            request: &request,
            stream: false,
            at_ms,
            seed: id.as_u64_pair().1,
        };
        let decision = inner.models.decide(&inner.runtime, choice).await;
        let decision = decision.map_err(|error| self.nobody(&request, error))?;
        if decision.outcome == Outcome::Nobody {
            return Err(CompleteError::NoModel(Box::new(decision)));
        }
        let party = Party::of(&inner.models, &inner.runtime, &decision, arrangement);
        let Some(party) = party else {
            return Err(CompleteError::NoModel(Box::new(decision)));
        };
        if matches!(party, Party::Council { .. }) {
            // Said before anybody is asked: what members are shown is text.
            question::of(&request).map_err(CompleteError::Invalid)?;
        }
        let routing = Box::new(Routing::new(decision));
        let book = inner.books.current(&inner.runtime);
        let facts = Facts {
            law: &book.law,
            actor,
            spent: inner.spending.today(&actor.id, at_ms)?,
            model: Some((party.estimate(&request), &party.facts(&request.model))),
            request: None,
        };
        let asked = Question {
            kind: ACTION.clone(),
            actor: actor.id.clone(),
            at_ms,
            input: request.input(stream),
            context: facts.text(),
        };
        let mut ruling = rule(&book, id, asked).await;
        if routing.is_strange() {
            ask_a_person(&mut ruling.resolution, &routing, ruling.law.charter());
        }
        if let Some(accepted) = accepted {
            ruling.accept(accepted);
        }
        inner.workflows.halts.stop(&mut ruling);
        inner.counting.decision(&ACTION, ruling.resolution.kind());
        let records = ruling.law.charter().ledger().completions;
        let mut completion = CompletionRecord::of_many(
            &request.model,
            Some(routing),
            party.digest(),
            stream,
            CompletionStatus::Refused,
        );
        completion.trace = request.trace;
        if ruling.resolution.kind() >= OutcomeKind::Escalate {
            return Err(self.refuse(ruling, completion, records, started).await);
        }
        let (record, amended) = Record::new(ruling);
        let session = Session::new(self, visit, id, record, completion, records, started);
        let request = match amended.map(|input| request.amended(&input)) {
            None => request,
            Some(Ok(amended)) if amended.model == request.model => amended,
            Some(amended) => {
                let detail = match amended {
                    Ok(amended) => format!("it asks \"{}\" in its place", amended.model),
                    Err(detail) => detail,
                };
                let failure = Failure {
                    code: "amendment".to_owned(),
                    detail: detail.clone(),
                };
                session.failed(failure, None).await?;
                return Err(CompleteError::Amendment {
                    detail,
                    decision_id: id,
                });
            }
        };
        // Whoever is asked on its behalf is asked within its span.
        let own = match request.trace {
            Some(outer) => outer.within(id),
            None => TraceParent::of(id),
        };
        let request = CompletionRequest {
            trace: Some(own),
            ..request
        };
        let watch = Watch {
            began_ms: inner.clock.now_ms(),
            began: Instant::now(),
        };
        let left = request.deadline.unwrap_or(DEADLINE);
        let left = left.saturating_sub(started.elapsed());
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let deadline_ms = watch.began_ms.saturating_add(left_ms);
        let seed = id.as_u64_pair().1;
        let met = match party {
            Party::Council {
                spec,
                seats,
                left_out,
            } => {
                let seats = council::Seats {
                    spec: &spec,
                    seats: &seats,
                    left_out,
                };
                self.hold_council(actor, &request, seats, deadline_ms, seed, watch)
                    .await
            }
            Party::Cascade {
                spec,
                seats,
                left_out,
            } => {
                let stairs = cascade::Stairs {
                    spec: &spec,
                    seats: &seats,
                    left_out,
                };
                self.climb(actor, &request, stairs, deadline_ms, watch)
                    .await
            }
        };
        match met {
            Ok(met) => session.answered(met).await,
            Err(unmet) => {
                let failure = Failure {
                    code: "no-answer".to_owned(),
                    detail: unmet.detail.clone(),
                };
                session.failed(failure, Some(*unmet.about)).await?;
                Err(CompleteError::NoAnswer {
                    detail: unmet.detail,
                    cause: unmet.cause,
                    decision_id: id,
                })
            }
        }
    }

    /// One call of one model.
    fn ask_one<'k>(
        &'k self,
        actor: &'k Actor,
        request: CompletionRequest,
    ) -> BoxFuture<'k, Result<Completed, CompleteError>> {
        Box::pin(async move {
            match self.complete_by_one(actor, request, false, None).await? {
                Answer::Whole(completed) => Ok(completed),
                Answer::Stream(_) => Err(CompleteError::Invalid(
                    "a part of a whole came as a stream".to_owned(),
                )),
            }
        })
    }
}

/// What one model is asked on behalf of all: under the caller's own conditions, and never from the cache, for what is
/// to agree must have been thought twice.
fn part(request: &CompletionRequest, model: &str, time: Duration) -> CompletionRequest {
    let mut wants = request.wants.clone().unwrap_or_default();
    (wants.max_cost, wants.deadline_ms, wants.cache) = (None, None, Some(false));
    CompletionRequest {
        model: model.to_owned(),
        wants: Some(wants),
        deadline: Some(time),
        ..request.clone()
    }
}
