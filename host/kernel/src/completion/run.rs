//! The way of a completion: model, rules, budget, adapter, record.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use polity_constitution::{ActionKind, CompletionRecords, OutcomeKind};
use polity_ledger::{Commit, new_id};
use polity_runtime::Reply;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::Request;
use polity_runtime::registry::{Entry, State};
use uuid::Uuid;

use super::flight::{Flight, Next, Plan};
use super::others::Others;
use super::race::first_to_end;
use super::running::{Dispatched, Running, micros};
use super::{
    Answer, AnswerStream, CompleteError, Completed, CompletionRecord, CompletionRequest,
    CompletionStatus, Failure, price,
};
use crate::budget::Asker;
use crate::escalation::ask_a_person;
use crate::models::{Arrangement, Choice, ChooseError, Chosen};
use crate::record::Record;
use crate::rules::{Facts, Question, Ruling, rule};
use crate::{Actor, Decision, Kernel};

/// The kind of action that a completion is.
pub(crate) const KIND: &str = "model.complete";

pub(super) static ACTION: LazyLock<ActionKind> =
    LazyLock::new(|| KIND.parse().expect("it is written as a kind"));

/// A request that the rules let happen.
pub(super) enum Prepared {
    /// It was answered before.
    Cached(Box<Completed>),
    /// It is paid for in advance, and a model is to be called.
    Ready(Box<Ready>),
}

/// All that the calls of a completion take.
pub(super) struct Ready {
    pub(super) id: Uuid,
    pub(super) running: Running,
    pub(super) wire: Request,
    /// The request as the rules judge it; empty where no other model may answer.
    pub(super) others_input: String,
    pub(super) at_ms: u64,
    pub(super) deadline: Option<Instant>,
}

/// A completion that the rules have spoken on and that has not come to its adapter.
struct Judged {
    id: Uuid,
    record: Record,
    completion: CompletionRecord,
    records: CompletionRecords,
    started: Instant,
}

impl Kernel {
    /// Asks a model, or several together where the name stands for a council or a cascade, if the rules and the budget
    /// let it happen. The rules have spoken, and the first piece has come, when this returns a stream.
    ///
    /// # Errors
    /// See [`CompleteError`].
    pub async fn complete(
        &self,
        actor: &Actor,
        request: CompletionRequest,
        stream: bool,
    ) -> Result<Answer, CompleteError> {
        self.complete_accepted(actor, request, stream, None).await
    }

    /// The same for a request that an earlier decision left to people, where they have accepted it since.
    pub(crate) async fn complete_accepted(
        &self,
        actor: &Actor,
        request: CompletionRequest,
        stream: bool,
        accepted: Option<Uuid>,
    ) -> Result<Answer, CompleteError> {
        match self.inner.models.arrangement(&request.model) {
            Ok(None) => self.complete_by_one(actor, request, stream, accepted).await,
            Ok(Some(mut arrangement)) => {
                if let Arrangement::Council(spec) = &mut arrangement {
                    spec.quorum = request.quorum.or(spec.quorum);
                }
                self.complete_together(actor, request, stream, accepted, arrangement)
                    .await
            }
            Err(error) => Err(self.nobody(&request, error)),
        }
    }

    /// Asks one model, and in its place others where it fails.
    pub(super) async fn complete_by_one(
        &self,
        actor: &Actor,
        request: CompletionRequest,
        stream: bool,
        accepted: Option<Uuid>,
    ) -> Result<Answer, CompleteError> {
        let ready = match self
            .prepare_completion(actor, request, stream, accepted)
            .await?
        {
            Prepared::Ready(ready) => *ready,
            Prepared::Cached(completed) if stream => {
                return Ok(Answer::Stream(AnswerStream::given(*completed)));
            }
            Prepared::Cached(completed) => return Ok(Answer::Whole(*completed)),
        };
        let Ready {
            id,
            mut running,
            mut wire,
            others_input,
            at_ms,
            deadline,
        } = ready;
        let others = Others {
            kernel: self,
            actor,
            input: &others_input,
            at_ms,
        };
        if stream {
            let stream = AnswerStream::open(id, running, &others, wire, deadline).await?;
            return Ok(Answer::Stream(stream));
        }
        let mut last = None;
        loop {
            others.judge(&mut running).await;
            let (model, patience) = match running.next().await {
                Next::Call(model, patience) => (model, patience),
                Next::Nobody(why) => {
                    let called = last.unwrap_or(Err(why));
                    return running.end(called).await.map(Answer::Whole);
                }
            };
            let (called, is_over) = if running.may_hedge() {
                let called = first_to_end(&mut running, &others, &wire, model, deadline).await;
                (called, running.is_over())
            } else {
                wire.model.clone_from(&model.info.id);
                let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                let reply = Reply::Collect(Vec::new());
                let call = model
                    .adapter
                    .complete_receiving(&wire, reply, left, running.listen());
                let called = within(patience, call).await;
                let is_over = running.landed(&called);
                (called, is_over)
            };
            if is_over {
                return running.end(called).await.map(Answer::Whole);
            }
            last = Some(called);
        }
    }

