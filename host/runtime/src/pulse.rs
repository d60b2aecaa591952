//! The clock that guests' CPU time is counted with: it beats while guests run and sleeps when none does.
//!
//! An engine's epoch has to advance for an endless loop to end, but 200 wake-ups a second on an idle machine cost
//! battery and get in the way of others. So whoever runs a guest holds a [`Beat`]; when nobody has held one for a
//! while the thread parks, and the next beat wakes it. It stays awake between calls that follow each other, because a
//! system call to wake it would cost as much as a rule takes to decide.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How often the epoch advances: the granularity of CPU time limits. A tick costs one atomic increment.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(5);

/// Ticks without a call after which the thread parks.
const IDLE_TICKS: u32 = 100;

/// The thread, shared by all who run guests. It ends with the last of them.
pub(crate) struct Pulse {
    state: Arc<State>,
    thread: Thread,
}

/// Keeps the epochs advancing for as long as it lives.
pub(crate) struct Beat(Arc<State>);

#[derive(Default)]
struct State {
    running: AtomicU64,
    started: AtomicU64,
    parked: AtomicBool,
    stopped: AtomicBool,
}

impl Pulse {
    /// Starts the thread for some engines.
    pub(crate) fn start(engines: &[&Engine]) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let engines: Vec<_> = engines.iter().map(|engine| engine.weak()).collect();
        let shared = state.clone();
        let handle = thread::Builder::new()
            .name("polity-epoch".into())
            .spawn(move || shared.beat(&engines))?;
        Ok(Self {
            state,
            thread: handle.thread().clone(),
        })
    }

    /// To be held while a guest runs.
    pub(crate) fn beat(&self) -> Beat {
        self.state.running.fetch_add(1, Ordering::SeqCst);
        self.state.started.fetch_add(1, Ordering::SeqCst);
        // The thread says that it parks before it looks at the counters for the last time, so either it sees this
        // call or this call sees that it has to be woken.
        if self.state.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Beat(self.state.clone())
    }
}

impl State {
    fn beat(&self, engines: &[EngineWeak]) {
        let mut seen = 0;
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            thread::park_timeout(EPOCH_TICK);
            for engine in engines {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
            if self.is_quiet(&mut seen) {
                idle += 1;
            } else {
                idle = 0;
            }
            if idle > IDLE_TICKS {
                self.parked.store(true, Ordering::SeqCst);
                while self.is_quiet(&mut seen) && !self.stopped.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.parked.store(false, Ordering::SeqCst);
                idle = 0;
            }
        }
    }

    /// Whether no guest runs and none has been started since the last look.
    fn is_quiet(&self, seen: &mut u64) -> bool {
        let started = self.started.load(Ordering::SeqCst);
        let quiet = self.running.load(Ordering::SeqCst) == 0 && started == *seen;
        *seen = started;
        quiet
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_the_clock_from_resting() {
        let state = State::default();
        let mut seen = 0;
        assert!(state.is_quiet(&mut seen));
        let pulse = Pulse {
            state: Arc::new(state),
            thread: thread::current(),
        };
        let beat = pulse.beat();
        assert!(!pulse.state.is_quiet(&mut seen));
        assert!(!pulse.state.is_quiet(&mut seen), "it still runs");
        drop(beat);
        assert!(pulse.state.is_quiet(&mut seen));
        drop(pulse.beat());
        assert!(!pulse.state.is_quiet(&mut seen), "one came and went");
        assert!(pulse.state.is_quiet(&mut seen));
    }

    #[test]
    fn a_clock_that_rests_is_woken_by_a_call() {
        let engine = Engine::default();
        let pulse = Pulse::start(&[&engine]).unwrap();
        while !pulse.state.parked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let beat = pulse.beat();
        while pulse.state.parked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        drop(beat);
    }
}
