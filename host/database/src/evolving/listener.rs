//! The engine's observer: what is watched is remembered, and whoever evolves the schema is told that there is use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use polity_engine::{Observer, QueryObservation, WriteKind, WriteObservation};

use super::{Links, Trials};
use crate::watching::Watching;

/// Hears all use of a database.
pub(crate) struct Listener {
    watching: Arc<Watching>,
    pub(crate) trials: Arc<Trials>,
    pub(crate) links: Arc<Links>,
    pub(crate) bell: Arc<Bell>,
}

/// Wakes the evolver.
#[derive(Default)]
pub(crate) struct Bell {
    /// Queries and writes since the last round.
    used: AtomicU64,
    /// Whether the evolver sleeps until there is use. Whoever says so looks at the use afterwards, and whoever counts
    /// use looks at this afterwards: one of them sees the other.
    is_deep: AtomicBool,
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Listener {
    pub(crate) fn new(watching: Arc<Watching>) -> Self {
        Self {
            watching,
            trials: Arc::default(),
            links: Arc::default(),
            bell: Arc::default(),
        }
    }
}

impl Observer for Listener {
    fn query(&self, query: &QueryObservation<'_>) {
        Observer::query(&*self.watching, query);
        self.bell.used();
    }

    fn write(&self, write: &WriteObservation<'_>) {
        Observer::write(&*self.watching, write);
        self.trials.wrote(write.collection);
        if write.kind != WriteKind::Delete && self.links.wrote(write) {
            self.bell.ring();
        }
        self.bell.used();
    }
}

impl Bell {
    fn used(&self) {
        self.used.fetch_add(1, Ordering::SeqCst);
        if self.is_deep.load(Ordering::SeqCst) && self.is_deep.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Wakes whoever waits, or who waits next.
    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.ring.notify_all();
    }

    /// Whether there has been use, without taking note of it.
    pub(super) fn has_use(&self) -> bool {
        self.used.load(Ordering::SeqCst) > 0
    }

    /// Takes note of the use so far.
    pub(super) fn take_use(&self) -> u64 {
        self.used.swap(0, Ordering::SeqCst)
    }

    /// Waits for a ring, or until the time is over; without a time for use too.
    pub(super) fn wait(&self, longest: Option<std::time::Duration>) {
        let mut rung = self.rung.lock();
        if longest.is_none() {
            self.is_deep.store(true, Ordering::SeqCst);
            // Use that came before the flag was seen.
            if self.has_use() {
                self.is_deep.store(false, Ordering::SeqCst);
                return;
            }
        }
        if !*rung {
            match longest {
                Some(longest) => {
                    self.ring.wait_for(&mut rung, longest);
                }
                None => self.ring.wait(&mut rung),
            }
        }
        *rung = false;
        self.is_deep.store(false, Ordering::SeqCst);
    }
}
