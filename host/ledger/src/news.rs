//! Who is told of events that have just been committed.
//!
//! To be told wakes a task. Whoever wants only what is rare must therefore say so, or he is woken for every request that
//! the host serves.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast::{Receiver, Sender};

use crate::event::StoredEvent;

/// A subscriber that falls this many events behind is told that it lagged, and reads the rest from the ledger.
const BUFFER: usize = 256;

pub(crate) struct News {
    all: Sender<Arc<StoredEvent>>,
    some: Mutex<Vec<Wanted>>,
}

struct Wanted {
    /// What a kind begins with.
    kinds: &'static [&'static str],
    sender: Sender<Arc<StoredEvent>>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self {
            all: Sender::new(BUFFER),
            some: Mutex::default(),
        }
    }

    pub(crate) fn of_all(&self) -> Receiver<Arc<StoredEvent>> {
        self.all.subscribe()
    }

    pub(crate) fn of(&self, kinds: &'static [&'static str]) -> Receiver<Arc<StoredEvent>> {
        let (sender, receiver) = tokio::sync::broadcast::channel(BUFFER);
        self.some.lock().push(Wanted { kinds, sender });
        receiver
    }

    /// An event nobody waits for is let go of.
    pub(crate) fn tell(&self, event: Arc<StoredEvent>) {
        self.some.lock().retain(|wanted| {
            let is_wanted = wanted.kinds.iter().any(|it| event.kind.starts_with(it));
            !is_wanted || wanted.sender.send(event.clone()).is_ok()
        });
        let _ = self.all.send(event);
    }
}
