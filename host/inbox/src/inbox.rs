//! Raising and deciding. Each is one ledger commit that fails if the item is not what it was when it was read; then
//! the item is read, and judged, again.

use std::fmt;
use std::sync::Arc;

use polity_ledger::{Clock, Commit, CommitError, Event, Hash, Ledger, canonical};
use serde_json::json;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::answer::Answer;
use crate::authority::{Actor, authority};
use crate::error::{DecideError, InboxError, RaiseError};
use crate::item::{self, Decision, Item, NewItem, State};
use crate::key;

const MAX_NOTE: usize = 4_000;
/// A listener that falls behind further reads the items instead.
const CHANGES_BUFFER: usize = 256;

/// What waits for people. Clones are handles to the same inbox; make one for each ledger, or listeners hear only part
/// of what happens.
#[derive(Clone)]
pub struct Inbox {
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) changes: broadcast::Sender<Arc<Item>>,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// The new item, or the open one of the same kind and subject.
    pub item: Item,
    /// Whether it is new.
    pub new: bool,
    /// Whether it proposes exactly what was to be proposed. Where this is false, an acceptance of the item is no
    /// acceptance of the new question.
    pub same_proposal: bool,
}

/// An item and the bytes it was read from, for comparison at commit.
pub(crate) struct Read {
    pub(crate) item: Item,
    pub(crate) bytes: Vec<u8>,
}

