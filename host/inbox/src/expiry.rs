//! What time does to an item: it rejects, or asks another role. Nothing here can approve, because nothing here can
//! make a [`Decision`](crate::Decision).

use polity_ledger::CommitError;
use serde_json::json;
use uuid::Uuid;

use crate::error::InboxError;
use crate::inbox::{Inbox, Read, close, event, store};
use crate::item::{Escalation, Item, OnExpiry, State};
use crate::key;

const PAGE: usize = 200;

impl Inbox {
    /// Rejects or escalates every item whose time is over. Returns those it changed. Doing it twice, or from two
    /// places at once, changes nothing more.
    ///
    /// # Errors
    /// The ledger failed; items before the failure are changed.
    pub async fn expire_due(&self) -> Result<Vec<Item>, InboxError> {
        let now_ms = self.clock.now_ms();
        let mut changed = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.ledger.scan(key::DUE, after.as_deref(), PAGE)?;
            let due = page
                .iter()
                .map_while(|(key, _)| key::split_due(key).filter(|(due, _)| *due <= now_ms));
            let due: Vec<Uuid> = due.map(|(_, id)| id).collect();
            for id in &due {
                if let Some(read) = self.read(*id)? {
                    changed.extend(self.expire(&read).await?);
                }
            }
            if due.len() < PAGE {
                return Ok(changed);
            }
            after = page.into_iter().next_back().map(|(key, _)| key);
        }
    }

    /// Lets an item expire if its time is over. `None` when it is not, or when somebody else was faster.
    pub(crate) async fn expire(&self, read: &Read) -> Result<Option<Item>, InboxError> {
        let now_ms = self.clock.now_ms();
        if !read.item.is_due(now_ms) {
            return Ok(None);
        }
        let item = expired(&read.item, now_ms);
        let (kind, data) = match &item.state {
            State::Open => (
                "inbox.escalated",
                json!({ "escalation": item.escalations.last(), "due_at_ms": item.due_at_ms }),
            ),
            _ => ("inbox.expired", json!({ "role": item.role })),
        };
        let mut data = data;
        data["item"] = json!(item.id);
        data["kind"] = json!(item.kind);
        data["subject"] = json!(item.subject);
        let mut commit = close(read).event(event(kind, &item, data));
        if item.is_open() {
            commit = commit.put(key::open(&item.kind, &item.subject), item.id.to_string());
        }
        match self.ledger.commit(store(commit, &item)?).await {
            Ok(_) => {
                self.tell(&item);
                Ok(Some(item))
            }
            Err(CommitError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The item after its time: closed, or with another role and as much time as the first role had.
fn expired(item: &Item, now_ms: u64) -> Item {
    let mut item = item.clone();
    match std::mem::replace(&mut item.on_expiry, OnExpiry::Reject) {
        OnExpiry::Reject => item.state = State::Expired { at_ms: now_ms },
        OnExpiry::Escalate { to_role } => {
            let time = item
                .due_at_ms
                .unwrap_or(now_ms)
                .saturating_sub(item.raised_at_ms)
                .max(1);
            item.due_at_ms = Some(now_ms.saturating_add(time));
            let from_role = std::mem::replace(&mut item.role, to_role.clone());
            item.escalations.push(Escalation {
                from_role,
                to_role,
                at_ms: now_ms,
            });
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::item;

    #[test]
    fn an_escalated_item_has_another_role_as_much_time_again_and_is_rejected_next() {
        let mut first = item("clerk", "agent:a");
        first.on_expiry = OnExpiry::Escalate {
            to_role: "owner".to_owned(),
        };
        let second = expired(&first, 2_500);
        assert_eq!(
            (second.role.as_str(), second.due_at_ms, second.is_open()),
            ("owner", Some(3_500), true)
        );
        assert_eq!(second.on_expiry, OnExpiry::Reject);
        let third = expired(&second, 3_600);
        let expired = State::Expired { at_ms: 3_600 };
        assert_eq!(third.state, expired);
        assert_eq!(third.escalations.len(), 1);
    }
}
