//! People and the schema: who is asked about a change, and what became of the question.

use std::collections::BTreeSet;

use polity_database::Answered;
use polity_database::evolve::{Batch, Life, Outcome, State};
use polity_inbox::{Answer, AnswerKind, InboxError, NewItem, OnExpiry, RaiseError, Withdrawal};
use polity_inbox::{Item, State as ItemState};
use polity_ledger::{Commit, CommitError, Ledger, ReadError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::strategist;
use crate::Kernel;
use crate::escalation::HumanState;

/// The kind of inbox item that a suggested change of the schema is.
pub(crate) const ITEM: &str = "schema";
const ASKED: &str = "schema/asked/";
/// How long a suggestion stands. It harms nobody, and what it rests on grows old.
const DUE_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// Where a question lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "asked")]
pub(super) enum Asked {
    /// The rules had a person asked, with their decision.
    Decision {
        /// Which.
        id: Uuid,
    },
    /// The charter has a person asked.
    Item {
        /// Which.
        id: Uuid,
    },
}

/// Why nobody was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Raise(#[from] RaiseError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

/// What is put before rules and people.
pub(super) fn proposal(life: &Life) -> Value {
    let proposal = &life.proposal;
    json!({
        "id": life.id,
        "collection": life.mutation().collection(),
        "mutation": life.mutation(),
        "strategy": life.strategy,
        "reason": proposal.reason,
        "evidence": proposal.evidence,
        "benefit_us_per_day": proposal.benefit_us_per_day,
        "write_cost_us_per_day": proposal.write_cost_us_per_day,
        "storage_bytes": proposal.storage_bytes,
        "build_us": life.quote.build_us,
    })
}

/// Notes where the question about a mutation lies.
pub(super) async fn note(ledger: &Ledger, life: Uuid, asked: &Asked) -> Result<(), CommitError> {
    let commit = Commit::new().put(format!("{ASKED}{life}"), json!(asked).to_string());
    ledger.commit(commit).await.map(drop)
}

fn asked(ledger: &Ledger, life: Uuid) -> Result<Option<Asked>, ReadError> {
    let noted = ledger.get(&format!("{ASKED}{life}"))?;
    Ok(noted.and_then(|noted| serde_json::from_slice(&noted).ok()))
}

/// Puts a mutation before a person, unless that has been done.
pub(super) async fn ask(kernel: &Kernel, ledger: &Ledger, life: &Life) -> Result<(), AskError> {
    if asked(ledger, life.id)?.is_some() {
        return Ok(());
    }
    let raised = kernel.inbox().raise(question(kernel, life)).await?;
    let asked = Asked::Item { id: raised.item.id };
    Ok(note(ledger, life.id, &asked).await?)
}

fn question(kernel: &Kernel, life: &Life) -> NewItem {
    let why = match &life.state {
        State::Asked { reason } => reason.as_str(),
        _ => "a person decides on it",
    };
    let proposal = proposal(life);
    let words = format!(
        "{}\n\n{}: {}\n\nIt is built hidden, tried on live queries and kept only if it proves itself; \
         `polity db revert {}` takes it back.",
        life.proposal.reason,
        life.mutation(),
        why,
        life.id,
    );
    let constitution = kernel.constitution();
    NewItem {
        kind: ITEM.to_owned(),
        subject: life.id.to_string(),
        title: short(&life.mutation().to_string()),
        question: words,
        evidence: json!({
            "evidence": life.proposal.evidence,
            "rules": life.verdict,
            "gain_us_per_day": life.proposal.net_us_per_day(),
            "build_us": life.quote.build_us,
        }),
        proposal,
        clause: Some("charter.json: records.evolution".to_owned()),
        role: constitution.charter().defaults().escalation_role.clone(),
        requested_by: strategist(&life.strategy).id,
        cost_at_stake: None,
        due_at_ms: Some(life.since_ms.saturating_add(DUE_MS)),
        on_expiry: OnExpiry::Reject,
        allowed: BTreeSet::from([AnswerKind::Accept, AnswerKind::Reject]),
    }
}

/// The longest title that the inbox takes.
const MAX_TITLE: usize = 300;

fn short(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TITLE)].to_owned()
}

