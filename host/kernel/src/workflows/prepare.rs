//! From an effect that is asked for to what is done about it: ruled on, and then answered at once, put to a person, begun
//! as another instance, or cleared to happen outside.

use std::sync::Arc;

use polity_constitution::OutcomeKind;
use polity_ledger::Event as LedgerEvent;
use polity_tables::DecideError;
use polity_workflow::{Call, EffectRequest, Event, Fault, FaultKind};
use serde_json::{Value, json};

use super::ask::Asked;
use super::batch::{After, Batch};
use super::drive::{Desk, DriveError, Fact};
use super::form::{self, Kinds};
use super::judge::Matter;
use super::key;
use super::start::Beginning;
use super::stored::{self, Cause, Pending};
use crate::near::near;
use crate::{Actor, Kernel};

impl Kernel {
    /// Rules on an effect and sees to it, all as part of the batch.
    pub(super) async fn prepare(
        &self,
        desk: &mut Desk,
        batch: &mut Batch,
        request: EffectRequest,
    ) -> Result<(), DriveError> {
        let kinds = match Kinds::of(&request.call, declared(desk, &request)) {
            Ok(kinds) => kinds,
            Err(why) => {
                desk.answer(request.id, Err(Fault::new(FaultKind::Configuration, why)));
                return Ok(());
            }
        };
        if self.is_stopped(desk, &request) {
            return self.hold(desk, batch, request);
        }
        let name = stored::name(&request.id);
        let actor = self.actor_of(&desk.stored.actor);
        let mut call = request.call.clone();
        let mut items = Vec::new();
        for kind in kinds.iter() {
            if kinds.guarded.as_ref() == Some(kind) && !self.is_guarded(kind) {
                continue;
            }
            let context = json!({
                "workflow": desk.stored.name,
                "instance": desk.id,
                "task": request.task,
                "attempt": request.id.attempt,
            });
            let input = form::input(&call);
            let matter = Matter {
                instance: desk.id,
                actor: &actor,
                kind,
                input: &input,
                context: &context,
                effect: &name,
            };
            let judged = self.judge_effect(batch, matter).await?;
            batch.note(
                "workflow.judged",
                desk.id,
                json!({
                    "task": request.task, "attempt": request.id.attempt, "action": kind, "outcome": judged.outcome,
                    "reason": judged.reason, "decision": judged.id,
                }),
            );
            if judged.outcome == OutcomeKind::Deny {
                let mut fault = Fault::new(FaultKind::Authorization, judged.reason);
                fault.more.insert("decision".to_owned(), json!(judged.id));
                desk.answer(request.id, Err(fault));
                return Ok(());
            }
            if let Some(form) = &judged.form {
                match form::amended(&call, form) {
                    Ok(amended) => call = amended,
                    Err(why) => {
                        let why = format!("the rules amended it into what cannot be done: {why}");
                        desk.answer(request.id, Err(Fault::new(FaultKind::Authorization, why)));
                        return Ok(());
                    }
                }
            }
            items.extend(judged.items);
        }
        let changed = (call != request.call).then(|| Box::new(call.clone()));
        if !items.is_empty() {
            let pending = Pending::Rules {
                items,
                decision: None,
                call: changed,
            };
            desk.stored.effects.insert(name, pending);
            desk.dirty = true;
            return Ok(());
        }
        self.begin_effect(desk, batch, request, (call, None), &actor)
            .await
    }

    /// Whether people have stopped what an effect would be.
    pub(super) fn is_stopped(&self, desk: &Desk, request: &EffectRequest) -> bool {
        let halts = &self.inner.workflows.halts;
        Kinds::of(&request.call, declared(desk, request))
            .is_ok_and(|kinds| kinds.iter().any(|kind| halts.covers(kind)))
            || halts.covers_call(&request.call)
    }

    /// Keeps an effect from beginning, and its time limits from running.
    fn hold(
        &self,
        desk: &mut Desk,
        batch: &mut Batch,
        request: EffectRequest,
    ) -> Result<(), DriveError> {
        let flights = &self.inner.workflows.flights;
        flights.hold(desk.id, &stored::name(&request.id));
        let event = Event::EffectHeld { id: request.id };
        desk.step(batch, event, self.inner.clock.now_ms())
    }

