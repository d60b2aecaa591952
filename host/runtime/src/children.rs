//! The processes that compile, so that a host that is about to end need not wait for them.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::Arc;

use parking_lot::Mutex;

/// Those at work. `Open => Closed`, once and for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children(Arc<Mutex<Nursery>>);

#[derive(Debug, Default)]
struct Nursery {
    is_closed: bool,
    next: u64,
    at_work: BTreeMap<u64, Child>,
}

/// One of them, until its end has been waited for.
pub(crate) struct AtWork<'c> {
    children: &'c Children,
    number: u64,
}

impl Children {
    /// Lets a process work, or ends it if no more is wanted.
    pub(crate) fn admit(&self, mut child: Child) -> AtWork<'_> {
        let mut nursery = self.0.lock();
        if nursery.is_closed {
            end(&mut child);
        }
        let number = nursery.next;
        nursery.next += 1;
        nursery.at_work.insert(number, child);
        AtWork {
            children: self,
            number,
        }
    }

    /// Ends those at work, and each one that comes.
    pub(crate) fn close(&self) {
        let mut nursery = self.0.lock();
        nursery.is_closed = true;
        nursery.at_work.values_mut().for_each(end);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }

    fn take(&self, number: u64) -> Option<Child> {
        self.0.lock().at_work.remove(&number)
    }
}

impl AtWork<'_> {
    /// Waits for its end. To be called when it has nothing more to say: from here on it is ended by nobody.
    pub(crate) fn wait(self) -> io::Result<ExitStatus> {
        let child = self.children.take(self.number);
        child.map_or_else(
            || Err(io::Error::other("the process is waited for twice")),
            |mut child| child.wait(),
        )
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        // Only where nobody waited for it; else it is gone.
        if let Some(mut child) = self.children.take(self.number) {
            end(&mut child);
            let _ = child.wait();
        }
    }
}

fn end(child: &mut Child) {
    // One that has ended by itself cannot be ended.
    let _ = child.kill();
}
