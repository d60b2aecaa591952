//! The database as the kernel holds it: opened by the first who needs it, closed when the host goes.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use polity_database::{Database, Now, OpenError};
use polity_ledger::Clock;
use tokio::sync::Semaphore;

/// Statements that run at one time; each holds a thread and may hold memory. Further ones wait.
const AT_A_TIME: usize = 16;

/// A database that is opened when it is first needed: a company without records starts no slower for them.
pub(crate) struct Records {
    folder: PathBuf,
    now: Now,
    open: Mutex<Option<Arc<Database>>>,
    pub(super) places: Arc<Semaphore>,
}

impl Records {
    pub(crate) fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            folder,
            now: Arc::new(move || clock.now_ms()),
            open: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// The database. Blocks where it has to be opened.
    pub(super) fn database(&self) -> Result<Arc<Database>, OpenError> {
        let mut open = self.open.lock();
        if let Some(database) = &*open {
            return Ok(database.clone());
        }
        let database = Arc::new(Database::open(&self.folder, self.now.clone())?);
        *open = Some(database.clone());
        Ok(database)
    }

    /// Puts everything on the disk. Blocks.
    pub(crate) fn close(&self) {
        if let Some(database) = self.open.lock().as_ref() {
            database.close();
        }
    }
}
