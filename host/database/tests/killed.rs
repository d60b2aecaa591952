//! The process is killed, with signal 9, before and after each step of a mutation's life that is stored. Whoever opens the
//! folder next finds every acknowledged row, a schema that is what its history says, and goes on to the same end.
//!
//! This test runs its own binary as the process that dies; [`the_process_that_dies`] is what that one does.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use polity_database::evolve::{
    Batch, Field, Index, Life, Link, Mutation, Policy, Proposal, Rollup, Saved, Verdict,
};
use polity_database::{
    Answered, BuildState, Database, Document, Durability, MutationView, Observations, Overseer,
    QueryOptions, Settings, Value,
};
use serde_json::json;
use uuid::Uuid;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const ROWS: i64 = 400;
/// What the dying process is told: its folder, its life, and the moment of its death.
const DIES: &str = "POLITY_TEST_DIES";

/// The lives that are cut short.
const LIVES: [&str; 6] = [
    "index",
    "index, asked for",
    "index, taken back on trial",
    "rollup, taken back when kept",
    "field",
    "link",
];

const FILTER: &str = "SELECT count(*), sum(total) FROM orders WHERE customer = $1";
const GROUPS: &str = "SELECT state, sum(total), count(*) FROM orders GROUP BY state ORDER BY state";

/// A house whose journal is a file.
struct House {
    folder: PathBuf,
    says: Proposal,
    verdict: Verdict,
    saved: Mutex<Saved>,
    ids: AtomicU64,
    /// Moments until death: one before and one after each batch that is stored.
    left: AtomicU64,
}

impl House {
    fn new(folder: &Path, life: &str, left: u64) -> Arc<Self> {
        let saved = fs::read(folder.join("journal")).unwrap_or_default();
        let asked = life.contains("asked") || life == "link";
        Arc::new(Self {
            folder: folder.to_owned(),
            says: Proposal {
                mutation: mutation(life),
                reason: "it is asked for a thousand times a day".to_owned(),
                evidence: json!({}),
                benefit_us_per_day: 10_000_000_000,
                write_cost_us_per_day: 0,
                storage_bytes: 100,
            },
            verdict: if asked {
                Verdict::Escalate {
                    reason: "look".to_owned(),
                }
            } else {
                Verdict::Allow
            },
            saved: Mutex::new(serde_json::from_slice(&saved).unwrap_or_default()),
            ids: AtomicU64::new(1),
            left: AtomicU64::new(left),
        })
    }

    /// Dies, if it is time.
    fn moment(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let killed = Command::new("kill")
                .args(["-9", &std::process::id().to_string()])
                .status();
            panic!("the process was to be killed: {killed:?}");
        }
    }
}

impl Overseer for House {
    fn settings(&self) -> Settings {
        Settings {
            policy: Policy {
                youngest_ms: 0,
                paid_ms: HOUR,
                ..Policy::default()
            },
            round: Duration::ZERO,
        }
    }

    fn load_percent(&self) -> u8 {
        0
    }

    fn strategies(&self) -> Vec<String> {
        vec!["test@1".to_owned()]
    }

    fn propose(&self, _: &str, _: &Observations) -> Result<Vec<Proposal>, String> {
        // Said once: the life is about one mutation.
        let saved = self.saved.lock();
        let is_new = saved.lives.is_empty() && saved.entries.is_empty();
        Ok(is_new.then(|| self.says.clone()).into_iter().collect())
    }

    fn judge(&self, _: &Life) -> Option<Verdict> {
        Some(self.verdict.clone())
    }

    fn ask(&self, _: &Life) {}

    fn answers(&self, asked: &[Life]) -> Vec<Answered> {
        let answer = |life: &Life| Answered {
            id: life.id,
            approved: true,
            by: "person:ada".to_owned(),
            note: "seen".to_owned(),
        };
        asked.iter().map(answer).collect()
    }

    fn load(&self) -> Result<Saved, String> {
        Ok(self.saved.lock().clone())
    }