    /// What is done about an effect that may happen.
    async fn begin_effect(
        &self,
        desk: &mut Desk,
        batch: &mut Batch,
        request: EffectRequest,
        (call, accepted): (Call, Option<uuid::Uuid>),
        actor: &Arc<Actor>,
    ) -> Result<(), DriveError> {
        let name = stored::name(&request.id);
        match &call {
            Call::Decide { table, input } => {
                let answer = decide(desk, batch, &request, table, input);
                desk.answer(request.id, answer);
            }
            Call::Emit { event } => {
                let answer = self.emit(desk, batch, event);
                desk.answer(request.id, answer);
            }
            Call::RunWorkflow {
                name: child,
                version,
                input,
                awaited,
                ..
            } => {
                let begun =
                    self.begin_child(desk, batch, &request, (child, version), input, *awaited);
                match begun {
                    Ok(id) if *awaited => {
                        desk.stored.effects.insert(name, Pending::Child { id });
                        desk.dirty = true;
                    }
                    Ok(id) => desk.answer(request.id, Ok(json!({ "instance": id }))),
                    Err(fault) => desk.answer(request.id, Err(fault)),
                }
            }
            Call::HumanApprove(_) | Call::HumanTask(_) | Call::HumanVote { .. } => {
                match self.ask(desk, batch, &request, &call, actor).await? {
                    Asked::Items(items) => {
                        let asked = serde_json::to_value(&call).unwrap_or_default();
                        batch.note(
                            "workflow.asked",
                            desk.id,
                            json!({ "task": request.task, "role": asked["role"], "title": asked["title"], "items": items }),
                        );
                        desk.stored.effects.insert(name, Pending::Person { items });
                        desk.dirty = true;
                    }
                    Asked::Not(fault) => desk.answer(request.id, Err(fault)),
                }
            }
            _ => {
                let changed = (call != request.call).then(|| Box::new(call.clone()));
                let ready = Pending::Ready {
                    call: changed,
                    accepted,
                };
                self.clear(desk, request, ready);
            }
        }
        Ok(())
    }

    /// Notes that an effect may happen outside; it does when the batch is on the disk.
    fn clear(&self, desk: &mut Desk, request: EffectRequest, ready: Pending) {
        let name = stored::name(&request.id);
        desk.stored.effects.insert(name, ready);
        desk.dirty = true;
        desk.cleared.push(request);
    }

    /// Goes on with an effect that something has been done about.
    pub(super) fn see_to(&self, desk: &mut Desk, request: EffectRequest) -> Result<(), DriveError> {
        let name = stored::name(&request.id);
        let Some(pending) = desk.stored.effects.get(&name).cloned() else {
            return Ok(());
        };
        match pending {
            Pending::Ready { .. } => desk.cleared.push(request),
            Pending::Child { id } => {
                if let Some(answer) = self.child_answer(id)? {
                    desk.answer(request.id, answer);
                }
            }
            Pending::Person { items } => {
                let call = request.call.clone();
                if let Some(answer) = self.answered(&call, &items)? {
                    desk.answer(request.id, answer);
                }
            }
            Pending::Rules {
                items,
                decision,
                call,
            } => match self.let_happen(&items)? {
                None => {}
                Some(Err(fault)) => desk.answer(request.id, Err(fault)),
                Some(Ok(form)) => {
                    let judged = call.map_or_else(|| request.call.clone(), |call| *call);
                    let accepted = match &form {
                        Some(form) => form::amended(&judged, form),
                        None => Ok(judged),
                    };
                    match accepted {
                        Ok(call) => desk.accepted.push((request, call, decision)),
                        Err(why) => {
                            let why = format!("people accepted what cannot be done: {why}");
                            desk.answer(request.id, Err(Fault::new(FaultKind::Authorization, why)));
                        }
                    }
                }
            },
        }
        Ok(())
    }

