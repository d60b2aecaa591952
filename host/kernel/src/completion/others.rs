//! Models that may be asked in another's place: the rules and the budget speak on each before it is.

use polity_constitution::OutcomeKind;

use super::run::ACTION;
use super::running::Running;
use crate::models::ModelEntry;
use crate::rules::{Facts, Question, rule};
use crate::{Actor, Kernel};

/// What the rules are asked with.
pub(super) struct Others<'c> {
    pub(super) kernel: &'c Kernel,
    pub(super) actor: &'c Actor,
    /// The request as the rules judge it; empty where there are no others.
    pub(super) input: &'c str,
    pub(super) at_ms: u64,
}

impl Others<'_> {
    /// Looks at every seat that has to be looked at by now.
    pub(super) async fn judge(&self, running: &mut Running) {
        for (seat, model) in running.unjudged() {
            let verdict = match self.may_answer(running, seat, &model).await {
                Ok(()) => running.raise(seat),
                objection => objection,
            };
            running.judge(seat, verdict);
        }
    }

    /// Looks at every seat, whether or not it has to be looked at by now.
    pub(super) async fn judge_all(&self, running: &mut Running) {
        for (seat, model) in running.all_unjudged() {
            let verdict = match self.may_answer(running, seat, &model).await {
                Ok(()) => running.raise(seat),
                objection => objection,
            };
            running.judge(seat, verdict);
        }
    }

    async fn may_answer(
        &self,
        running: &Running,
        seat: usize,
        model: &ModelEntry,
    ) -> Result<(), String> {
        let inner = &*self.kernel.inner;
        let book = inner.books.current(&inner.runtime);
        let spent = inner.spending.today(&self.actor.id, self.at_ms);
        let facts = Facts {
            law: &book.law,
            actor: self.actor,
            spent: spent.map_err(|error| error.to_string())?,
            model: Some((running.estimate(seat), &*model.facts)),
            request: None,
        };
        let question = Question {
            kind: ACTION.clone(),
            actor: self.actor.id.clone(),
            at_ms: self.at_ms,
            input: self.input.to_owned(),
            context: facts.text(),
        };
        let resolution = rule(&book, running.id(), question).await.resolution;
        match resolution.kind() {
            OutcomeKind::Allow => Ok(()),
            OutcomeKind::Amend if resolution.changed.is_empty() => Ok(()),
            // Amended once more it would be another request than the one that is on record.
            _ => Err(resolution.sentence),
        }
    }
}