    /// Has a request judged, finds who answers it, and sets aside what that may cost.
    pub(super) async fn prepare_completion(
        &self,
        actor: &Actor,
        request: CompletionRequest,
        stream: bool,
        accepted: Option<Uuid>,
    ) -> Result<Prepared, CompleteError> {
        let started = Instant::now();
        let visit = self.enter()?;
        request.check().map_err(CompleteError::Invalid)?;
        let inner = &*self.inner;
        let at_ms = inner.clock.now_ms();
        let id = new_id(at_ms);
        let chosen = self.choose(id, at_ms, &request, stream).await?;
        let model = &chosen.model;
        let book = inner.books.current(&inner.runtime);
        let estimate = price::estimate(&model.info, request.bytes(), request.longest_answer());
        let spent = inner.spending.today(&actor.id, at_ms)?;
        let facts = Facts {
            law: &book.law,
            actor,
            spent,
            model: Some((estimate, &*model.facts)),
            request: None,
        };
        let question = Question {
            kind: ACTION.clone(),
            actor: actor.id.clone(),
            at_ms,
            input: request.input(stream),
            context: facts.text(),
        };
        let mut ruling = rule(&book, id, question).await;
        if let Some(routing) = chosen.routing.as_ref().filter(|_| chosen.is_strange()) {
            ask_a_person(&mut ruling.resolution, routing, ruling.law.charter());
        }
        if let Some(accepted) = accepted {
            ruling.accept(accepted);
        }
        inner.workflows.halts.stop(&mut ruling);
        inner.counting.decision(&ACTION, ruling.resolution.kind());

        let records = ruling.law.charter().ledger().completions;
        let outcome = ruling.resolution.kind();
        if outcome >= OutcomeKind::Escalate {
            let mut completion =
                CompletionRecord::new(request.model, &chosen, stream, CompletionStatus::Refused);
            completion.trace = request.trace;
            return Err(self.refuse(ruling, completion, records, started).await);
        }
        let asked = request.model.clone();
        let (record, amended) = Record::new(ruling);
        let mut completion =
            CompletionRecord::new(asked, &chosen, stream, CompletionStatus::Answered);
        (completion.embeddings, completion.trace) = (request.embeddings, request.trace);
        let mut judged = Judged {
            id,
            record,
            completion,
            records,
            started,
        };
        let (request, chosen) = match amended {
            None => (request, chosen),
            Some(input) => match self.amend(id, request, chosen, &input, stream).await {
                Ok((request, chosen)) => {
                    judged.completion = CompletionRecord::new(
                        request.model.clone(),
                        &chosen,
                        stream,
                        CompletionStatus::Answered,
                    );
                    judged.completion.embeddings = request.embeddings;
                    judged.completion.trace = request.trace;
                    (request, chosen)
                }
                Err(detail) => {
                    let error = Failure {
                        code: "amendment".to_owned(),
                        detail: detail.clone(),
                    };
                    self.stop(judged, CompletionStatus::Failed, Some(error))
                        .await?;
                    return Err(CompleteError::Amendment {
                        detail,
                        decision_id: id,
                    });
                }
            },
        };

        let why: Option<Arc<str>> = chosen.why().map(Arc::from);
        let Chosen { model, others, .. } = chosen;
        let keep = self.keep_answer(actor, &request, &model, &book.law);
        if let Some(keep) = &keep
            && let Some(completed) = self.recall(keep, id, &model, why.clone())
        {
            judged.completion.finish = Some(completed.outcome.finish.clone());
            judged.completion.about = completed.about.clone();
            self.stop(judged, CompletionStatus::Answered, None).await?;
            return Ok(Prepared::Cached(Box::new(completed)));
        }
        let left = request
            .deadline
            .map(|deadline| deadline.saturating_sub(started.elapsed()));
        if let (Some(Duration::ZERO), Some(deadline)) = (left, request.deadline) {
            self.stop(judged, CompletionStatus::Late, None).await?;
            return Err(CompleteError::Deadline {
                deadline_ms: micros(deadline) / 1000,
                decision_id: Some(id),
            });
        }
        let prompt_bytes = request.bytes();
        let estimate = price::estimate(&model.info, prompt_bytes, request.longest_answer());
        let asker = Asker {
            actor: &actor.id,
            protocol: request.protocol.as_deref(),
        };
        let reserved = inner
            .spending
            .reserve(id, asker, at_ms, estimate, book.law.charter())?;
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(over) => {
                let error = Failure {
                    code: "over-budget".to_owned(),
                    detail: over.to_string(),
                };
                self.stop(judged, CompletionStatus::OverBudget, Some(error))
                    .await?;
                return Err(CompleteError::OverBudget {
                    over,
                    decision_id: id,
                });
            }
        };

