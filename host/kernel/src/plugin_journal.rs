//! Writes down what happens to plugins, every event, in order.
//!
//! The runtime tells of a change on its own thread, which has other things to do than to wait for a disk. So changes go
//! through a channel without a limit (they are few: a person copies a file) to a thread that commits them durably, many
//! in one commit where they come fast.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use polity_ledger::{Commit, CommitError, Event, Ledger};
use polity_runtime::registry;
use tokio::sync::{mpsc, oneshot};

use crate::kept::cut;

/// Changes written in one commit.
const BATCH: usize = 100;

/// Longest name of a plugin in a subject. Names of files that can never be plugins are told of as well.
const MAX_NAME: usize = 200;

/// The thread and the way to it. Everything that was told is written before this is dropped.
pub(crate) struct PluginJournal {
    sender: mpsc::UnboundedSender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Change(registry::Event),
    /// Called when everything before it is on the disk.
    Flush(Box<dyn FnOnce() + Send>),
    Close,
}

impl PluginJournal {
    pub(crate) fn start(ledger: Ledger) -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let thread = thread::Builder::new()
            .name("polity-journal".into())
            .spawn(move || runtime.block_on(write(&ledger, receiver)))?;
        Ok(Self {
            sender,
            thread: Some(thread),
        })
    }

    /// What the runtime is to call.
    pub(crate) fn observer(&self) -> Arc<dyn Fn(&registry::Event) + Send + Sync> {
        let sender = self.sender.clone();
        // Nobody receives only after the journal has been closed, which is after the runtime has gone.
        Arc::new(move |event| drop(sender.send(Message::Change(event.clone()))))
    }

    /// Returns when everything that was told before is on the disk.
    pub(crate) async fn flush(&self) {
        let (tell, told) = oneshot::channel();
        if self
            .sender
            .send(Message::Flush(Box::new(move || {
                tell.send(()).unwrap_or_default()
            })))
            .is_ok()
        {
            let _ = told.await;
        }
    }

    /// The same for a caller that has a thread to wait with.
    pub(crate) fn flush_blocking(&self) {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        if self
            .sender
            .send(Message::Flush(Box::new(move || {
                tell.send(()).unwrap_or_default()
            })))
            .is_ok()
        {
            let _ = told.recv();
        }
    }
}

impl Drop for PluginJournal {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Close);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal of plugins died");
        }
    }
}

async fn write(ledger: &Ledger, mut receiver: mpsc::UnboundedReceiver<Message>) {
    let mut messages = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut messages, BATCH).await > 0 {
        let mut commit = Commit::new();
        let mut is_empty = true;
        let mut flushes = Vec::new();
        let mut is_closing = false;
        for message in messages.drain(..) {
            match message {
                Message::Change(change) => {
                    commit = commit.event(event(&change));
                    is_empty = false;
                }
                Message::Flush(tell) => flushes.push(tell),
                Message::Close => is_closing = true,
            }
        }
        if !is_empty && let Err(error) = ledger.commit(commit).await {
            report(&error);
        }
        for tell in flushes {
            tell();
        }
        if is_closing {
            return;
        }
    }
}

fn event(change: &registry::Event) -> Event {
    let name: String = cut(&change.name, MAX_NAME)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    // A change is text and numbers; if it ever were not, the event would still say what happened to whom.
    let data = serde_json::to_value(change).unwrap_or_default();
    Event::new(
        format!("plugin.{}", change.change.name()),
        "/runtime",
        format!("plugin/{name}"),
        data,
    )
}

fn report(error: &CommitError) {
    tracing::error!(%error, "changes of plugins could not be written to the ledger");
}

#[cfg(test)]
mod tests {
    use polity_ledger::ManualClock;
    use polity_runtime::registry::Change;

    use super::*;

    fn removed(name: &str) -> registry::Event {
        registry::Event {
            name: name.into(),
            generation: 1,
            change: Change::Removed,
        }
    }

    #[tokio::test]
    async fn every_change_is_written_in_order() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let journal = PluginJournal::start(ledger.clone()).unwrap();
        let observer = journal.observer();
        let names: Vec<String> = (0..1000).map(|index| format!("p{index}")).collect();
        names.iter().for_each(|name| observer(&removed(name)));
        journal.flush().await;
        let subjects = |events: Vec<polity_ledger::StoredEvent>| -> Vec<String> {
            events.into_iter().map(|event| event.subject).collect()
        };
        let expected: Vec<String> = names.iter().map(|name| format!("plugin/{name}")).collect();
        assert_eq!(
            subjects(ledger.events_of_kind("plugin.removed", 0, 2000).unwrap()),
            expected
        );
        observer(&removed("last"));
        drop(journal);
        assert_eq!(subjects(ledger.last(1).unwrap()), ["plugin/last"]);
    }

    #[tokio::test]
    async fn a_file_with_an_odd_name_cannot_keep_its_event_out_of_the_ledger() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let journal = PluginJournal::start(ledger.clone()).unwrap();
        journal.observer()(&removed(&format!("a\n\u{7}{}", "ö".repeat(5_000))));
        journal.flush().await;
        assert!(ledger.last(1).unwrap()[0].subject.starts_with("plugin/aö"));
    }
}