    fn store(&self, batch: &Batch) -> Result<(), String> {
        self.moment();
        let mut saved = self.saved.lock();
        saved.store(batch);
        let text = serde_json::to_vec(&*saved).map_err(|error| error.to_string())?;
        let (new, place) = (self.folder.join("journal.new"), self.folder.join("journal"));
        let mut file = fs::File::create(&new).map_err(|error| error.to_string())?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, &place))
            .map_err(|error| error.to_string())?;
        drop(saved);
        self.moment();
        Ok(())
    }

    fn new_id(&self) -> Uuid {
        let low = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u64_pair(std::process::id().into(), low)
    }
}

fn mutation(life: &str) -> Mutation {
    let collection = "orders".to_owned();
    match life.split(',').next().unwrap_or(life) {
        "index" => Mutation::CreateIndex(Index {
            collection,
            fields: vec!["customer".to_owned()],
        }),
        "rollup" => Mutation::CreateRollup(Rollup {
            collection,
            group_by: vec!["state".to_owned()],
            aggregates: vec!["count(*)".to_owned(), "sum(total)".to_owned()],
        }),
        "field" => Mutation::PromoteField(Field {
            collection,
            path: "note".to_owned(),
            schema: json!({"type": "string"}),
        }),
        _ => Mutation::LinkCollection(Link {
            collection,
            key: "customer".to_owned(),
            fields: vec!["city".to_owned()],
            target: "customers".to_owned(),
        }),
    }
}

fn document(n: i64) -> Document {
    let (customer, state) = (n % 20, n % 4);
    let text = format!(
        r#"{{"customer": "c{customer}", "city": "city {customer}", "state": "s{state}", "total": {n}, "note": "n"}}"#,
    );
    Document::parse(text.as_bytes()).unwrap()
}

/// A database in the middle of a life.
struct World {
    life: String,
    folder: PathBuf,
    clock: Arc<AtomicU64>,
    database: Database,
}

impl World {
    fn open(folder: &Path, life: &str, at_ms: u64, left: u64) -> Self {
        let clock = Arc::new(AtomicU64::new(at_ms));
        let now = clock.clone();
        let now = Arc::new(move || now.load(Ordering::SeqCst));
        let database = Database::open(&folder.join("records"), now).unwrap();
        database
            .evolve(House::new(folder, life, left), false)
            .unwrap();
        Self {
            life: life.to_owned(),
            folder: folder.to_owned(),
            clock,
            database,
        }
    }

    /// Writes rows up to a number, each durable, and notes what was acknowledged.
    fn write(&self, upto: i64) {
        let engine = self.database.engine();
        let from = engine.count("orders").unwrap_or(0) as i64;
        let documents: Vec<Document> = (from..upto).map(document).collect();
        if !documents.is_empty() {
            let written = engine.insert("orders", &documents, Durability::Durable);
            written.unwrap();
            fs::write(self.folder.join("acknowledged"), upto.to_string()).unwrap();
        }
    }

    fn ask(&self, sql: &str, parameters: &[Value], options: &QueryOptions) -> Vec<String> {
        let mut rows = Vec::new();
        let asked = self.database.stream(sql, parameters, options, &mut |row| {
            let row: Vec<String> = row.iter().map(ToString::to_string).collect();
            rows.push(row.join("|"));
            ControlFlow::Continue(())
        });
        asked.unwrap();
        rows
    }

    fn newest(&self) -> Option<MutationView> {
        let all = self.database.evolver().unwrap().mutations().unwrap();
        all.into_iter().next()
    }

    /// Lives on until nothing is left to happen.
    fn live(&self) {
        let evolver = self.database.evolver().unwrap();
        for turn in 0..40 {
            self.write(ROWS + turn);
            for n in 0..20 {
                let customer = [Value::text(format!("c{n}"))];
                self.ask(FILTER, &customer, &QueryOptions::default());
                self.ask(GROUPS, &[], &QueryOptions::default());
            }
            self.clock.fetch_add(60_000, Ordering::SeqCst);
            evolver.turn(true).unwrap();
            let Some(newest) = self.newest() else {
                continue;
            };
            match newest.state.as_str() {
                "canary" if self.life.contains("on trial") => {
                    evolver.revert(newest.id, "person:ada").unwrap();
                }
                "kept" if self.life.contains("when kept") => {
                    evolver.revert(newest.id, "person:ada").unwrap();
                }
                "kept" | "reverted" => return,
                _ => {}
            }
        }
        panic!("{} does not end: {:?}", self.life, self.newest());
    }

