//! A database whose house a test plays: every word of its strategy, its rules and its people.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use polity_database::evolve::{
    Batch, Field, Index, Life, Mutation, Policy, Proposal, Rollup, Saved, Verdict,
};
use polity_database::{
    Answered, BuildState, Database, Document, Durability, MutationView, Observations, Overseer,
    QueryOptions, Settings, Value,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// What survives a crash beside the engine's own files.
#[derive(Default)]
pub(crate) struct Disk(pub(crate) Mutex<Saved>);

/// A strategy that thinks for itself.
pub(crate) type Thinker = Box<dyn Fn(&Observations) -> Vec<Proposal> + Send>;

/// A house of one strategy, whose every word the test writes.
pub(crate) struct House {
    pub(crate) policy: Mutex<Policy>,
    pub(crate) says: Mutex<Vec<Proposal>>,
    /// Speaks instead, where there is one.
    pub(crate) thinks: Mutex<Option<Thinker>>,
    pub(crate) fails: Mutex<Option<String>>,
    pub(crate) verdict: Mutex<Verdict>,
    pub(crate) asked: Mutex<Vec<Uuid>>,
    pub(crate) answers: Mutex<BTreeMap<Uuid, bool>>,
    pub(crate) disk: Arc<Disk>,
    /// Stores that still succeed.
    pub(crate) stores: AtomicU64,
    pub(crate) ids: AtomicU64,
}

impl House {
    pub(crate) fn new(disk: Arc<Disk>) -> Arc<Self> {
        Arc::new(Self {
            policy: Mutex::new(Policy {
                youngest_ms: 0,
                paid_ms: HOUR,
                ..Policy::default()
            }),
            says: Mutex::default(),
            thinks: Mutex::default(),
            fails: Mutex::default(),
            verdict: Mutex::new(Verdict::Allow),
            asked: Mutex::default(),
            answers: Mutex::default(),
            ids: AtomicU64::new(1),
            disk,
            stores: AtomicU64::new(u64::MAX),
        })
    }

    pub(crate) fn say(&self, mutation: Mutation) {
        *self.says.lock() = vec![Proposal {
            mutation,
            reason: "it is asked for a thousand times a day".to_owned(),
            evidence: json!({"calls_per_day": 1_000}),
            benefit_us_per_day: 10_000_000_000,
            write_cost_us_per_day: 0,
            storage_bytes: 100,
        }];
    }
}

impl Overseer for House {
    fn settings(&self) -> Settings {
        Settings {
            policy: self.policy.lock().clone(),
            round: Duration::ZERO,
        }
    }

    fn load_percent(&self) -> u8 {
        0
    }

    fn strategies(&self) -> Vec<String> {
        vec!["test@1".to_owned()]
    }

    fn propose(&self, _: &str, seen: &Observations) -> Result<Vec<Proposal>, String> {
        if let Some(thinks) = &*self.thinks.lock() {
            return Ok(thinks(seen));
        }
        match &*self.fails.lock() {
            Some(why) => Err(why.clone()),
            None => Ok(self.says.lock().clone()),
        }
    }

    fn judge(&self, _: &Life) -> Option<Verdict> {
        Some(self.verdict.lock().clone())
    }

    fn ask(&self, life: &Life) {
        self.asked.lock().push(life.id);
    }

    fn answers(&self, asked: &[Life]) -> Vec<Answered> {
        let answers = self.answers.lock();
        let answer = |life: &Life| {
            Some(Answered {
                id: life.id,
                approved: *answers.get(&life.id)?,
                by: "person:ada".to_owned(),
                note: "seen".to_owned(),
            })
        };
        asked.iter().filter_map(answer).collect()
    }

    fn load(&self) -> Result<Saved, String> {
        // Through text, as a real journal keeps it.
        let text = serde_json::to_string(&*self.disk.0.lock()).unwrap();
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    fn store(&self, batch: &Batch) -> Result<(), String> {
        let left = self.stores.load(Ordering::SeqCst);
        if left == 0 {
            return Err("the disk is full".to_owned());
        }
        self.stores.store(left - 1, Ordering::SeqCst);
        self.disk.0.lock().store(batch);
        Ok(())
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(7, self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) house: Arc<House>,
    pub(crate) database: Database,
}

pub(crate) fn open(folder: &Path, clock: &Arc<AtomicU64>, house: &Arc<House>) -> Database {
    let now = clock.clone();
    let now = Arc::new(move || now.load(Ordering::SeqCst));
    let database = Database::open(&folder.join("records"), now).unwrap();
    database.evolve(house.clone(), false).unwrap();
    database
}

impl World {
    pub(crate) fn new(rows: i64) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(DAY)));
        let house = House::new(Arc::default());
        let database = open(folder.path(), &clock, &house);
        let documents: Vec<Document> = (0..rows).map(document).collect();
        for batch in documents.chunks(500) {
            let inserted = database
                .engine()
                .insert("orders", batch, Durability::Relaxed);
            inserted.unwrap();
        }
        Self {
            folder,
            clock,
            house,
            database,
        }
    }

    /// The process ends without a word, and another one starts.
    pub(crate) fn crash(self) -> Self {
        let Self {
            folder,
            clock,
            house,
            database,
        } = self;
        database.engine().flush().unwrap();
        drop(database);
        let house_again = House::new(house.disk.clone());
        *house_again.policy.lock() = house.policy.lock().clone();
        house_again
            .ids
            .store(house.ids.load(Ordering::SeqCst), Ordering::SeqCst);
        let database = open(folder.path(), &clock, &house_again);
        Self {
            folder,
            clock,
            house: house_again,
            database,
        }
    }

    pub(crate) fn turn(&self) {
        self.database.evolver().unwrap().turn(false).unwrap();
    }

    pub(crate) fn round(&self) {
        self.clock.fetch_add(HOUR, Ordering::SeqCst);
        self.database.evolver().unwrap().turn(true).unwrap();
    }

    pub(crate) fn all(&self) -> Vec<MutationView> {
        self.database.evolver().unwrap().mutations().unwrap()
    }

    pub(crate) fn newest(&self) -> MutationView {
        self.all().into_iter().next().unwrap()
    }

    pub(crate) fn ask(&self, sql: &str, parameters: &[Value]) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        let options = QueryOptions::default();
        let database = &self.database;
        database
            .stream(sql, parameters, &options, &mut |row| {
                rows.push(row.to_vec());
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        rows
    }

    pub(crate) fn filter(&self, times: i64) {
        for n in 0..times {
            let rows = self.ask(FILTER, &[Value::text(format!("c{}", n % 100))]);
            assert_eq!(rows[0][0].to_string(), "20");
        }
    }

    pub(crate) fn uses(&self, sql: &str) -> Vec<String> {
        let options = QueryOptions::default();
        self.database.engine().uses(sql, &options).unwrap()
    }

    /// The engine's parts, with how far they are.
    pub(crate) fn parts(&self) -> Vec<(String, BuildState)> {
        let catalogue = self.database.engine().catalogue();
        let orders = catalogue.collection("orders").unwrap();
        let indexes = orders.indexes.iter();
        let rollups = orders.rollups.iter();
        let indexes = indexes.map(|index| (index.name.clone(), index.state.clone()));
        indexes
            .chain(rollups.map(|rollup| (rollup.name.clone(), rollup.state.clone())))
            .collect()
    }
}

pub(crate) const FILTER: &str = "SELECT count(*) FROM orders WHERE customer = $1";
pub(crate) const GROUPS: &str =
    "SELECT state, sum(total), count(*) FROM orders GROUP BY state ORDER BY state";

pub(crate) fn document(n: i64) -> Document {
    let text = format!(
        r#"{{"customer": "c{}", "state": "s{}", "total": {n}, "note": "n"}}"#,
        n % 100,
        n % 4
    );
    Document::parse(text.as_bytes()).unwrap()
}

pub(crate) fn index() -> Mutation {
    Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["customer".to_owned()],
    })
}

pub(crate) fn rollup() -> Mutation {
    Mutation::CreateRollup(Rollup {
        collection: "orders".to_owned(),
        group_by: vec!["state".to_owned()],
        aggregates: vec!["count(*)".to_owned(), "sum(total)".to_owned()],
    })
}

pub(crate) fn field(path: &str) -> Field {
    Field {
        collection: "orders".to_owned(),
        path: path.to_owned(),
        schema: json!({"type": "string"}),
    }
}
