//! Taking a question back, by itself or within a commit of the caller's own: whoever does not need the answer any more
//! says so in the transaction in which that came about. Nothing here can approve.

use polity_ledger::{Commit, CommitError};
use serde_json::json;
use uuid::Uuid;

use crate::error::InboxError;
use crate::inbox::{Inbox, Read, encode, event};
use crate::item::{Item, State};
use crate::key;

/// A question about to be taken back. A commit with it fails with [`Conflict`](polity_ledger::CommitError::Conflict)
/// where somebody has answered in the meantime: read again, and decide again whether to take it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Withdrawal {
    item: Item,
    open: Vec<u8>,
    closed: Vec<u8>,
}

impl Withdrawal {
    /// The item, withdrawn.
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// Adds what there is to write, and what must still hold when it is written.
    #[must_use]
    pub fn add_to(&self, commit: Commit) -> Commit {
        let item = &self.item;
        let commit = commit
            .expect_value(key::item(item.id), self.open.as_slice())
            .delete(key::open(&item.kind, &item.subject))
            .put(key::item(item.id), self.closed.as_slice())
            .event(event(
                "inbox.withdrawn",
                item,
                json!({ "item": item.id, "kind": item.kind, "subject": item.subject, "state": item.state }),
            ));
        match key::due(item) {
            Some(due) => commit.delete(due),
            None => commit,
        }
    }
}

impl Inbox {
    /// Makes a question ready to be taken back; none where it is closed already, or there is none.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn withdrawing(&self, id: Uuid, why: &str) -> Result<Option<Withdrawal>, InboxError> {
        let Some(Read { item, bytes }) = self.read(id)?.filter(|read| read.item.is_open()) else {
            return Ok(None);
        };
        let item = Item {
            state: State::Withdrawn {
                at_ms: self.clock.now_ms(),
                why: why.to_owned(),
            },
            ..item
        };
        Ok(Some(Withdrawal {
            closed: encode(&item)?,
            open: bytes,
            item,
        }))
    }

    /// Takes a question back by itself; true where it was still open. What was decided stays decided.
    ///
    /// # Errors
    /// The ledger failed.
    pub async fn withdraw(&self, id: Uuid, why: &str) -> Result<bool, InboxError> {
        while let Some(withdrawal) = self.withdrawing(id, why)? {
            match self.ledger.commit(withdrawal.add_to(Commit::new())).await {
                Ok(_) => {
                    self.announce_withdrawal(&withdrawal);
                    return Ok(true);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Tells listeners of a question that was taken back with a commit of the caller's.
    pub fn announce_withdrawal(&self, withdrawal: &Withdrawal) {
        self.tell(&withdrawal.item);
    }
}
