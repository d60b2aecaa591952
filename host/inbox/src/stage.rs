//! Raising within a commit of the caller's own.
//!
//! Whoever writes down that a person has to decide writes the question down in the same transaction: then neither is ever
//! there without the other, whenever the machine stops.

use polity_ledger::{Commit, new_id};
use serde_json::json;

use crate::error::RaiseError;
use crate::inbox::{Inbox, Read, encode, event};
use crate::item::{Item, NewItem};
use crate::key;

/// A question about to be put. Nothing has happened yet: [`Staged::add_to`] adds it to a commit, and
/// [`Inbox::announce`] tells listeners once that commit has been taken.
///
/// A commit with it fails with [`Conflict`](polity_ledger::CommitError::Conflict) where the same question was put, or the
/// open one was closed, in the meantime: stage again, and commit again.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    item: Item,
    is_new: bool,
    same_proposal: bool,
    /// The item as it is to be written; empty where it is there already.
    bytes: Vec<u8>,
}

impl Staged {
    /// The item: the new one, or the open one of the same kind and subject.
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// Whether it is new.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it proposes exactly what was to be proposed; see [`Raised::same_proposal`](crate::Raised::same_proposal).
    pub fn same_proposal(&self) -> bool {
        self.same_proposal
    }

    /// Adds what there is to write, and what must still hold when it is written.
    #[must_use]
    pub fn add_to(&self, commit: Commit) -> Commit {
        let item = &self.item;
        let open = key::open(&item.kind, &item.subject);
        if !self.is_new {
            return commit.expect_value(open, item.id.to_string());
        }
        let commit = commit
            .expect_absent(&open)
            .put(open, item.id.to_string())
            .put(key::item(item.id), self.bytes.as_slice())
            .event(event("inbox.raised", item, json!(item)));
        match key::due(item) {
            Some(due) => commit.put(due, b"".as_slice()),
            None => commit,
        }
    }
}

impl Inbox {
    /// Makes a question ready to be put to a role. An open item whose time is over is closed on the way.
    ///
    /// # Errors
    /// The question lacks something, or the ledger failed.
    pub async fn stage(&self, new: NewItem) -> Result<Staged, RaiseError> {
        let now_ms = self.clock.now_ms();
        let item = new
            .into_item(now_ms, new_id(now_ms))
            .map_err(RaiseError::Invalid)?;
        let open = key::open(&item.kind, &item.subject);
        while let Some(read) = self.read_open(&open)? {
            // What is due is over, even if nobody has looked since.
            self.expire(&read).await?;
            if let Some(Read { item: there, .. }) = self.read(read.item.id)?
                && there.is_open()
            {
                return Ok(Staged {
                    same_proposal: there.proposal_digest == item.proposal_digest,
                    is_new: false,
                    item: there,
                    bytes: Vec::new(),
                });
            }
        }
        let bytes = encode(&item)?;
        Ok(Staged {
            item,
            is_new: true,
            same_proposal: true,
            bytes,
        })
    }

    /// Tells listeners of a question that was put with a commit of the caller's.
    pub fn announce(&self, staged: &Staged) {
        if staged.is_new {
            self.tell(&staged.item);
        }
    }
}
