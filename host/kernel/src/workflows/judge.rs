//! The rules' verdict on an effect, as part of the commit that asks for it.

use polity_constitution::{ActionKind, OutcomeKind};
use polity_inbox::RaiseError;
use polity_ledger::new_id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::batch::Batch;
use super::drive::DriveError;
use crate::digest::sha256;
use crate::record::Record;
use crate::rules::{Facts, Question, rule};
use crate::{Actor, Kernel};

/// What is judged.
pub(super) struct Matter<'a> {
    pub(super) instance: Uuid,
    pub(super) actor: &'a Actor,
    pub(super) kind: &'a ActionKind,
    pub(super) input: &'a Value,
    /// What the workflow says of the situation.
    pub(super) context: &'a Value,
    /// The effect's own name.
    pub(super) effect: &'a str,
}

/// What the rules say.
pub(super) struct Judged {
    pub(super) id: Uuid,
    pub(super) outcome: OutcomeKind,
    pub(super) reason: String,
    /// The input as the rules want it, where they changed it.
    pub(super) form: Option<Value>,
    /// The questions to people.
    pub(super) items: Vec<Uuid>,
}

impl Kernel {
    /// Whether any rule guards a kind of action.
    pub(super) fn is_guarded(&self, kind: &ActionKind) -> bool {
        let book = self.inner.books.current(&self.inner.runtime);
        !book.docket(kind).is_empty()
    }

    /// Judges an effect by the rules in force, and adds the decision and its questions to the batch.
    pub(super) async fn judge_effect(
        &self,
        batch: &mut Batch,
        matter: Matter<'_>,
    ) -> Result<Judged, DriveError> {
        let inner = &*self.inner;
        let at_ms = inner.clock.now_ms();
        let book = inner.books.current(&inner.runtime);
        let context = matter.context.to_string();
        let facts = Facts {
            law: &book.law,
            actor: matter.actor,
            spent: inner.spending.today(&matter.actor.id, at_ms)?,
            model: None,
            request: Some(&context),
        };
        let question = Question {
            context: facts.text(),
            kind: matter.kind.clone(),
            actor: matter.actor.id.clone(),
            at_ms,
            input: matter.input.to_string(),
        };
        let id = new_id(at_ms);
        let ruling = rule(&book, id, question).await;
        let outcome = ruling.resolution.kind();
        let reason = ruling.resolution.sentence.clone();
        let mut items = Vec::new();
        for mut question in self.questions(&ruling, matter.input) {
            // Two instances that want the same want it twice.
            let name = format!("{}\n{}", matter.effect, matter.kind);
            question.subject = format!("{}/{}/{}", matter.kind, sha256(&name), question.role);
            question.evidence["instance"] = json!(matter.instance);
            let staged = match inner.inbox.stage(question).await {
                Ok(staged) => staged,
                Err(RaiseError::Invalid(reason)) => {
                    return Err(DriveError::Unreadable(reason));
                }
                Err(RaiseError::Inbox(error)) => return Err(error.into()),
            };
            items.push(staged.item().id);
            batch.ask(staged, matter.instance);
        }
        let (mut record, form) = Record::new(ruling);
        record.details.inbox_items.clone_from(&items);
        batch.event(record.event(id));
        inner.counting.decision(matter.kind, outcome);
        Ok(Judged {
            id,
            outcome,
            reason,
            form,
            items,
        })
    }
}
