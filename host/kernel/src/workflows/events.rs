//! Events: noted once, then shown to everybody who waits for them.
//!
//! An event is on the disk before anybody is shown it, and is kept until what came of it is on the disk too. After a crash
//! it is shown again, and whoever has had it notices.

use std::sync::Arc;

use polity_ledger::{Commit, CommitError, Event as LedgerEvent, ReadError, canonical, new_id};
use polity_workflow::{Correlator, Fault, FaultKind, Triggered};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::batch::{After, Batch};
use super::drive::{Desk, DriveError, Fact, Launch};
use super::key;
use super::schedule::Planned;
use super::start::{Beginning, RunError};
use super::stored::Cause;
use crate::{Actor, Kernel};

/// The longest event.
const MAX_BYTES: usize = 1 << 20;

/// The deepest event: what workflows take in is not deeper either.
const MAX_DEPTH: usize = 50;

/// An event that is kept until everybody has been shown it.
#[derive(Serialize, Deserialize)]
struct Kept {
    event: Value,
    /// In whose name it starts what it starts.
    by: String,
    at_ms: u64,
}

/// An event on its way to whoever waits for it. When the last who was told drops it, it is kept no longer.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) key: String,
    pub(super) event: Value,
    kernel: Kernel,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let key = std::mem::take(&mut self.key);
        let done = self
            .kernel
            .inner
            .ledger
            .commit_relaxed(Commit::new().delete(key));
        if let Err(error) = done {
            tracing::warn!(%error, "an event will be shown again after the next start");
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// Whether it is new. One that came before is not shown to anybody again.
    pub new: bool,
    /// The instances that it started.
    pub started: Vec<Uuid>,
    /// How many instances that wait for events of its type were shown it.
    pub shown: usize,
}

impl Kernel {
    /// Takes a CloudEvent in: it starts the workflows that it triggers, and is shown to the instances that listen for its
    /// type. It is on the disk when this returns. `id` and `time` may be left out; what has the source and the id of an
    /// earlier event is taken for its repetition.
    ///
    /// # Errors
    /// See [`RunError`]; in every case it has not been taken in.
    pub async fn receive_event(&self, actor: &Actor, event: Value) -> Result<Received, RunError> {
        let _visit = self.enter()?;
        let now_ms = self.inner.clock.now_ms();
        let event = complete(event, actor, now_ms).map_err(RunError::Invalid)?;
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (id, seen) = (text("id"), key::seen(&text("source"), &text("id")));
        let kept = key::event(&new_id(now_ms).to_string());
        let commit = Commit::new()
            .expect_absent(seen.clone())
            .put(seen, id.clone())
            .put(
                kept.clone(),
                json!(Kept {
                    event: event.clone(),
                    by: actor.id.clone(),
                    at_ms: now_ms
                })
                .to_string(),
            )
            .event(noted("workflow.event-received", &event, &actor.id));
        match self.inner.ledger.commit(commit).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => {
                return Ok(Received {
                    id,
                    new: false,
                    started: Vec::new(),
                    shown: 0,
                });
            }
            Err(error) => return Err(error.into()),
        }
        let (started, shown) = self.deliver(&kept).await;
        Ok(Received {
            id,
            new: true,
            started,
            shown,
        })
    }

    /// Sends an event of a workflow, as part of its commit.
    pub(super) fn emit(
        &self,
        desk: &Desk,
        batch: &mut Batch,
        event: &Value,
    ) -> Result<Value, Fault> {
        if event.to_string().len() > MAX_BYTES {
            let why = format!("the event has more than {MAX_BYTES} bytes");
            return Err(Fault::new(FaultKind::Validation, why));
        }
        let now_ms = self.inner.clock.now_ms();
        let kept = key::event(&new_id(now_ms).to_string());
        let value = Kept {
            event: event.clone(),
            by: desk.stored.actor.clone(),
            at_ms: now_ms,
        };
        batch.put(kept.clone(), json!(value).to_string());
        batch.note("workflow.event-sent", desk.id, json!({ "event": event }));
        batch.after.push(After::Deliver(kept));
        Ok(event.clone())
    }

    /// Shows an event to everybody who waits for it: the instances that it started, and how many were shown it.
    pub(super) async fn deliver(&self, kept: &str) -> (Vec<Uuid>, usize) {
        match self.try_deliver(kept).await {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::error!(%error, event = kept, "an event could not be shown to everybody; that is made up for at the next start");
                (Vec::new(), 0)
            }
        }
    }

    async fn try_deliver(&self, kept: &str) -> Result<(Vec<Uuid>, usize), DriveError> {
        let Some(bytes) = self.inner.ledger.get(kept)? else {
            return Ok((Vec::new(), 0));
        };
        let Kept { event, by, at_ms } = serde_json::from_slice(&bytes)
            .map_err(|error| DriveError::Unreadable(error.to_string()))?;
        let started = self.trigger(kept, &event, &by, at_ms).await?;
        let kind = event["type"].as_str().unwrap_or_default();
        let listeners = self.inner.workflows.index.listeners(kind);
        let delivery = Arc::new(Delivery {
            key: kept.to_owned(),
            kernel: self.clone(),
            event,
        });
        let shown = listeners.len();
        for id in listeners {
            if !started.contains(&id) {
                self.tell(id, Fact::Heard(delivery.clone()));
            }
        }
        Ok((started, shown))
    }

    /// Starts the workflows in force that an event triggers.
    async fn trigger(
        &self,
        kept: &str,
        event: &Value,
        by: &str,
        at_ms: u64,
    ) -> Result<Vec<Uuid>, DriveError> {
        let mut started = Vec::new();
        let constitution = self.constitution();
        for workflow in constitution.workflows() {
            if !workflow
                .schedule()
                .is_some_and(|schedule| schedule.is_event_driven())
            {
                continue;
            }
            // Events change what a schedule has collected one after another.
            let _alone = self.inner.workflows.planning.lock().await;
            let mut planned = self.planned(workflow)?;
            let before = planned.clone();
            let mut correlator: Correlator = planned.correlator.take().unwrap_or_default();
            let triggered = correlator.offer(workflow, event);
            if triggered == Triggered::No {
                continue;
            }
            planned.correlator = Some(correlator);
            let put = json!(planned).to_string();
            let Triggered::Start(input) = triggered else {
                let keep = Commit::new().put(key::plan(workflow.name()), put);
                self.inner.ledger.commit(keep).await?;
                continue;
            };
            let id = key::derived(at_ms, &format!("{}\n{kept}", workflow.name()));
            let (desk, transition) = self.desk(Beginning {
                id,
                constitution: constitution.clone(),
                workflow: workflow.clone(),
                input,
                actor: by.to_owned(),
                cause: Cause::Event {
                    event: kept.to_owned(),
                },
            });
            let launch = Launch {
                desk,
                transition,
                name: None,
            };
            match self.launch(launch).await {
                Ok(()) => started.push(id),
                // It was started before the host ended.
                Err(DriveError::Commit(CommitError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
            if before != planned {
                let keep = Commit::new().put(key::plan(workflow.name()), put);
                self.inner.ledger.commit(keep).await?;
            }
        }
        Ok(started)
    }

    /// Shows the events that were not shown to everybody before the host ended.
    pub(super) async fn redeliver(&self) {
        let kept = std::mem::take(&mut *self.inner.workflows.undelivered.lock());
        for kept in kept {
            self.deliver(&kept).await;
        }
    }

    /// Notes which events those are: before anybody can send another.
    pub(super) fn note_undelivered(&self) -> Result<(), ReadError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.inner.ledger.scan(key::EVENT, after.as_deref(), 200)?;
            let mut undelivered = self.inner.workflows.undelivered.lock();
            undelivered.extend(page.iter().map(|(kept, _)| kept.clone()));
            match page.into_iter().next_back() {
                Some((last, _)) => after = Some(last),
                None => return Ok(()),
            }
        }
    }
}

