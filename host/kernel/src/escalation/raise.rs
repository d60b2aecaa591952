//! Asking: one inbox item for each role that has to decide.
//!
//! The same action of the same actor is one item for as long as it is open: an agent that asks ten times has not asked for
//! ten decisions. The items and the record of the decision are one transaction of the ledger: there is no question that
//! nobody needs, and no decision that nobody is asked about.

use polity_constitution::{Ask, OnExpiry, Outcome};
use polity_inbox::{AnswerKind, NewItem, RaiseError};
use polity_ledger::{Commit, CommitError, Receipt, canonical};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ITEM;
use crate::Kernel;
use crate::digest::sha256;
use crate::kept::{Omitted, cut};
use crate::record::Record;
use crate::rules::Ruling;

/// The longest form that is put before a person whole. Nobody reads more, and the inbox has a limit.
const MAX_FORM_BYTES: usize = 512 << 10;

/// Levels of nesting that the inbox and the ledger take, less what they wrap a proposal in.
const MAX_DEPTH: usize = canonical::MAX_DEPTH - 16;

/// What is shown of a longer form.
const HEAD_BYTES: usize = 4 << 10;

/// The longest question.
const MAX_QUESTION_BYTES: usize = 7_500;

/// Why an escalated action was neither put before anyone nor recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EscalateError {
    #[error(transparent)]
    Inbox(#[from] RaiseError),
    #[error(transparent)]
    Record(#[from] CommitError),
}

impl Kernel {
    /// What an escalated action puts before the roles that its ruling names, in the order of the asks; nothing for any
    /// other ruling.
    pub(crate) fn questions(&self, ruling: &Ruling, input: &Value) -> Vec<NewItem> {
        let Outcome::Escalate { asks } = &ruling.resolution.outcome else {
            return Vec::new();
        };
        let form = ruling.resolution.amended.as_ref().unwrap_or(input);
        let text = ruling.amended.as_deref().unwrap_or(&ruling.input);
        let digest = sha256(&format!("{}\n{}\n{text}", ruling.kind, ruling.actor));
        let is_whole = text.len() <= MAX_FORM_BYTES && canonical::is_within_depth(form, MAX_DEPTH);
        let proposal = if is_whole {
            form.clone()
        } else {
            json!(omitted(text))
        };
        let mut allowed = AnswerKind::all();
        if !is_whole {
            allowed.remove(&AnswerKind::Edit);
        }
        if !ruling.resolution.conflicts.is_empty() {
            // The rules do not agree on a form, so there is none to accept.
            allowed.remove(&AnswerKind::Accept);
        }
        let context: Value = serde_json::from_str(&ruling.context).unwrap_or_default();
        let cost_at_stake = context.get("estimated_cost_micro").and_then(Value::as_u64);
        let evidence = evidence(ruling, context);

        let now_ms = self.inner.clock.now_ms();
        let question = |ask: &Ask| NewItem {
            kind: ITEM.to_owned(),
            subject: format!("{}/{digest}/{}", ruling.kind, ask.role),
            title: format!("{}, wanted by {}", ruling.kind, ruling.actor),
            question: cut(&ask.reason(), MAX_QUESTION_BYTES).to_owned(),
            proposal: proposal.clone(),
            clause: clause(ruling, ask),
            evidence: evidence.clone(),
            role: ask.role.clone(),
            requested_by: ruling.actor.clone(),
            cost_at_stake,
            due_at_ms: Some(now_ms.saturating_add(ask.due_ms.max(1))),
            on_expiry: on_expiry(ruling.law.charter().defaults().on_expiry.clone(), &ask.role),
            allowed: allowed.clone(),
        };
        asks.iter().map(question).collect()
    }

    /// Records a decision together with its questions. Durable when it returns; the record then names the items.
    pub(crate) async fn record_with(
        &self,
        id: Uuid,
        mut record: Record,
        questions: Vec<NewItem>,
    ) -> Result<(Record, Receipt), EscalateError> {
        let inner = &*self.inner;
        loop {
            let mut staged = Vec::with_capacity(questions.len());
            for question in &questions {
                staged.push(inner.inbox.stage(question.clone()).await?);
            }
            record.details.inbox_items = staged.iter().map(|staged| staged.item().id).collect();
            let commit = staged
                .iter()
                .fold(Commit::new(), |commit, staged| staged.add_to(commit))
                .event(record.clone().event(id));
            match inner.ledger.commit(commit).await {
                Ok(receipt) => {
                    staged
                        .iter()
                        .for_each(|staged| inner.inbox.announce(staged));
                    return Ok((record, receipt));
                }
                // Somebody was faster with the same question, or closed it.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Where the time of the last role is over, there is nobody else to ask.
fn on_expiry(on_expiry: OnExpiry, role: &str) -> polity_inbox::OnExpiry {
    match on_expiry {
        OnExpiry::Escalate { to_role } if to_role != role => {
            polity_inbox::OnExpiry::Escalate { to_role }
        }
        OnExpiry::Escalate { .. } | OnExpiry::Reject => polity_inbox::OnExpiry::Reject,
    }
}

/// The files of the constitution that ask, with the sentence of the handbook where they name one.
fn clause(ruling: &Ruling, ask: &Ask) -> Option<String> {
    let mut bindings: Vec<&str> = ask
        .reasons
        .iter()
        .filter_map(|reason| Some(reason.by.as_ref()?.binding.as_str()))
        .collect();
    bindings.dedup();
    let clauses: Vec<String> = bindings
        .into_iter()
        .filter_map(|name| ruling.law.constitution.binding(name))
        .map(|binding| match &binding.policy {
            Some(policy) => format!("rules/{}.json: {policy}", binding.name),
            None => format!("rules/{}.json", binding.name),
        })
        .collect();
    (!clauses.is_empty()).then(|| clauses.join("\n"))
}

/// What the rules knew and said, and where the whole story is.
fn evidence(ruling: &Ruling, context: Value) -> Value {
    let resolution = &ruling.resolution;
    let said: Vec<Value> = resolution
        .findings
        .iter()
        .chain(&resolution.second_round)
        .map(|finding| {
            let said = match &finding.result {
                // The form that is proposed has the amendments in it already.
                Ok(polity_constitution::Verdict::Amend { .. }) => json!("amended it"),
                Ok(verdict) => json!(verdict),
                Err(failure) => json!(failure.to_string()),
            };
            json!({ "binding": finding.binding, "rule": finding.rule, "mode": finding.mode, "said": said })
        })
        .collect();
    let context = if ruling.context.len() <= MAX_FORM_BYTES / 4
        && canonical::is_within_depth(&context, MAX_DEPTH)
    {
        context
    } else {
        json!(omitted(&ruling.context))
    };
    json!({
        "decision": ruling.id,
        "reason": resolution.sentence,
        "context": context,
        "rules": said,
        "changed": resolution.changed,
        "conflicts": resolution.conflicts,
        "constitution": ruling.law.constitution.version(),
    })
}

fn omitted(text: &str) -> Omitted {
    Omitted {
        head: cut(text, HEAD_BYTES).to_owned(),
        bytes: text.len() as u64,
        sha256: sha256(text),
    }
}
