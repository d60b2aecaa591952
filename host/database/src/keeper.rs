//! The thread that keeps what nobody waited for: relaxed writes twice a second, what was watched once a minute.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use polity_engine::Engine;

use crate::watching::Watching;

/// What a power failure may take of writes that nobody waited for.
const FLUSH: Duration = Duration::from_millis(500);
/// Flushes between two snapshots of what was watched.
const SNAPSHOT: u32 = 120;

/// The thread. It ends, with everything on the disk, when this is dropped.
pub(crate) struct Keeper {
    running: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Keeper {
    pub(crate) fn start(engine: Arc<Engine>, watching: Arc<Watching>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || keep(&engine, &watching, &stopped))?;
        Ok(Self {
            running: Mutex::new(Some((stop, thread))),
        })
    }

    pub(crate) fn stop(&self) {
        let Some((stop, thread)) = self.running.lock().take() else {
            return;
        };
        drop(stop);
        if thread.join().is_err() {
            tracing::error!("the thread that keeps the records panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn keep(engine: &Engine, watching: &Watching, stopped: &Receiver<()>) {
    let mut failing = false;
    let mut flushes = 0;
    loop {
        let ends = !matches!(stopped.recv_timeout(FLUSH), Err(RecvTimeoutError::Timeout));
        match engine.flush() {
            Ok(()) => failing = false,
            // Said once: the engine refuses to write until somebody has looked.
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "the records do not reach the disk");
            }
            Err(_) => {}
        }
        flushes += 1;
        if ends || flushes % SNAPSHOT == 0 {
            watching.write();
        }
        if ends {
            return;
        }
    }
}
