//! What a person's answer to a strange request teaches: its like is known from now on.

use polity_inbox::{Answer, Item};
use polity_ledger::{Commit, Event, Ledger, ReadError};
use polity_router::{Feedback, Router, Settled};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::ITEM;
use crate::models::Routing;
use crate::record::{Record, subject};
use crate::{Actor, Kernel};

/// The kind of event of a strange request that a person has settled.
const SETTLED: &str = "router.settled";

/// Events that are read at once.
const PAGE: usize = 1000;

#[derive(Serialize, Deserialize)]
struct Lesson {
    actor: String,
    feedback: Feedback,
}

impl Kernel {
    /// Takes note of a person's answer where it is about a request of which nothing like it was known. Whoever accepts
    /// it says that the router's guess will do for requests like this one.
    pub(super) async fn learn_from(&self, item: &Item, actor: &Actor, answer: &Answer) {
        if item.kind != ITEM || !matches!(answer, Answer::Accept | Answer::Edit(_)) {
            return;
        }
        let decision = item.evidence["decision"].as_str();
        let Some(id) = decision.and_then(|id| id.parse::<Uuid>().ok()) else {
            return;
        };
        let ledger = &self.inner.ledger;
        let routing = match routing_of(ledger, id) {
            Ok(Some(routing)) if routing.is_strange() => routing,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, %id, "what a person settled is not learned");
                return;
            }
        };
        let feedback = Feedback {
            model: routing.decision.model().cloned(),
            accepted: Some(true),
            settled_by_person: Some(Settled {
                label: id.to_string(),
                task: None,
            }),
            ..Feedback::default()
        };
        let lesson = json!(Lesson {
            actor: actor.id.clone(),
            feedback: feedback.clone(),
        });
        let event = Event::new(SETTLED, "/kernel", subject(id), lesson);
        if let Err(error) = ledger.commit(Commit::new().event(event)).await {
            tracing::warn!(%error, %id, "what a person settled is not learned");
            return;
        }
        let now_ms = self.inner.clock.now_ms();
        let router = self.inner.models.router();
        let _ = router.learn(&routing.decision, &feedback, now_ms);
    }
}

/// Takes what people settled in the past again.
pub(crate) fn take_again(ledger: &Ledger, router: &Router) -> Result<(), ReadError> {
    let mut after = 0;
    loop {
        let events = ledger.events_of_kind(SETTLED, after, PAGE)?;
        let Some(last) = events.last() else {
            return Ok(());
        };
        after = last.seq;
        for event in &events {
            let id = event.subject.strip_prefix("decision/");
            let lesson = Lesson::deserialize(&event.data);
            if let (Some(Ok(id)), Ok(lesson)) = (id.map(str::parse::<Uuid>), lesson)
                && let Some(routing) = routing_of(ledger, id)?
            {
                let _ = router.learn(&routing.decision, &lesson.feedback, event.time_ms);
            }
        }
    }
}

fn routing_of(ledger: &Ledger, id: Uuid) -> Result<Option<Box<Routing>>, ReadError> {
    let events = ledger.events_of(&subject(id), 0, 100)?;
    let record = events
        .iter()
        .find(|event| event.id == id)
        .and_then(Record::read);
    Ok(record.and_then(|record| record.details.completion?.routing))
}