        let noted = inner.spending.note(&reservation);
        let Judged {
            record, completion, ..
        } = judged;
        let others_input = match others.is_empty() {
            true => String::new(),
            false => request.input(stream),
        };
        let is_urgent = request
            .wants
            .as_ref()
            .is_some_and(|wants| wants.deadline_ms.is_some());
        let usual_ms = (is_urgent && !others.is_empty()).then(|| {
            let seats = std::iter::once(&model).chain(&others);
            seats
                .map(|seat| inner.counting.usual_ms(&seat.plugin, seat.id(), stream))
                .collect()
        });
        let flight = Flight::new(Plan {
            usual_ms,
            id,
            house: inner.houses.current(&inner.runtime),
            seats: std::iter::once(model.clone()).chain(others).collect(),
            stream,
            prompt_bytes,
            max_output_tokens: request.longest_answer(),
            max_cost_micro: request.wants.as_ref().and_then(|wants| wants.max_cost),
            is_prose: request.response_schema.is_none(),
            now_ms: inner.clock.now_ms(),
            left,
        });
        let running = Running::new(Dispatched {
            kernel: self.clone(),
            visit,
            id,
            record,
            completion,
            model: model.clone(),
            why,
            flight,
            continued_by: Vec::new(),
            keep,
            reservation,
            prompt_bytes,
            started,
            deadline: request.deadline,
            records,
        });
        noted?;
        let deadline = request.deadline.map(|deadline| started + deadline);
        let wire = request.into_wire(&model.info.id);
        Ok(Prepared::Ready(Box::new(Ready {
            id,
            running,
            wire,
            others_input,
            at_ms,
            deadline,
        })))
    }

    /// Who answers.
    async fn choose(
        &self,
        id: Uuid,
        at_ms: u64,
        request: &CompletionRequest,
        stream: bool,
    ) -> Result<Chosen, CompleteError> {
        let inner = &*self.inner;
        let choice = Choice {
            request,
            stream,
            at_ms,
            // The decision's own id, so that whoever has the record has all that chance was drawn from.
            seed: id.as_u64_pair().1,
        };
        let chosen = inner.models.choose(&inner.runtime, choice).await;
        chosen.map_err(|error| self.nobody(request, error))
    }

    pub(super) fn nobody(&self, request: &CompletionRequest, error: ChooseError) -> CompleteError {
        match error {
            ChooseError::Unknown { near } => {
                self.inner.counting.unknown_model();
                CompleteError::UnknownModel {
                    asked: request.model.clone(),
                    near,
                    out: self.plugins_without_models(),
                }
            }
            ChooseError::Wants(error) => CompleteError::Invalid(error.to_string()),
            ChooseError::Nobody(decision) => {
                self.inner.counting.nobody();
                CompleteError::NoModel(decision)
            }
            ChooseError::Council => CompleteError::Invalid(format!(
                "\"{}\" names several models, and a completion is answered by one: name a model, an alias or `auto`",
                request.model
            )),
        }
    }

    /// Plugins in quarantine that may be adapters: what does not serve does not say what models it has.
    fn plugins_without_models(&self) -> Vec<String> {
        let generation = self.inner.runtime.current();
        let is_out = |entry: &&Arc<Entry>| {
            let is_quarantined = matches!(entry.state, State::Quarantined { .. });
            is_quarantined && entry.serving.is_none() && entry.guards.is_empty()
        };
        let out = generation.entries().filter(is_out);
        out.map(|entry| entry.name.to_string()).collect()
    }

    /// Who would answer a request; nobody is asked, and nothing is recorded.
    ///
    /// # Errors
    /// Where the request is not as it should be, or names no model there is. That nobody may answer is no error.
    pub async fn route(
        &self,
        request: &CompletionRequest,
        stream: bool,
    ) -> Result<polity_router::Decision, CompleteError> {
        request.check().map_err(CompleteError::Invalid)?;
        let inner = &*self.inner;
        let at_ms = inner.clock.now_ms();
        let choice = Choice {
            request,
            stream,
            at_ms,
            seed: new_id(at_ms).as_u64_pair().1,
        };
        let decided = inner.models.decide(&inner.runtime, choice).await;
        decided.map_err(|error| self.nobody(request, error))
    }

    /// The request in the form that the rules gave it, and who answers that.
    async fn amend(
        &self,
        id: Uuid,
        request: CompletionRequest,
        chosen: Chosen,
        input: &serde_json::Value,
        stream: bool,
    ) -> Result<(CompletionRequest, Chosen), String> {
        let amended = request.amended(input)?;
        if amended.model == request.model && amended.wants == request.wants {
            return Ok((amended, chosen));
        }
        let at_ms = self.inner.clock.now_ms();
        match self.choose(id, at_ms, &amended, stream).await {
            Ok(chosen) if chosen.is_strange() => Err(chosen.why().unwrap_or_default().to_owned()),
            Ok(chosen) => Ok((amended, chosen)),
            Err(CompleteError::UnknownModel { asked, .. }) => {
                Err(format!("there is no model \"{asked}\""))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Records that the rules did not let a completion happen, and asks people where they said so.
    pub(super) async fn refuse(
        &self,
        ruling: Ruling,
        completion: CompletionRecord,
        records: CompletionRecords,
        started: Instant,
    ) -> CompleteError {
        let id = ruling.id;
        let escalated = ruling.resolution.kind() == OutcomeKind::Escalate;
        let questions = if escalated {
            // It was written by `CompletionRequest::input`, so it parses.
            let input = serde_json::from_str(&ruling.input).unwrap_or_default();
            self.questions(&ruling, &input)
        } else {
            Vec::new()
        };
        let (mut record, amended) = Record::new(ruling);
        record.details.completion = Some(CompletionRecord {
            took_us: micros(started.elapsed()),
            ..completion
        });
        if escalated {
            // What a person is asked about must not be lost, whatever is done with other completions.
            record = match self.record_with(id, record, questions).await {
                Ok((record, _)) => record,
                Err(error) => return error.into(),
            };
            if let Some(completion) = &record.details.completion {
                self.inner.ended(id, completion, &[]);
            }
        } else if let Err(error) = self.write(id, record.clone(), records).await {
            return error;
        }
        let mut decision = Decision::of(id, record);
        if amended.is_some() {
            (decision.amended_input, decision.omitted_amended_input) = (amended, None);
        }
        if let Err(error) = self.add_resolution(&mut decision) {
            return error.into();
        }
        if escalated {
            CompleteError::Escalated(Box::new(decision))
        } else {
            CompleteError::Denied(Box::new(decision))
        }
    }

    /// Records a completion that the rules let happen and that did not come to its adapter.
    async fn stop(
        &self,
        judged: Judged,
        status: CompletionStatus,
        error: Option<Failure>,
    ) -> Result<(), CompleteError> {
        let Judged {
            id,
            mut record,
            completion,
            records,
            started,
        } = judged;
        let took_us = micros(started.elapsed());
        record.details.completion = Some(CompletionRecord {
            status,
            error,
            took_us,
            ..completion
        });
        self.write(id, record, records).await
    }

    pub(super) async fn write(
        &self,
        id: Uuid,
        record: Record,
        records: CompletionRecords,
    ) -> Result<(), CompleteError> {
        let inner = &*self.inner;
        if let Some(completion) = &record.details.completion {
            inner.ended(id, completion, &[]);
        }
        let commit = Commit::new().event(record.event(id));
        match records {
            CompletionRecords::Durable => inner.ledger.commit(commit).await?,
            CompletionRecords::Relaxed => inner.ledger.commit_relaxed(commit)?,
        };
        Ok(())
    }
}

/// A call with an end to the patience with it.
pub(super) async fn within<T>(
    patience: Option<Duration>,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match patience {
        None => call.await,
        Some(patience) => match tokio::time::timeout(patience, call).await {
            Ok(called) => called,
            Err(_) => Err(CallError::Timeout(micros(patience) / 1000)),
        },
    }
}