impl Inbox {
    /// The inbox in a ledger.
    pub fn new(ledger: Ledger, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger,
            clock,
            changes: broadcast::Sender::new(CHANGES_BUFFER),
        }
    }

    /// Puts a question to a role, unless the same one is open. Durable when it returns.
    ///
    /// # Errors
    /// The question lacks something, or the ledger failed.
    pub async fn raise(&self, new: NewItem) -> Result<Raised, RaiseError> {
        loop {
            let staged = self.stage(new.clone()).await?;
            let raised = Raised {
                item: staged.item().clone(),
                new: staged.is_new(),
                same_proposal: staged.same_proposal(),
            };
            if !raised.new {
                return Ok(raised);
            }
            match self.ledger.commit(staged.add_to(Commit::new())).await {
                Ok(_) => {
                    self.announce(&staged);
                    return Ok(raised);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a person's answer. Durable, and told to whoever waits, when it returns.
    ///
    /// `note` says why, for whoever asked and whoever reads the ledger later. `seen_digest` is the
    /// [`Item::proposal_digest`] of what the person had before their eyes.
    ///
    /// # Errors
    /// See [`DecideError`]; in every case the item is as it was, or expired.
    pub async fn decide(
        &self,
        id: Uuid,
        actor: &Actor,
        answer: Answer,
        note: &str,
        seen_digest: Option<Hash>,
    ) -> Result<Item, DecideError> {
        loop {
            let read = self.read(id)?.ok_or(InboxError::NotFound(id))?;
            if read.item.is_due(self.clock.now_ms()) {
                // It is now closed, or for another role to decide.
                self.expire(&read).await?;
                continue;
            }
            let item = judge(
                &read.item,
                actor,
                &answer,
                note,
                seen_digest,
                self.clock.now_ms(),
            )?;
            let State::Decided(decision) = &item.state else {
                unreachable!("judging decides")
            };
            let data = json!({
                "item": item.id, "kind": item.kind, "subject": item.subject, "requested_by": item.requested_by,
                "proposal_digest": item.proposal_digest, "decision": decision,
            });
            let commit = close(&read).event(event("inbox.decided", &item, data));
            match self.ledger.commit(store(commit, &item)?).await {
                Ok(_) => {
                    self.tell(&item);
                    return Ok(item);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One item.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn get(&self, id: Uuid) -> Result<Option<Item>, InboxError> {
        Ok(self.read(id)?.map(|read| read.item))
    }

    pub(crate) fn read(&self, id: Uuid) -> Result<Option<Read>, InboxError> {
        let Some(bytes) = self.ledger.get(&key::item(id))? else {
            return Ok(None);
        };
        let item = decode(&key::item(id), &bytes)?;
        Ok(Some(Read { item, bytes }))
    }

    pub(crate) fn read_open(&self, open: &str) -> Result<Option<Read>, InboxError> {
        let Some(id) = self.ledger.get(open)? else {
            return Ok(None);
        };
        let named = String::from_utf8_lossy(&id)
            .parse()
            .ok()
            .map(|id| self.read(id));
        // Items are never removed.
        match named.transpose()?.flatten() {
            Some(read) => Ok(Some(read)),
            None => Err(unreadable(open, "it names no item")),
        }
    }

    /// Tells listeners; that there are none is no fault.
    pub(crate) fn tell(&self, item: &Item) {
        let _ = self.changes.send(Arc::new(item.clone()));
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// The item as decided, or why it is not.
fn judge(
    item: &Item,
    actor: &Actor,
    answer: &Answer,
    note: &str,
    seen_digest: Option<Hash>,
    now_ms: u64,
) -> Result<Item, DecideError> {
    if !item.is_open() {
        return Err(DecideError::Closed(Box::new(item.clone())));
    }
    authority(item, actor)?;
    if !item.allowed.contains(&answer.kind()) {
        let allowed: Vec<_> = item.allowed.iter().map(|kind| kind.as_str()).collect();
        return Err(DecideError::Invalid(format!(
            "this item cannot be answered with {:?}: it allows {}",
            answer.kind().as_str(),
            allowed.join(", ")
        )));
    }
    let note = note.trim();
    if note.is_empty() || note.len() > MAX_NOTE {
        return Err(DecideError::Invalid(format!(
            "a decision needs a note of at most {MAX_NOTE} bytes: say in a sentence why"
        )));
    }
    if let Some(seen) = seen_digest.filter(|seen| *seen != item.proposal_digest) {
        return Err(DecideError::ProposalChanged {
            seen,
            now: item.proposal_digest,
        });
    }
    let approved_digest = match answer {
        Answer::Accept => Some(item.proposal_digest),
        Answer::Edit(proposal) => match item::content_fault(&[("edited proposal", proposal)]) {
            Some(fault) => return Err(DecideError::Invalid(fault)),
            None => Some(canonical::digest(proposal)),
        },
        Answer::Respond(text) if text.trim().is_empty() || text.len() > MAX_NOTE => {
            return Err(DecideError::Invalid(format!(
                "a response has 1 to {MAX_NOTE} bytes"
            )));
        }
        Answer::Respond(_) | Answer::Reject => None,
    };
    let decision = Decision {
        by: actor.id.clone(),
        role: item.role.clone(),
        answer: answer.clone(),
        note: note.to_owned(),
        approved_digest,
        at_ms: now_ms,
    };
    Ok(Item {
        state: State::Decided(decision),
        ..item.clone()
    })
}

/// Takes an item out of the open ones, if it is still what was read.
pub(crate) fn close(read: &Read) -> Commit {
    let item = &read.item;
    let commit = Commit::new()
        .expect_value(key::item(item.id), read.bytes.as_slice())
        .delete(key::open(&item.kind, &item.subject));
    match key::due(item) {
        Some(due) => commit.delete(due),
        None => commit,
    }
}

/// Writes an item; an open one with a due time goes into the order of these.
pub(crate) fn store(commit: Commit, item: &Item) -> Result<Commit, InboxError> {
    let commit = commit.put(key::item(item.id), encode(item)?);
    Ok(match key::due(item).filter(|_| item.is_open()) {
        Some(due) => commit.put(due, b"".as_slice()),
        None => commit,
    })
}

pub(crate) fn event(kind: &'static str, item: &Item, data: serde_json::Value) -> Event {
    Event::new(kind, "/inbox", format!("inbox/{}", item.id), data)
}

pub(crate) fn encode(item: &Item) -> Result<Vec<u8>, InboxError> {
    serde_json::to_vec(item).map_err(|error| unreadable(&key::item(item.id), &error.to_string()))
}

pub(crate) fn decode(key: &str, bytes: &[u8]) -> Result<Item, InboxError> {
    serde_json::from_slice(bytes).map_err(|error| unreadable(key, &error.to_string()))
}

pub(crate) fn unreadable(key: &str, reason: &str) -> InboxError {
    InboxError::Unreadable {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}
