//! The database of a folder.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use polity_engine::{Engine, EngineError, KvError, Options, QueryOptions, SledKv, Summary, Value};
use polity_watch::Stats;

use crate::evolving::{Evolver, Listener, Overseer, Site, stats};
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
    listener: Arc<Listener>,
    now: Now,
    // Ends before the keeper does: what it changed last is brought to the disk.
    evolver: OnceLock<Evolver>,
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
        let watching = Arc::new(Watching::read(folder.with_extension("watch"), now.clone()));
        let listener = Arc::new(Listener::new(watching.clone()));
        let store = Arc::new(SledKv::open(folder, STORE_CACHE)?);
        let options = Options {
            observer: listener.clone(),
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
            listener,
            now,
            evolver: OnceLock::new(),
            keeper,
        })
    }

    /// What answers.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs one statement and hands over row by row, with or without what is on trial.
    ///
    /// # Errors
    /// Why it was refused or stopped. Rows may have been handed over before.
    pub fn stream(
        &self,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
        sink: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<Summary, EngineError> {
        let trials = &self.listener.trials;
        let (answer, is_sampled) = trials.run(&self.engine, sql, parameters, options, sink);
        if is_sampled {
            self.listener.bell.ring();
        }
        answer
    }

    /// Lets the database change its own schema, as far as the house around it lets it. To be called once; a second
    /// call changes nothing. With `by_itself` a thread does the work, otherwise whoever calls [`Evolver::turn`].
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn evolve(
        &self,
        overseer: Arc<dyn Overseer>,
        by_itself: bool,
    ) -> Result<&Evolver, OpenError> {
        let mut is_new = false;
        let evolver = self.evolver.get_or_init(|| {
            is_new = true;
            Evolver::new(Site {
                engine: self.engine.clone(),
                watching: self.watching.clone(),
                trials: self.listener.trials.clone(),
                links: self.listener.links.clone(),
                bell: self.listener.bell.clone(),
                overseer,
                now: self.now.clone(),
            })
        });
        if is_new && by_itself {
            evolver.start().map_err(OpenError::Thread)?;
        }
        Ok(evolver)
    }

    /// What changes the schema, where [`Database::evolve`] was called.
    pub fn evolver(&self) -> Option<&Evolver> {
        self.evolver.get()
    }

    /// How the records are used. Rows are counted, not remembered.
    pub fn stats(&self) -> Stats {
        stats(&self.engine, &self.watching)
    }

    /// Puts everything on the disk and ends the threads that did so and that change the schema. The database answers on, but what is written
    /// relaxed from now on is not flushed.
    pub fn close(&self) {
        if let Some(evolver) = self.evolver.get() {
            evolver.stop();
        }
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
