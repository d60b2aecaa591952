//! What is being read and compiled, each on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::folder::{Fingerprint, Look};

/// Components that are compiled at one time. A compiler uses every core it finds and a few hundred megabytes; two keep a
/// machine busy, and two more let a quick one past slow ones.
const AT_ONCE: usize = 4;

/// The threads at work.
#[derive(Default)]
pub(super) struct Loading {
    /// What each name looked like that somebody is reading. One that has changed since is read beside the old one.
    names: Arc<Mutex<BTreeMap<String, Fingerprint>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Loading {
    /// Does the work for a name that looks like this, unless somebody is at that already.
    pub(super) fn begin(
        &self,
        name: &str,
        now: &Fingerprint,
        work: impl FnOnce() + Send + 'static,
    ) -> Look {
        let mut names = self.names.lock();
        if names.get(name) == Some(now) {
            return Look::Done;
        }
        let (all, name, look) = (self.names.clone(), name.to_owned(), now.clone());
        let thread = Builder::new().name("polity-load".into()).spawn({
            let name = name.clone();
            move || {
                // Also where the work panics: else nobody would ever look at the name again.
                let _done = Done { all, name, look };
                work();
            }
        });
        // Without a thread now, there may be one in a moment.
        let Ok(thread) = thread else {
            return Look::Again;
        };
        names.insert(name, now.clone());
        let mut threads = self.threads.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Look::Done
    }

    /// Waits for all of them.
    pub(super) fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Strikes a name off the list, if it is not being read anew.
struct Done {
    all: Arc<Mutex<BTreeMap<String, Fingerprint>>>,
    name: String,
    look: Fingerprint,
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if all.get(&self.name) == Some(&self.look) {
            all.remove(&self.name);
        }
    }
}

/// Places among those who compile.
#[derive(Default)]
pub(super) struct Places {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place, until it is dropped.
pub(super) struct Place<'p>(&'p Places);

impl Places {
    /// Waits for a place.
    pub(super) fn take(&self) -> Place<'_> {
        let mut taken = self.taken.lock();
        while *taken >= AT_ONCE {
            self.freed.wait(&mut taken);
        }
        *taken += 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn no_more_compile_at_one_time_than_there_are_places() {
        let places = Places::default();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 * AT_ONCE {
                scope.spawn(|| {
                    let _place = places.take();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!((1..=AT_ONCE).contains(&most.into_inner()));
    }

    #[test]
    fn what_is_being_read_is_not_read_twice_and_is_read_again_when_that_is_over() {
        let loading = Loading::default();
        let look = Fingerprint::default();
        let (done, all_done) = channel();
        let (go, gate) = channel::<()>();
        let first = done.clone();
        loading.begin("rule", &look, move || {
            let _ = gate.recv();
            let _ = first.send("first");
        });
        let second = done.clone();
        loading.begin("rule", &look, move || {
            let _ = second.send("second");
        });
        drop(go);
        loading.join();
        loading.begin("rule", &look, move || {
            let _ = done.send("third");
        });
        loading.join();
        assert_eq!(all_done.iter().collect::<Vec<_>>(), ["first", "third"]);
    }
}
