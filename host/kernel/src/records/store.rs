//! The database as the kernel holds it: opened by the first who needs it, closed when the host goes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use polity_database::{Database, Now, OpenError};
use polity_ledger::{Clock, Ledger};
use tokio::sync::Semaphore;

use crate::kernel::Inner;
use crate::schema::House;

/// Statements that run at one time; each holds a thread and may hold memory. Further ones wait.
const AT_A_TIME: usize = 16;

/// A database that is opened when it is first needed: a company without records starts no slower for them.
pub(crate) struct Records {
    folder: PathBuf,
    now: Now,
    open: Mutex<Option<Arc<Database>>>,
    /// The kernel that these records are part of, once it stands.
    kernel: OnceLock<Weak<Inner>>,
    ledger: Ledger,
    pub(super) places: Arc<Semaphore>,
}

impl Records {
    pub(crate) fn new(folder: PathBuf, clock: Arc<dyn Clock>, ledger: Ledger) -> Self {
        Self {
            folder,
            now: Arc::new(move || clock.now_ms()),
            open: Mutex::default(),
            kernel: OnceLock::new(),
            ledger,
            places: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// Lets the schema change by itself, from when the database is opened.
    pub(crate) fn attach(&self, kernel: Weak<Inner>) {
        let _ = self.kernel.set(kernel);
    }

    /// A person has answered: whatever waits for that goes on. Blocks where the database has to be opened.
    pub(crate) fn wake(&self) {
        match self.database() {
            Ok(database) => {
                if let Some(evolver) = database.evolver() {
                    evolver.wake();
                }
            }
            Err(error) => tracing::error!(%error, "a change of the schema waits"),
        }
    }

    /// How much of what may run at one time runs now, in percent.
    pub(crate) fn load_percent(&self) -> u8 {
        let free = self.places.available_permits().min(AT_A_TIME);
        u8::try_from((AT_A_TIME - free) * 100 / AT_A_TIME).unwrap_or(100)
    }

    /// The database. Blocks where it has to be opened.
    pub(crate) fn database(&self) -> Result<Arc<Database>, OpenError> {
        let mut open = self.open.lock();
        if let Some(database) = &*open {
            return Ok(database.clone());
        }
        let database = Arc::new(Database::open(&self.folder, self.now.clone())?);
        if let Some(kernel) = self.kernel.get() {
            let house = House::new(kernel.clone(), self.ledger.clone());
            let house = house.map_err(OpenError::Thread)?;
            database.evolve(Arc::new(house), true)?;
        }
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
