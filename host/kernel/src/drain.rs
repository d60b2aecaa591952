//! Going without leaving work behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The host is going and takes no new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host is shutting down and takes no new work; try again when it is back")]
pub struct Draining;

/// What was left when the time for draining was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were still in progress; 0 where everything ended.
    pub in_progress: usize,
}

/// Counts the work in progress, and closes the door.
#[derive(Default)]
pub(crate) struct Door {
    closed: AtomicBool,
    inside: TaskTracker,
}

/// One piece of work in progress; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Visit(#[expect(dead_code, reason = "held, not read")] TaskTrackerToken);

impl Door {
    /// Begins a piece of work.
    pub(crate) fn enter(&self) -> Result<Visit, Draining> {
        // Counted first: whoever is past the door when it closes is waited for.
        let visit = Visit(self.inside.token());
        if self.closed.load(Ordering::SeqCst) {
            Err(Draining)
        } else {
            Ok(visit)
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Lets nobody in, and waits until everybody has left.
    pub(crate) async fn close(&self, timeout: Duration) -> Drained {
        self.closed.store(true, Ordering::SeqCst);
        self.inside.close();
        // What is left when the time is over is told by the count.
        let _ = tokio::time::timeout(timeout, self.inside.wait()).await;
        Drained {
            in_progress: self.inside.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_door_waits_for_those_inside_and_lets_nobody_in() {
        let door = std::sync::Arc::new(Door::default());
        let visit = door.enter().unwrap();
        assert_eq!(door.close(Duration::ZERO).await, Drained { in_progress: 1 });
        assert_eq!(door.enter().unwrap_err(), Draining);
        let closing = tokio::spawn({
            let door = door.clone();
            async move { door.close(Duration::from_secs(600)).await }
        });
        drop(visit);
        assert_eq!(closing.await.unwrap(), Drained { in_progress: 0 });
    }
}
