//! Asking: one inbox item for each role that has to decide.
//!
//! The same action of the same actor is one item for as long as it is open: an agent that asks ten times has not asked for
//! ten decisions. The items are in the inbox before the decision is recorded; a crash in between leaves a question that
//! somebody answers and nobody needs, and never a decision that nobody is asked about.

use polity_constitution::{Ask, OnExpiry, Outcome};
use polity_inbox::{AnswerKind, NewItem, RaiseError};
use polity_ledger::canonical;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ITEM;
use crate::Kernel;
use crate::digest::sha256;
use crate::kept::{Omitted, cut};
use crate::rules::Ruling;

/// The longest form that is put before a person whole. Nobody reads more, and the inbox has a limit.
const MAX_FORM_BYTES: usize = 512 << 10;

/// Levels of nesting that the inbox and the ledger take, less what they wrap a proposal in.
const MAX_DEPTH: usize = canonical::MAX_DEPTH - 16;

/// What is shown of a longer form.
const HEAD_BYTES: usize = 4 << 10;

/// The longest question.
const MAX_QUESTION_BYTES: usize = 7_500;

impl Kernel {
    /// Puts an escalated action before the roles that its ruling names. Returns the items in the order of the asks.
    pub(crate) async fn raise(
        &self,
        ruling: &Ruling,
        input: &Value,
    ) -> Result<Vec<Uuid>, RaiseError> {
        let Outcome::Escalate { asks } = &ruling.resolution.outcome else {
            return Ok(Vec::new());
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

        let mut items = Vec::with_capacity(asks.len());
        for ask in asks {
            let new = NewItem {
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
                due_at_ms: Some(self.inner.clock.now_ms().saturating_add(ask.due_ms.max(1))),
                on_expiry: on_expiry(ruling.law.charter().defaults().on_expiry.clone(), &ask.role),
                allowed: allowed.clone(),
            };
            items.push(self.inner.inbox.raise(new).await?.item.id);
        }
        Ok(items)
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