    /// Begins what people accepted.
    pub(super) async fn begin_accepted(
        &self,
        desk: &mut Desk,
        batch: &mut Batch,
        (request, call, accepted): (EffectRequest, Call, Option<uuid::Uuid>),
    ) -> Result<(), DriveError> {
        // It may have been stopped since people accepted it.
        if self.is_stopped(desk, &request) {
            return self.hold(desk, batch, request);
        }
        if let Some(pending) = desk.stored.effects.remove(&stored::name(&request.id)) {
            for item in pending.items() {
                batch.delete(key::item(*item));
            }
        }
        let actor = self.actor_of(&desk.stored.actor);
        self.begin_effect(desk, batch, request, (call, accepted), &actor)
            .await
    }

    /// Whoever has the instance run, as the charter in force knows them.
    pub(super) fn actor_of(&self, id: &str) -> Arc<Actor> {
        let law = self.inner.books.law();
        law.actor(id).cloned().unwrap_or_else(|| {
            let stranger = polity_constitution::Actor {
                id: id.to_owned(),
                kind: polity_constitution::ActorKind::Service,
                name: id.to_owned(),
                roles: Vec::new(),
            };
            Arc::new(Actor::of(law.charter(), &stranger))
        })
    }

    /// Begins an instance within the batch of the one that runs it. It moves on by itself once the batch is on the disk.
    fn begin_child(
        &self,
        desk: &Desk,
        batch: &mut Batch,
        request: &EffectRequest,
        (name, version): (&str, &str),
        input: &Value,
        awaited: bool,
    ) -> Result<uuid::Uuid, Fault> {
        let known = desk.constitution.workflows().iter();
        let workflow = desk.constitution.workflow(name).cloned().ok_or_else(|| {
            let near = near(name, known.map(|workflow| workflow.name()));
            Fault::new(
                FaultKind::Configuration,
                format!("there is no workflow `{name}`; near: {}", near.join(", ")),
            )
        })?;
        if version != "latest" && version != workflow.version() {
            let found = workflow.version();
            return Err(Fault::new(
                FaultKind::Configuration,
                format!("the workflow `{name}` has version {found}, not {version}"),
            ));
        }
        let cause = Cause::Parent {
            instance: desk.id,
            effect: awaited.then(|| request.id.clone()),
        };
        let (child, transition) = self.desk(Beginning {
            id: polity_ledger::new_id(self.inner.clock.now_ms()),
            constitution: desk.constitution.clone(),
            workflow,
            input: input.clone(),
            actor: desk.stored.actor.clone(),
            cause,
        });
        let mut child = child;
        child.absorb(batch, transition);
        let bytes = serde_json::to_vec(&child.stored)
            .map_err(|error| Fault::new(FaultKind::Runtime, error.to_string()))?;
        let index = &self.inner.workflows.index;
        index.note(child.id, &child.stored.instance, &child.workflow);
        batch.expect_absent(key::open(child.id));
        // A child that ended at once is told so again, and then buried.
        batch.put(key::open(child.id), bytes);
        batch.after.push(After::Tell(child.id, Fact::Recover));
        Ok(child.id)
    }
}

/// What its author calls the action of a task.
fn declared<'d>(desk: &'d Desk, request: &EffectRequest) -> Option<&'d str> {
    let task = desk.workflow.source().pointer(&request.task)?;
    task["metadata"]["action"].as_str()
}

/// Asks a table of the constitution that the instance began with.
fn decide(
    desk: &Desk,
    batch: &mut Batch,
    request: &EffectRequest,
    table: &str,
    input: &Value,
) -> Result<Value, Fault> {
    let found = desk.constitution.table(table).ok_or_else(|| {
        let known = desk.constitution.tables().iter();
        let near = near(table, known.map(|table| table.table().name.as_str()));
        let meant = if near.is_empty() {
            String::new()
        } else {
            format!("; did you mean {}?", near.join(" or "))
        };
        Fault::new(
            FaultKind::Configuration,
            format!("there is no table `{table}`{meant}"),
        )
    })?;
    let decision = found
        .decide(input)
        .map_err(|error: DecideError| Fault::new(FaultKind::Validation, error.to_string()))?;
    let value = decision.value.to_json();
    let rows: Vec<usize> = decision.matched.iter().map(|row| row + 1).collect();
    batch.event(LedgerEvent::new(
        "workflow.decided",
        "/kernel",
        key::subject(desk.id),
        json!({ "task": request.task, "table": table, "value": value, "rows": rows }),
    ));
    Ok(value)
}
