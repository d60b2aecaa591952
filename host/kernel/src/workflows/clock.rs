//! The one task that sleeps for all workflows: until the next timer, the next scheduled start, or until it is woken.

use std::time::Duration;

use polity_ledger::ReadError;
use polity_workflow::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::drive::Fact;
use super::key;
use super::stored::Stored;
use crate::Kernel;

/// The longest sleep. A machine that was suspended has its clock ahead of its timers.
const LONGEST: Duration = Duration::from_secs(60);

/// How long nothing is tried after the ledger failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Kernel {
    /// Goes on with every instance that has not ended, and wakes instances and schedules when their time comes, for as
    /// long as this is polled.
    pub async fn follow_workflows(&self) {
        // Listening begins before looking: what is answered in between is heard.
        let mut answers = self.inner.inbox.subscribe();
        let unfinished = std::mem::take(&mut *self.inner.workflows.unfinished.lock());
        if !unfinished.is_empty() {
            tracing::info!(instances = unfinished.len(), "workflows in progress go on");
        }
        for id in unfinished {
            self.tell(id, Fact::Recover);
            tokio::task::yield_now().await;
        }
        self.redeliver().await;
        loop {
            let next = self.wake_due().await;
            let pause = next.map_or(LONGEST, |at| {
                Duration::from_millis(at.saturating_sub(self.inner.clock.now_ms())).min(LONGEST)
            });
            let heard = async {
                tokio::select! {
                    () = self.inner.workflows.wake.notified() => None,
                    heard = answers.recv() => Some(heard),
                }
            };
            match timeout(pause, heard).await {
                Ok(Some(Ok(item))) if !item.is_open() => self.tell_of_item(item.id),
                Ok(Some(Err(RecvError::Lagged(_)))) => self.tell_of_all_items(),
                // This kernel holds a sender itself, so it never closes.
                _ => {}
            }
        }
    }

    /// Wakes what is due, and returns when the next is. [`Kernel::follow_workflows`] does it whenever it is time; this is for
    /// whoever has a clock of their own.
    pub async fn wake_due(&self) -> Option<u64> {
        if self.is_draining() {
            return None;
        }
        let index = &self.inner.workflows.index;
        for id in index.due(self.inner.clock.now_ms()) {
            self.tell(id, Fact::Event(Box::new(Event::TimerFired)));
        }
        let planned = match self.start_due().await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "a schedule cannot start what is due");
                let later = u64::try_from(AFTER_FAILURE.as_millis()).unwrap_or_default();
                Some(self.inner.clock.now_ms().saturating_add(later))
            }
        };
        [index.next(), planned].into_iter().flatten().min()
    }

    /// Notes what every instance waits for that has not ended: before anybody can send it anything.
    pub(crate) fn index_workflows(&self) -> Result<(), ReadError> {
        self.note_undelivered()?;
        let mut after: Option<String> = None;
        loop {
            let page = self.inner.ledger.scan(key::OPEN, after.as_deref(), 200)?;
            for (place, bytes) in &page {
                match serde_json::from_slice(bytes) {
                    Ok(stored) => self.note_stored(&stored),
                    Err(error) => tracing::error!(place, %error, "an instance does not read"),
                }
            }
            match page.into_iter().next_back() {
                Some((last, _)) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    fn note_stored(&self, stored: &Stored) {
        let Ok(id) = stored.instance.id().parse() else {
            return;
        };
        let workflows = &self.inner.workflows;
        workflows.tally.found(id, &stored.instance);
        match self.constitution_of(&stored.constitution) {
            Ok(constitution) => {
                if let Some(workflow) = constitution.workflow(&stored.name) {
                    workflows.index.note(id, &stored.instance, workflow);
                }
            }
            Err(error) => {
                tracing::error!(instance = %id, %error, "an instance stands still");
                return;
            }
        }
        let has_work = stored.instance.next_wake() == Some(0)
            || stored.instance.outcome().is_some()
            || !stored.instance.pending().is_empty();
        if has_work {
            workflows.unfinished.lock().push(id);
        }
    }

    fn tell_of_item(&self, item: uuid::Uuid) {
        match self.inner.ledger.get(&key::item(item)) {
            Ok(Some(instance)) => {
                if let Ok(instance) = String::from_utf8_lossy(&instance).parse() {
                    self.tell(instance, Fact::Item(item));
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%item, %error, "an answer cannot be told to who asked"),
        }
    }

    /// More was answered at once than was heard: all are looked at.
    fn tell_of_all_items(&self) {
        let mut after: Option<String> = None;
        while let Ok(page) = self.inner.ledger.scan(key::ITEM, after.as_deref(), 200) {
            for (place, instance) in &page {
                let item = place.strip_prefix(key::ITEM).and_then(|id| id.parse().ok());
                let instance = String::from_utf8_lossy(instance).parse().ok();
                if let (Some(item), Some(instance)) = (item, instance) {
                    self.tell(instance, Fact::Item(item));
                }
            }
            match page.into_iter().next_back() {
                Some((last, _)) => after = Some(last),
                None => return,
            }
        }
    }
}
