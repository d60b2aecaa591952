//! The way back: whoever asked learns of the answer without asking again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use uuid::Uuid;

use crate::error::InboxError;
use crate::inbox::Inbox;
use crate::item::Item;

impl Inbox {
    /// Every item from now on as it is after being raised, escalated, decided or expired. A receiver that lags lists
    /// the items instead.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Item>> {
        self.changes.subscribe()
    }

    /// Returns the item when it is closed, or as it is at `until_ms`. [`Item::approved`] is the answer to act on.
    ///
    /// # Errors
    /// There is no such item, or the ledger failed.
    pub async fn wait(&self, id: Uuid, until_ms: u64) -> Result<Item, InboxError> {
        // Listening begins before looking: what closes in between is heard.
        let mut changes = self.changes.subscribe();
        loop {
            let item = self.get(id)?.ok_or(InboxError::NotFound(id))?;
            let left = until_ms.saturating_sub(self.clock.now_ms());
            if !item.is_open() || left == 0 {
                return Ok(item);
            }
            let heard = async {
                loop {
                    match changes.recv().await {
                        Ok(item) if item.id != id => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return,
                        // This handle holds a sender itself.
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // The injected clock may run otherwise than the timer; it is asked again each time round.
            let _ = tokio::time::timeout(Duration::from_millis(left), heard).await;
        }
    }
}
