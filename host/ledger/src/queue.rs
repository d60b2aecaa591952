//! Where commits wait for the writer.
//!
//! The caller's share of a relaxed commit is one lock and one push, and seldom a wake-up: the writer lingers some
//! milliseconds over relaxed commits to write many in one batch. Whoever needs an answer (a durable commit, a commit
//! with expectations, a read that must see what came before) makes the queue urgent, and the lingering ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::chain::Draft;
use crate::commit::{CommitError, Receipt};

/// A batch wakes all of sled's threads, so at a thousand commits a second most of the processor time goes into
/// batches, not commits. Short enough that whoever watches events go by does not notice.
const LINGER: Duration = Duration::from_millis(50);
/// Rows that share a flush at most. An event is three.
const GROUP_ROWS: usize = 900;
/// Beyond this a relaxed commit waits for room: memory is finite and a disk can stall.
const CAPACITY: usize = 16_384;

pub(crate) type Outcome = Result<Receipt, CommitError>;

/// Who is told what became of a commit.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// Nobody.
    Nobody,
    /// A task, once the commit is durable.
    Durable(oneshot::Sender<Outcome>),
    /// A thread, once the commit is applied.
    Applied(mpsc::SyncSender<Outcome>),
}

/// A commit in the queue.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) draft: Draft,
    pub(crate) waiter: Waiter,
}

/// Shared by the callers and the writer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// For the writer: there is something to do.
    work: Condvar,
    /// For callers: the writer has made progress.
    progress: Condvar,
    /// Tickets up to this one have been handed in by callers that do not wait themselves.
    unawaited: AtomicU64,
    /// Tickets up to this one are visible in the store.
    applied: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Pending>,
    /// The ticket of the newest entry.
    last_ticket: u64,
    /// Entries up to this ticket are not lingered over.
    urgent: u64,
    /// The ticket of the newest entry that the writer has taken.
    taken: u64,
    writer: Writer,
    closing: bool,
    stopped: Option<String>,
}

/// What the writer is doing: `Busy => Idle | Lingering => Busy`.
#[derive(Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Busy,
    Idle,
    Lingering,
}

impl Queue {
    /// Hands a commit in. A caller that does not wait for the outcome waits here while the queue is full.
    pub(crate) fn push(&self, pending: Pending) -> Result<(), CommitError> {
        let waits = !matches!(pending.waiter, Waiter::Nobody);
        let mut state = self.state.lock();
        while !waits && state.entries.len() >= CAPACITY && state.stopped.is_none() {
            self.progress.wait(&mut state);
        }
        if let Some(reason) = &state.stopped {
            return Err(CommitError::Stopped(reason.clone()));
        }
        state.entries.push_back(pending);
        state.last_ticket += 1;
        if waits {
            state.urgent = state.last_ticket;
        } else {
            self.unawaited.store(state.last_ticket, Ordering::Release);
        }
        let wake = state.writer == Writer::Idle || (waits && state.writer == Writer::Lingering);
        if wake {
            state.writer = Writer::Busy;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Returns when every commit that was handed in before, and whose caller did not wait, is visible in the store.
    /// Once the ledger has stopped there is nothing to wait for.
    pub(crate) fn settle(&self) {
        let target = self.unawaited.load(Ordering::Acquire);
        if self.applied.load(Ordering::Acquire) >= target {
            return;
        }
        let mut state = self.state.lock();
        state.urgent = state.urgent.max(target);
        if state.writer == Writer::Lingering {
            state.writer = Writer::Busy;
            self.work.notify_one();
        }
        while self.applied.load(Ordering::Acquire) < target && state.stopped.is_none() {
            self.progress.wait(&mut state);
        }
    }

    /// The next commits to write together, `None` when the ledger is closed and the queue is empty.
    pub(crate) fn take(&self) -> Option<Vec<Pending>> {
        let mut state = self.state.lock();
        loop {
            if state.entries.is_empty() {
                if state.closing {
                    return None;
                }
                state.writer = Writer::Idle;
                self.work.wait(&mut state);
                continue;
            }
            // The first entry's ticket is one past the last that was taken.
            let deadline = Instant::now() + LINGER;
            while state.urgent <= state.taken
                && !state.closing
                && state.entries.len() < GROUP_ROWS / 3
            {
                state.writer = Writer::Lingering;
                if self.work.wait_until(&mut state, deadline).timed_out() {
                    break;
                }
            }
            state.writer = Writer::Busy;
            let mut group = Vec::new();
            let mut rows = 0;
            while let Some(pending) = state.entries.front() {
                rows += pending.draft.commit.rows();
                if rows > GROUP_ROWS && !group.is_empty() {
                    break;
                }
                group.extend(state.entries.pop_front());
            }
            state.taken += group.len() as u64;
            return Some(group);
        }
    }

    /// The commits that were taken are visible now.
    pub(crate) fn settled(&self) {
        let state = self.state.lock();
        self.applied.store(state.taken, Ordering::Release);
        drop(state);
        self.progress.notify_all();
    }

    /// No more commits will come. What is queued is still written.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }

    /// Nothing more is written. Queued commits are dropped, which tells their callers.
    pub(crate) fn stop(&self, reason: String) {
        let dropped = {
            let mut state = self.state.lock();
            state.stopped = Some(reason);
            std::mem::take(&mut state.entries)
        };
        self.progress.notify_all();
        drop(dropped);
    }

    /// What to tell a caller whose commit was dropped.
    pub(crate) fn stopped(&self) -> CommitError {
        let reason = self.state.lock().stopped.clone();
        CommitError::Stopped(reason.unwrap_or_else(|| "it has been closed".to_owned()))
    }
}

impl Pending {
    /// Splits the commit from whoever is to be told of it.
    pub(crate) fn split(self) -> (Draft, Waiter) {
        (self.draft, self.waiter)
    }
}

impl Waiter {
    /// Tells the outcome. Whoever went away in the meantime is not told.
    pub(crate) fn tell(self, outcome: Outcome) {
        match self {
            Self::Nobody => {
                if let Err(error) = outcome {
                    tracing::error!(%error, "a commit that nobody waits for was not made");
                }
            }
            Self::Durable(task) => drop(task.send(outcome)),
            Self::Applied(thread) => drop(thread.send(outcome)),
        }
    }

    pub(crate) fn is_durable(&self) -> bool {
        matches!(self, Self::Durable(_))
    }
}