    /// Rows are all there, once, and the same with and without what was made; the schema is what history says.
    fn is_right(&self, moment: u64) {
        let at = format!("{}, killed at moment {moment}", self.life);
        let acknowledged = fs::read_to_string(self.folder.join("acknowledged"));
        let acknowledged: u64 = acknowledged.map_or(0, |text| text.parse().unwrap());
        let engine = self.database.engine();
        let rows = engine.count("orders").unwrap_or(0);
        assert!(rows >= acknowledged, "{at}: {rows} rows of {acknowledged}");
        if rows == 0 {
            return;
        }
        let rows = rows as i64;
        let all = self.ask(
            "SELECT count(*), sum(total), count(note) FROM orders",
            &[],
            &QueryOptions::default(),
        );
        assert_eq!(
            all,
            [format!("{rows}|{}|{rows}", rows * (rows - 1) / 2)],
            "{at}"
        );
        let made = mutation(&self.life).subject();
        let masked = QueryOptions {
            masked: vec![made.clone()],
            ..QueryOptions::default()
        };
        let unmasked = QueryOptions {
            unmasked: vec![made],
            ..QueryOptions::default()
        };
        for (sql, parameters) in [(FILTER, vec![Value::text("c7")]), (GROUPS, vec![])] {
            let without = self.ask(sql, &parameters, &masked);
            assert_eq!(self.ask(sql, &parameters, &unmasked), without, "{at}");
        }
    }

    /// What the engine has of the mutation.
    fn part(&self) -> Option<BuildState> {
        let catalogue = self.database.engine().catalogue();
        let orders = catalogue.collection("orders").unwrap();
        let made = mutation(&self.life).subject();
        let index = orders.indexes.iter().find(|index| index.name == made);
        let rollup = orders.rollups.iter().find(|rollup| rollup.name == made);
        index
            .map(|index| index.state.clone())
            .or(rollup.map(|rollup| rollup.state.clone()))
    }
}

#[test]
fn a_life_cut_short_at_any_moment_comes_to_the_same_end() {
    let binary = std::env::current_exe().unwrap();
    let (mut deaths, mut states) = (0, BTreeSet::new());
    for life in LIVES {
        for moment in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let dying = format!("{}|{life}|{moment}", folder.path().display());
            let ended = Command::new(&binary)
                .args(["--exact", "the_process_that_dies", "--nocapture"])
                .env(DIES, dying)
                .output()
                .unwrap();
            if ended.status.success() {
                assert!(moment > 8, "{life} had {moment} moments only");
                break;
            }
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), None, "it was not killed: {said}");
            deaths += 1;
            let journal = fs::read(folder.path().join("journal")).unwrap_or_default();
            let saved: Saved = serde_json::from_slice(&journal).unwrap_or_default();
            states.extend(saved.lives.iter().map(|life| {
                let state = serde_json::to_value(&life.state).unwrap();
                state["state"].as_str().unwrap().to_owned()
            }));

            // Twice: whoever comes next may die, too, before it has done anything.
            let again = |hours: u64| World::open(folder.path(), life, DAY + hours * HOUR, u64::MAX);
            drop(again(10));
            let world = again(11);
            world.is_right(moment);
            world.live();
            world.is_right(moment);
            let newest = world.newest().unwrap();
            let is_kept = !life.contains("taken back");
            assert_eq!(
                newest.state,
                if is_kept { "kept" } else { "reverted" },
                "{life}, killed at moment {moment}: {}",
                newest.story
            );
            let wanted = (is_kept && life.starts_with("index")).then_some(BuildState::Active);
            assert_eq!(world.part(), wanted, "{life}, killed at moment {moment}");
        }
    }
    for state in [
        "proposed",
        "asked",
        "queued",
        "building",
        "canary",
        "activating",
        "undoing",
    ] {
        assert!(states.contains(state), "nobody died {state}: {states:?}");
    }
    assert!(deaths > 60, "{deaths}");
}

#[test]
fn the_process_that_dies() {
    // Without being told to die it is no test.
    let Ok(told) = std::env::var(DIES) else {
        return;
    };
    let parts: Vec<&str> = told.split('|').collect();
    let [folder, life, moment] = parts[..] else {
        panic!("{told}");
    };
    let world = World::open(Path::new(folder), life, DAY, moment.parse().unwrap());
    world.live();
}