/// The questions about mutations that are over and that nobody has answered, to be taken back in the commit that ends them.
/// Forgets where questions lay.
pub(super) fn withdraw(
    kernel: &Kernel,
    ledger: &Ledger,
    batch: &Batch,
    mut commit: Commit,
) -> Result<(Commit, Vec<Withdrawal>), AskError> {
    let mut withdrawn = Vec::new();
    for life in &batch.over {
        let items = match asked(ledger, *life)? {
            None => continue,
            Some(Asked::Item { id }) => vec![id],
            Some(Asked::Decision { id }) => kernel
                .decision(id)?
                .and_then(|decision| decision.resolution)
                .map_or(Vec::new(), |of| {
                    of.items.iter().map(|item| item.id).collect()
                }),
        };
        let why = batch.entries.iter().find(|entry| entry.id == *life);
        let why = why.map_or("it is over", |entry| over(&entry.outcome));
        for id in items {
            if let Some(withdrawal) = kernel.inbox().withdrawing(id, why)? {
                commit = withdrawal.add_to(commit);
                withdrawn.push(withdrawal);
            }
        }
        commit = commit.delete(format!("{ASKED}{life}"));
    }
    Ok((commit, withdrawn))
}

fn over(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept => "the change was made meanwhile",
        Outcome::Reverted { .. } => "the change was taken back meanwhile",
        Outcome::Refused { by, .. } if by == "catalogue" => {
            "the schema has changed meanwhile, and this does not fit it any more"
        }
        Outcome::Refused { .. } => "the proposal was taken back meanwhile",
    }
}

/// What became of the question about a mutation; nothing while it is open.
pub(super) fn answer(
    kernel: &Kernel,
    ledger: &Ledger,
    life: &Life,
) -> Result<Option<Answered>, AskError> {
    match asked(ledger, life.id)? {
        None => Ok(None),
        Some(Asked::Item { id }) => {
            let item = kernel.inbox().get(id)?;
            Ok(item.and_then(|item| of_item(life.id, &item)))
        }
        Some(Asked::Decision { id }) => of_decision(kernel, life, id),
    }
}

fn of_item(life: Uuid, item: &Item) -> Option<Answered> {
    match &item.state {
        ItemState::Open => None,
        ItemState::Expired { .. } | ItemState::Withdrawn { .. } => Some(Answered {
            id: life,
            approved: false,
            by: item.role.clone(),
            note: item.closing(),
        }),
        ItemState::Decided(decision) => Some(Answered {
            id: life,
            approved: decision.answer == Answer::Accept,
            by: decision.by.clone(),
            note: decision.note.clone(),
        }),
    }
}

fn of_decision(kernel: &Kernel, life: &Life, id: Uuid) -> Result<Option<Answered>, AskError> {
    let decision = kernel.decision(id)?;
    let Some(resolution) = decision.and_then(|decision| decision.resolution) else {
        return Ok(None);
    };
    if resolution.state == HumanState::Waiting {
        return Ok(None);
    }
    let (mut by, mut words) = (Vec::new(), Vec::new());
    for item in &resolution.items {
        words.push(item.words.clone());
        if let ItemState::Decided(decision) = &item.state {
            by.push(decision.by.clone());
        }
    }
    // A change of the schema is made as it was proposed or not at all.
    let is_same = resolution
        .input
        .as_ref()
        .is_none_or(|input| *input == proposal(life));
    let approved = resolution.state == HumanState::Accepted && is_same;
    if !is_same {
        words.push("a change of the schema has no other form than the one proposed".to_owned());
    }
    Ok(Some(Answered {
        id: life.id,
        approved,
        by: by.join(", "),
        note: words.join(" "),
    }))
}
