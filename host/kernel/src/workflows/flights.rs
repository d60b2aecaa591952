//! Effects that are on their way, and those that somebody stopped before they began.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use uuid::Uuid;

/// What this process has begun, and what it must not begin. After a crash there is nothing in it, and what is stored says
/// what was asked for.
#[derive(Default)]
pub(super) struct Flights {
    begun: Mutex<HashMap<String, AbortHandle>>,
    held: Mutex<HashMap<Uuid, HashSet<String>>>,
}

impl Flights {
    /// Begins an effect unless it has begun.
    pub(super) fn begin(&self, name: &str, begin: impl FnOnce() -> AbortHandle) {
        let mut begun = self.begun.lock();
        if !begun.contains_key(name) {
            begun.insert(name.to_owned(), begin());
        }
    }

    /// It has ended.
    pub(super) fn end(&self, name: &str) {
        self.begun.lock().remove(name);
    }

    pub(super) fn is_in_flight(&self, name: &str) -> bool {
        self.begun.lock().contains_key(name)
    }

    /// Nobody waits for it: what it has not done yet it need not do.
    pub(super) fn give_up(&self, instance: Uuid, name: &str) {
        if let Some(task) = self.begun.lock().remove(name) {
            task.abort();
        }
        self.release(instance, name);
    }

    /// Notes an effect that must not begin.
    pub(super) fn hold(&self, instance: Uuid, name: &str) {
        let mut held = self.held.lock();
        held.entry(instance).or_default().insert(name.to_owned());
    }

    /// It may begin now. True where it was held.
    pub(super) fn release(&self, instance: Uuid, name: &str) -> bool {
        let mut held = self.held.lock();
        let Some(names) = held.get_mut(&instance) else {
            return false;
        };
        let was_held = names.remove(name);
        if names.is_empty() {
            held.remove(&instance);
        }
        was_held
    }

    /// Whether it still must not begin.
    pub(super) fn holds(&self, instance: Uuid, name: &str) -> bool {
        let held = self.held.lock();
        held.get(&instance)
            .is_some_and(|names| names.contains(name))
    }

    /// Instances with effects that were held.
    pub(super) fn held(&self) -> Vec<Uuid> {
        self.held.lock().keys().copied().collect()
    }
}
