//! What became of answers, and what the router learns from it.
//!
//! Each piece of feedback is one event, with what it taught. What was learned is nowhere else: at the start the lessons
//! are taken again, in their order.

use polity_ledger::{Commit, CommitError, Event, Ledger, ReadError};
use polity_router::{Feedback, Lesson, Router, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::record::{Record, subject};
use crate::{Actor, Kernel};

/// The kind of event of a piece of feedback.
pub(crate) const LESSON: &str = "router.lesson";

/// Lessons that are read at once.
const PAGE: usize = 1000;

/// Why feedback was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// There is no such decision.
    #[error("there is no decision {0}")]
    Unknown(Uuid),
    /// Nothing was chosen, so there is nothing to learn.
    #[error("the request of this decision named its model, so there was no choice to learn from")]
    NoChoice,
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The ledger does not read.
    #[error("the decision cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The ledger could not take the record.
    #[error("the feedback could not be recorded: {0}")]
    Record(#[from] CommitError),
}

/// The data of a lesson's event.
#[derive(Serialize, Deserialize)]
pub(crate) struct Taught {
    actor: String,
    pub(crate) feedback: Feedback,
    pub(crate) lesson: Lesson,
}

impl Kernel {
    /// Takes in what became of an answer. What it teaches is on the disk when this returns.
    ///
    /// # Errors
    /// See [`FeedbackError`].
    pub async fn feedback(
        &self,
        actor: &Actor,
        id: Uuid,
        mut feedback: Feedback,
    ) -> Result<Lesson, FeedbackError> {
        for (name, share) in [("score", feedback.score), ("edited", feedback.edited)] {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                let detail = format!("`{name}` is a number from 0 to 1");
                return Err(FeedbackError::Invalid(detail));
            }
        }
        let inner = &*self.inner;
        let event = inner
            .ledger
            .events_of(&subject(id), 0, 100)?
            .into_iter()
            .find(|event| event.id == id);
        let record = event.as_ref().and_then(Record::read);
        let completion = record
            .ok_or(FeedbackError::Unknown(id))?
            .details
            .completion
            .ok_or(FeedbackError::NoChoice)?;
        let routing = completion.routing.ok_or(FeedbackError::NoChoice)?;
        // Where another model answered than the one that was chosen, it is that one that was good or bad.
        feedback.model = Some(format!("{}/{}", completion.plugin, completion.model).into());
        let lesson = routing.decision.lesson(&feedback).ok_or_else(|| {
            FeedbackError::Invalid("the model that answered is no candidate on record".to_owned())
        })?;
        let taught = json!(Taught {
            actor: actor.id.clone(),
            feedback,
            lesson: lesson.clone(),
        });
        let event = Event::new(LESSON, "/kernel", subject(id), taught);
        inner.ledger.commit(Commit::new().event(event)).await?;
        inner.models.router().take(&lesson, inner.clock.now_ms());
        Ok(lesson)
    }

    /// What the router has learned, by model and task.
    pub fn learned(&self) -> State {
        self.inner.models.router().state()
    }
}

/// Takes the lessons of the past again.
pub(crate) fn take_again(ledger: &Ledger, router: &Router) -> Result<(), ReadError> {
    let mut after = 0;
    loop {
        let events = ledger.events_of_kind(LESSON, after, PAGE)?;
        let Some(last) = events.last() else {
            return Ok(());
        };
        after = last.seq;
        for event in &events {
            match Taught::deserialize(&event.data) {
                Ok(taught) => router.take(&taught.lesson, event.time_ms),
                Err(error) => {
                    tracing::warn!(%error, seq = event.seq, "a lesson does not read and is left out");
                }
            }
        }
    }
}
