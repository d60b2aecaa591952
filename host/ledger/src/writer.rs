//! The one thread that writes.
//!
//! One writer gives the chain its total order without a lock around hashing, and lets few batches and one flush serve
//! every commit that queued up meanwhile: the slower the disk, the more commits share a flush.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::chain::{Group, Head};
use crate::news::News;
use crate::queue::{Pending, Queue, Waiter};
use crate::row::Encoder;
use crate::store::{Appended, Fence, Store, panic_text};
use crate::witness::Witness;

/// What the writer has done since it was started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

/// The state of the writing thread.
pub(crate) struct Writer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fence: Fence,
    pub(crate) head: Head,
    pub(crate) encoder: Encoder,
    pub(crate) queue: Arc<Queue>,
    pub(crate) news: Arc<News>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) witness: Option<Witness>,
}

impl Writer {
    /// Writes until the ledger is closed, or until the store fails: then what is durable is unknown, and going on
    /// could acknowledge a commit on top of one that is lost.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.queue.take() {
            let mut group = group.into_iter();
            let mut waiting = Vec::new();
            let written =
                panic::catch_unwind(AssertUnwindSafe(|| self.write(&mut group, &mut waiting)));
            let reason = match written {
                Ok(Ok(())) => continue,
                Ok(Err(reason)) => reason,
                Err(panic) => panic_text(panic.as_ref()),
            };
            tracing::error!(reason, "the ledger takes no more commits");
            // First the reason, then the callers: whoever finds his commit dropped asks for it.
            self.queue.stop(reason);
            return;
        }
        match (self.store.sync(), &mut self.witness) {
            (Ok(()), Some(witness)) => witness.note(self.head),
            (Ok(()), None) => {}
            (Err(error), _) => tracing::error!(%error, "the last commits may not be on the disk"),
        }
    }

    fn write(
        &mut self,
        pending: &mut impl Iterator<Item = Pending>,
        waiting: &mut Vec<(Waiter, crate::Receipt)>,
    ) -> Result<(), String> {
        let mut group = Group::new(self.head);
        let mut sync = false;
        let mut commits = 0;
        for (draft, waiter) in pending.map(Pending::split) {
            match group.add(self.store.as_ref(), &mut self.encoder, draft) {
                Ok(Ok(receipt)) => {
                    commits += 1;
                    sync |= waiter.is_durable();
                    waiting.push((waiter, receipt));
                }
                Ok(Err(refused)) => waiter.tell(Err(refused)),
                Err(error) => {
                    // Kept until the reason is known to the queue.
                    waiting.push((
                        waiter,
                        crate::Receipt {
                            event_ids: Vec::new(),
                            last_seq: None,
                        },
                    ));
                    return Err(error.to_string());
                }
            }
            if group.is_full() {
                self.append(&mut group)?;
            }
        }
        if !group.is_empty() {
            self.append(&mut group)?;
        }
        self.queue.settled();
        for (waiter, receipt) in waiting.extract_if(.., |(waiter, _)| !waiter.is_durable()) {
            waiter.tell(Ok(receipt));
        }
        if sync {
            self.store.sync().map_err(|error| error.to_string())?;
            self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.counters.commits.fetch_add(commits, Ordering::Relaxed);
        self.counters
            .events
            .fetch_add(group.events.len() as u64, Ordering::Relaxed);
        for event in group.events {
            self.news.tell(event);
        }
        for (waiter, receipt) in waiting.drain(..) {
            waiter.tell(Ok(receipt));
        }
        if sync && let Some(witness) = self.witness.as_mut().filter(|it| it.is_due(self.head)) {
            witness.note(self.head);
        }
        Ok(())
    }

    fn append(&mut self, group: &mut Group) -> Result<(), String> {
        match self.store.append(group.take_batch(self.fence.clone())) {
            Ok(Appended::Done) => {}
            Ok(Appended::Fenced | Appended::Changed(_)) => {
                return Err("another writer has taken over".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
        self.head = group.head;
        self.counters.groups.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
