//! Who waits until when, and for which events: all that is kept in memory of an instance that waits.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use polity_workflow::{Instance, Workflow};
use tokio::sync::Notify;
use uuid::Uuid;

/// See the module. An instance without a timer or a listener is not in it at all.
pub(super) struct Index {
    inner: Mutex<Inner>,
    /// Told when something is due earlier than what was due first.
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    wakes: BTreeSet<(u64, Uuid)>,
    wake_of: HashMap<Uuid, u64>,
    /// By type of event; under `None` those that may want any.
    listeners: HashMap<Option<Arc<str>>, HashSet<Uuid>>,
    types_of: HashMap<Uuid, Vec<Option<Arc<str>>>>,
}

impl Index {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            inner: Mutex::default(),
            wake,
        }
    }

    /// Notes what an instance waits for now.
    pub(super) fn note(&self, id: Uuid, instance: &Instance, workflow: &Workflow) {
        let wake = instance.next_wake().filter(|at| *at > 0);
        let awaited = instance.listens_for(workflow);
        let mut inner = self.inner.lock();
        inner.forget(id);
        if let Some(at) = wake {
            let was_first = inner.wakes.first().copied();
            inner.wakes.insert((at, id));
            inner.wake_of.insert(id, at);
            if was_first.is_none_or(|(first, _)| at < first) {
                self.wake.notify_one();
            }
        }
        if awaited.is_empty() {
            return;
        }
        let types: Vec<Option<Arc<str>>> = awaited
            .into_iter()
            .map(|kind| kind.map(|kind| inner.shared(&kind)))
            .collect();
        for kind in &types {
            inner.listeners.entry(kind.clone()).or_default().insert(id);
        }
        inner.types_of.insert(id, types);
    }

    /// Instances whose time has come. They are in the index no more until they are noted again.
    pub(super) fn due(&self, now_ms: u64) -> Vec<Uuid> {
        let mut inner = self.inner.lock();
        let mut due = Vec::new();
        while let Some((at, id)) = inner.wakes.first().copied().filter(|(at, _)| *at <= now_ms) {
            inner.wakes.remove(&(at, id));
            inner.wake_of.remove(&id);
            due.push(id);
        }
        due
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.inner.lock().wakes.first().map(|(at, _)| *at)
    }

    /// Instances that may want an event of this type.
    pub(super) fn listeners(&self, kind: &str) -> Vec<Uuid> {
        let inner = self.inner.lock();
        let of = |kind: Option<Arc<str>>| inner.listeners.get(&kind).into_iter().flatten().copied();
        let mut found: Vec<Uuid> = of(Some(kind.into())).chain(of(None)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Inner {
    fn forget(&mut self, id: Uuid) {
        if let Some(at) = self.wake_of.remove(&id) {
            self.wakes.remove(&(at, id));
        }
        for kind in self.types_of.remove(&id).unwrap_or_default() {
            if let Some(ids) = self.listeners.get_mut(&kind) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.listeners.remove(&kind);
                }
            }
        }
    }

    /// One text for all that wait for the same type.
    fn shared(&self, kind: &str) -> Arc<str> {
        let wanted: Option<Arc<str>> = Some(kind.into());
        match self.listeners.get_key_value(&wanted) {
            Some((Some(known), _)) => known.clone(),
            _ => kind.into(),
        }
    }
}
