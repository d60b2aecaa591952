//! Instances made before they are asked for, and dropped after the answer has gone.
//!
//! Each instance still serves one call; only its making and its end leave the caller's path. One thread does both for all
//! plugins. When callers are faster than it, they make their own instances: standby is never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crossbeam_queue::ArrayQueue;
use wasmtime::Store;

use crate::exports::Exports;
use crate::sandbox::Guest;

/// An instance that has not been called yet.
pub(crate) struct Prepared {
    pub(crate) store: Store<Guest>,
    pub(crate) exports: Exports,
}

/// Makes an instance of one plugin version.
pub(crate) trait Source: Send + Sync {
    /// Makes one, with every limit set.
    fn prepare(&self) -> wasmtime::Result<Prepared>;
}

/// The instances standing by for one plugin version.
pub(crate) struct Standby {
    shelf: Arc<Shelf>,
    keeper: Keeper,
}

struct Shelf {
    ready: ArrayQueue<Prepared>,
    spent: ArrayQueue<Prepared>,
    source: Arc<dyn Source>,
    asked: AtomicBool,
}

/// Asks the thread that keeps shelves full.
#[derive(Clone)]
pub(crate) struct Keeper(Sender<Arc<Shelf>>);

impl Keeper {
    /// Starts the thread. It ends when the last keeper is dropped.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        thread::Builder::new()
            .name("polity-standby".into())
            .spawn(move || keep(&receiver))?;
        Ok(Self(sender))
    }
}

fn keep(asked: &Receiver<Arc<Shelf>>) {
    while let Ok(shelf) = asked.recv() {
        // Cleared first: whoever takes from now on may ask again.
        shelf.asked.store(false, Ordering::Release);
        while shelf.spent.pop().is_some() {}
        // Nobody but this list holds the shelf of a plugin that has been replaced.
        while Arc::strong_count(&shelf) > 1 && !shelf.ready.is_full() {
            match shelf.source.prepare() {
                Ok(prepared) => drop(shelf.ready.push(prepared)),
                // The caller makes its own and reports why it cannot.
                Err(_) => break,
            }
        }
    }
}

impl Standby {
    /// Room for `depth` instances (at least one); the first are made now, in the background.
    pub(crate) fn new(depth: usize, source: Arc<dyn Source>, keeper: Keeper) -> Self {
        let depth = depth.max(1);
        let shelf = Arc::new(Shelf {
            ready: ArrayQueue::new(depth),
            spent: ArrayQueue::new(depth),
            source,
            asked: AtomicBool::new(false),
        });
        let standby = Self { shelf, keeper };
        standby.ask();
        standby
    }

    /// An instance: one that stands by, or a new one.
    pub(crate) fn take(&self) -> wasmtime::Result<Prepared> {
        let taken = self.shelf.ready.pop();
        // Waking the thread costs a system call, so it is woken for most of a shelf at a time.
        if self.shelf.ready.len() <= self.shelf.ready.capacity() / 4 {
            self.ask();
        }
        match taken {
            Some(prepared) => Ok(prepared),
            None => self.shelf.source.prepare(),
        }
    }

    /// Gives an instance up. It is never called again.
    pub(crate) fn discard(&self, prepared: Prepared) {
        // A full list is no reason to wait: then the caller drops it.
        drop(self.shelf.spent.push(prepared));
    }

    fn ask(&self) {
        if !self.shelf.asked.swap(true, Ordering::AcqRel) {
            // The thread is gone only while the process ends.
            let _ = self.keeper.0.send(self.shelf.clone());
        }
    }
}
