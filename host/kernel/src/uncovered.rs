//! Questions that no protocol covers, put before whoever the charter says decides: so that a gap that somebody has run
//! into is on a list, and not only in the memory of who ran into it.

use std::collections::BTreeSet;

use polity_constitution::Answer;
use polity_inbox::{AnswerKind, NewItem, OnExpiry, RaiseError, Raised};
use serde_json::json;

use crate::digest::sha256;
use crate::kept::cut;
use crate::{Actor, Kernel};

/// The kind of inbox item that an uncovered question is.
pub(crate) const ITEM: &str = "uncovered";

const MAX_TITLE_BYTES: usize = 250;

impl Kernel {
    /// Puts a question before the charter's escalation role: write a protocol that covers it, or say why none is needed.
    /// The same question is one item for as long as it is open. It waits without a limit, since nothing depends on it.
    ///
    /// # Errors
    /// The inbox does not take it, or it could not be recorded.
    pub async fn ask_for_protocol(
        &self,
        actor: &Actor,
        answer: &Answer,
    ) -> Result<Raised, RaiseError> {
        let law = self.inner.books.law();
        // Spaces and capitals do not make another question.
        let words: Vec<&str> = answer.question.split_whitespace().collect();
        let question = words.join(" ");
        let nearest: Vec<_> = answer
            .nearest
            .iter()
            .map(|near| json!({"file": near.file, "title": near.title}))
            .collect();
        let title: String = format!("No protocol covers: {question}")
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        self.inner
            .inbox
            .raise(NewItem {
                kind: ITEM.to_owned(),
                subject: format!("question/{}", sha256(&question.to_lowercase())),
                title: cut(&title, MAX_TITLE_BYTES).to_owned(),
                question: format!(
                    "{} asked what no protocol covers. Write one (`workflows/NAME.yaml` or `decisions/NAME.json`), or answer with words.",
                    actor.id
                ),
                proposal: json!({ "question": question }),
                clause: None,
                evidence: json!({ "nearest": nearest, "constitution": answer.version }),
                role: law.charter().defaults().escalation_role.clone(),
                requested_by: actor.id.clone(),
                cost_at_stake: None,
                due_at_ms: None,
                on_expiry: OnExpiry::Reject,
                allowed: BTreeSet::from([AnswerKind::Respond, AnswerKind::Reject]),
            })
            .await
    }
}
