//! A point that a script waits at until the test lets it pass.

use std::sync::Arc;

use tokio::sync::watch;

/// Closed at first. Clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    reached: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self {
            open: Arc::new(watch::Sender::new(false)),
            reached: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Lets everyone pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until somebody stands before the gate.
    pub async fn reached(&self) {
        wait(&self.reached).await;
    }

    pub(crate) async fn pass(&self) {
        self.reached.send_replace(true);
        wait(&self.open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

async fn wait(flag: &watch::Sender<bool>) {
    // The sender is borrowed, so it cannot go away while somebody waits.
    let _ = flag.subscribe().wait_for(|set| *set).await;
}
