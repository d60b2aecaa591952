//! The database of a folder.

use std::path::Path;
use std::sync::Arc;

use polity_engine::{Engine, EngineError, KvError, Options, SledKv};
use polity_watch::Stats;

use crate::keeper::Keeper;
use crate::watching::Watching;

/// What sled may hold beside the engine's own copy of the rows.
const STORE_CACHE: u64 = 16 << 20;

/// Tells the time, in milliseconds since the epoch.
pub type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Records in a folder. They are on the disk, with what was watched, when it is dropped.
pub struct Database {
    engine: Arc<Engine>,
    watching: Arc<Watching>,
    keeper: Keeper,
}

/// Why a database does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store under it does not.
    #[error("the records do not open: {0}")]
    Store(#[from] KvError),
    /// What lies in the store is not a database of this version.
    #[error("the records do not open: {0}")]
    Engine(#[from] EngineError),
    /// A thread could not be started.
    #[error("the records do not open, a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl Database {
    /// Opens the database of a folder, or makes it. What was watched lies beside the folder, in a file of its name with
    /// the ending `watch`; one that does not read is started anew, use fills it again.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(folder: &Path, now: Now) -> Result<Self, OpenError> {
        let watching = Arc::new(Watching::read(folder.with_extension("watch"), now));
        let store = Arc::new(SledKv::open(folder, STORE_CACHE)?);
        let options = Options {
            observer: watching.clone(),
            ..Options::default()
        };
        let engine = Arc::new(Engine::open(store, options)?);
        // A host that was killed, or one whose statistics do not read, left collections that nobody watched.
        for name in engine.catalogue().collections.keys() {
            watching.knows(name);
        }
        let keeper = Keeper::start(engine.clone(), watching.clone()).map_err(OpenError::Thread)?;
        Ok(Self {
            engine,
            watching,
            keeper,
        })
    }

    /// What answers.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How the records are used. Rows are counted, not remembered.
    pub fn stats(&self) -> Stats {
        let mut stats = self.watching.stats();
        for collection in &mut stats.collections {
            if let Ok(rows) = self.engine.count(&collection.collection) {
                collection.rows = rows;
            }
        }
        stats
    }

    /// Puts everything on the disk and ends the thread that did so. The database answers on, but what is written
    /// relaxed from now on is not flushed.
    pub fn close(&self) {
        self.keeper.stop();
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use polity_engine::{Document, Durability, Value};

    use super::*;

    fn open(folder: &Path) -> Database {
        Database::open(&folder.join("records"), Arc::new(|| 1_700_000_000_000)).unwrap()
    }

    fn fill(database: &Database) {
        let documents: Vec<Document> = (0..50)
            .map(|n| {
                let text = format!(r#"{{"customer": "c{}", "total": {n}.5}}"#, n % 5);
                Document::parse(text.as_bytes()).unwrap()
            })
            .collect();
        database
            .engine()
            .insert("orders", &documents, Durability::Relaxed)
            .unwrap();
    }

    #[test]
    fn rows_and_what_was_watched_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let sql = "SELECT count(*) FROM orders WHERE customer = $1";
        {
            let database = open(folder.path());
            fill(&database);
            for n in 0..3 {
                let customer = Value::text(format!("c{n}"));
                let answer = database.engine().query(sql, &[customer]).unwrap();
                assert_eq!(answer.rows[0][0].to_string(), "10");
            }
        }
        let database = open(folder.path());
        assert_eq!(database.engine().count("orders").unwrap(), 50);
        let stats = database.stats();
        assert_eq!(stats.collections[0].rows, 50);
        assert_eq!(stats.queries[0].calls, 3);
        assert_eq!(stats.queries[0].shape.predicates[0].path, "customer");
    }

    #[test]
    fn statistics_that_do_not_read_do_not_stop_a_database() {
        let folder = tempfile::tempdir().unwrap();
        {
            let database = open(folder.path());
            fill(&database);
        }
        std::fs::write(folder.path().join("records.watch"), "no statistics").unwrap();
        let database = open(folder.path());
        assert_eq!(database.engine().count("orders").unwrap(), 50);
        assert!(database.stats().queries.is_empty());
        database.close();
        assert_eq!(database.stats().collections[0].rows, 50);
    }

    #[test]
    fn a_change_and_a_removal_are_watched_as_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        fill(&database);
        let run = |sql: &str| database.engine().query(sql, &[]).unwrap();
        run("UPDATE orders SET total = 1 WHERE customer = 'c1'");
        run("DELETE FROM orders WHERE customer = 'c2'");
        assert_eq!(database.stats().collections[0].rows, 40);
    }
}
