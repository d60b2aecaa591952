//! Effects outside: each in a task of its own, a bounded number at a time, begun when all that led to it is on the disk.

mod completion;
mod connector;
mod http;
mod records;

pub(super) use http::Way;

use std::sync::Arc;
use std::time::Duration;

use polity_workflow::{Call, EffectClass, EffectRequest, Event, Fault, FaultKind};
use serde_json::Value;
use uuid::Uuid;

use super::drive::{Desk, Fact};
use super::form::Kinds;
use super::stored;
use crate::{Actor, Kernel};

/// Effects that are performed at one time; more wait.
pub(super) const AT_A_TIME: usize = 64;

/// An effect about to be performed.
pub(super) struct Performance {
    pub(super) actor: Arc<Actor>,
    /// The workflow that it is part of.
    pub(super) workflow: String,
    pub(super) call: Call,
    /// What the other side recognises a repetition by.
    pub(super) key: String,
    pub(super) class: EffectClass,
    /// The decision that left it to people, who accepted it.
    pub(super) accepted: Option<Uuid>,
    /// Time until the task gives up.
    pub(super) left: Option<Duration>,
}

/// An effect on its way.
struct Flight {
    instance: Uuid,
    name: String,
    request: EffectRequest,
    call: Call,
    accepted: Option<Uuid>,
    actor: Arc<Actor>,
    workflow: String,
    /// What its author calls it.
    declared: Option<String>,
}

/// Why there is no answer.
pub(super) enum Unperformed {
    /// It failed, and the workflow is told.
    Failed(Fault),
    /// The rules leave it to people.
    Asked { items: Vec<Uuid>, decision: Uuid },
    /// The host is going; it is performed when it is back.
    Later,
}

impl From<Fault> for Unperformed {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl Kernel {
    /// Begins an effect, unless it is on its way already.
    pub(super) fn send(
        &self,
        desk: &Desk,
        request: EffectRequest,
        call: Call,
        accepted: Option<Uuid>,
    ) {
        let name = stored::name(&request.id);
        let (kernel, instance) = (self.clone(), desk.id);
        let declared = desk
            .workflow
            .source()
            .pointer(&request.task)
            .and_then(|task| task["metadata"]["action"].as_str())
            .map(str::to_owned);
        let actor = self.actor_of(&desk.stored.actor);
        let workflow = desk.stored.name.clone();
        let flights = &self.inner.workflows.flights;
        flights.begin(&name.clone(), || {
            tokio::spawn(async move {
                let flight = Flight {
                    instance,
                    name,
                    request,
                    call,
                    accepted,
                    actor,
                    workflow,
                    declared,
                };
                kernel.fly(flight).await;
            })
            .abort_handle()
        });
    }

    async fn fly(&self, flight: Flight) {
        let Flight {
            instance,
            name,
            request,
            call,
            accepted,
            actor,
            workflow,
            declared,
        } = flight;
        let workflows = &self.inner.workflows;
        let place = workflows.places.clone().acquire_owned().await;
        let visit = self.enter();
        // Whoever stopped it while it waited for its turn has stopped it.
        let is_halted = Kinds::of(&call, declared.as_deref())
            .is_ok_and(|kinds| kinds.iter().any(|kind| workflows.halts.covers(kind)))
            || workflows.halts.covers_call(&call);
        if is_halted {
            workflows.flights.hold(instance, &name);
        }
        if is_halted || place.is_err() || visit.is_err() {
            workflows.flights.end(&name);
            if is_halted {
                self.tell(instance, Fact::Held(request.id));
            }
            return;
        }
        let now_ms = self.inner.clock.now_ms();
        let performance = Performance {
            actor,
            workflow,
            key: request.id.key.clone(),
            class: request.class,
            accepted,
            left: request
                .deadline
                .map(|deadline| Duration::from_millis(deadline.saturating_sub(now_ms).max(1))),
            call,
        };
        let kind = performance.call.kind().to_owned();
        let answer = self.perform(performance).await;
        if matches!(answer, Ok(_) | Err(Unperformed::Failed(_))) {
            workflows.tally.effect(&kind, answer.is_ok());
        }
        workflows.flights.end(&name);
        let id = request.id;
        let event = match answer {
            Ok(output) => Event::EffectCompleted { id, output },
            Err(Unperformed::Failed(error)) => Event::EffectFailed { id, error },
            Err(Unperformed::Asked { items, decision }) => {
                let asked = Fact::Asked {
                    name,
                    items,
                    decision,
                };
                return self.tell(instance, asked);
            }
            Err(Unperformed::Later) => return,
        };
        self.tell(instance, Fact::Event(Box::new(event)));
    }

    async fn perform(&self, performance: Performance) -> Result<Value, Unperformed> {
        match &performance.call {
            Call::Model { .. } | Call::Council { .. } => self.ask_a_model(performance).await,
            Call::Http(request) => Ok(self.send_http(&performance, request).await?),
            Call::Connector {
                plugin,
                operation,
                input,
            } => Ok(self
                .call_connector(&performance, plugin, operation, input)
                .await?),
            Call::Catalog {
                name,
                version,
                catalog,
                input,
            } => {
                let (plugin, operation) = self.catalogued(name, version, catalog)?;
                Ok(self
                    .call_connector(&performance, &plugin, &operation, input)
                    .await?)
            }
            Call::RecordsQuery { .. } | Call::RecordsInsert { .. } | Call::RecordsUpdate { .. } => {
                Ok(self.touch_records(performance).await?)
            }
            call => {
                let why = format!(
                    "this host does not perform `{}`; put a connector plugin in its place",
                    call.kind()
                );
                Err(Fault::new(FaultKind::Configuration, why).into())
            }
        }
    }
}