impl Planned {
    /// What is known of a schedule at the beginning.
    pub(super) fn new(schedule: Value) -> Self {
        Self {
            schedule,
            plan: Default::default(),
            correlator: None,
        }
    }
}

fn noted(kind: &'static str, event: &Value, by: &str) -> LedgerEvent {
    let name: String = event["type"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    let data = json!({ "by": by, "event": event });
    LedgerEvent::new(kind, "/kernel", format!("event/{name}"), data)
}

/// The event with what may be left out, or what is wrong with it.
fn complete(event: Value, actor: &Actor, now_ms: u64) -> Result<Value, String> {
    let Value::Object(mut event) = event else {
        return Err("an event is a JSON object in the form of CloudEvents 1.0".to_owned());
    };
    if event.len() > 64 || Value::Object(event.clone()).to_string().len() > MAX_BYTES {
        return Err(format!(
            "an event has at most 64 attributes and {MAX_BYTES} bytes; send a reference instead"
        ));
    }
    if !canonical::is_within_depth(&Value::Object(event.clone()), MAX_DEPTH) {
        return Err(format!(
            "the event is nested deeper than {MAX_DEPTH} levels; flatten it"
        ));
    }
    let text = |event: &Map<String, Value>, name: &str| {
        event.get(name).map(|value| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        })
    };
    for (name, usual) in [
        ("specversion", Some("1.0".to_owned())),
        ("type", None),
        ("source", Some(format!("/actors/{}", actor.id))),
        ("id", Some(new_id(now_ms).to_string())),
        ("time", Some(rfc3339(now_ms))),
    ] {
        match (text(&event, name), usual) {
            (Some(Some(_)), _) => {}
            (Some(None), _) => {
                return Err(format!("`{name}` of the event is a text that is not empty"));
            }
            (None, Some(usual)) => {
                event.insert(name.to_owned(), usual.into());
            }
            (None, None) => {
                return Err(format!(
                    "the event has no `{name}`; send for example {{\"type\": \"com.example.order.paid\", \"data\": {{}}}}"
                ));
            }
        }
    }
    if event["specversion"] != "1.0" {
        return Err("`specversion` is \"1.0\"".to_owned());
    }
    Ok(Value::Object(event))
}

pub(super) fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}
