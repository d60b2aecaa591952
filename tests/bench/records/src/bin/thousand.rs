//! A filter and a GROUP BY, asked a thousand times a day, on the order lines of a wholesaler: what becomes of them by
//! itself, and what those who read meanwhile notice of it.
//!
//! `zcat northwind_flat.csv.gz | thousand --copies 50` reads any flat CSV with the columns `order_id`, `country` and
//! `unit_price`; each copy has orders of its own, so that the filter finds as few lines as in one. The database is the real
//! one, on disk, with its own thread for changes; the strategy is the one that the plugin `hot-query` holds.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use polity_bench_records::{flag, quantile};
use polity_database::evolve::{Batch, Life, Policy, Proposal, Saved, Verdict};
use polity_database::{
    Answered, BuildState, Database, Document, Durability, Format, Observations, Overseer,
    QueryOptions, Settings, Value, read_documents,
};
use polity_simulate::Which;
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each query that a figure rests on.
const RUNS: usize = 1_000;
/// Longest wait for both changes.
const PATIENCE: Duration = Duration::from_secs(600);
/// How far the order numbers of two copies are apart.
const APART: i64 = 1_000_000;

const FILTER: &str = "SELECT product_name, quantity FROM lines WHERE order_id = $1";
const GROUPS: &str = "SELECT country, count(*), sum(unit_price) FROM lines GROUP BY country";
const READ: &str = "SELECT * FROM lines WHERE id = $1";

/// A house that lets everything happen and remembers in memory.
#[derive(Default)]
struct House {
    ids: AtomicU64,
    saved: std::sync::Mutex<Saved>,
}

impl Overseer for House {
    fn settings(&self) -> Settings {
        Settings {
            policy: Policy {
                youngest_ms: 0,
                paid_ms: 60 * 60 * 1000,
                ..Policy::default()
            },
            round: Duration::from_millis(300),
        }
    }

    fn load_percent(&self) -> u8 {
        0
    }

    fn strategies(&self) -> Vec<String> {
        vec!["hot-query".to_owned()]
    }

    fn propose(&self, _: &str, seen: &Observations) -> Result<Vec<Proposal>, String> {
        polity_simulate::propose(Which::HotQuery, seen.at_ms, &seen.seen)
            .map_err(|error| error.to_string())
    }

    fn judge(&self, _: &Life) -> Option<Verdict> {
        Some(Verdict::Allow)
    }

    fn ask(&self, _: &Life) {}

    fn answers(&self, _: &[Life]) -> Vec<Answered> {
        Vec::new()
    }

    fn load(&self) -> Result<Saved, String> {
        Ok(self.saved.lock().expect("nobody panicked").clone())
    }

    fn store(&self, batch: &Batch) -> Result<(), String> {
        self.saved.lock().expect("nobody panicked").store(batch);
        Ok(())
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(1, self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

struct Lines {
    database: Database,
    orders: Vec<i64>,
    rows: usize,
}

impl Lines {
    fn ask(&self, sql: &str, parameters: &[Value]) -> Result<usize> {
        let mut rows = Vec::new();
        let options = QueryOptions::default();
        self.database
            .stream(sql, parameters, &options, &mut |row| {
                rows.push(row.to_vec());
                ControlFlow::Continue(())
            })?;
        Ok(rows.len())
    }

    fn filter(&self, n: usize) -> Result<Duration> {
        let order = self.orders[n * 7_919 % self.orders.len()];
        let begun = Instant::now();
        let found = self.ask(FILTER, &[Value::Int(order)])?;
        ensure!(found > 0, "an order without lines");
        Ok(begun.elapsed())
    }

    fn groups(&self) -> Result<Duration> {
        let begun = Instant::now();
        ensure!(self.ask(GROUPS, &[])? > 1, "one country only");
        Ok(begun.elapsed())
    }

    fn is_building(&self) -> bool {
        let catalogue = self.database.engine().catalogue();
        let building = |state: &BuildState| matches!(state, BuildState::Building { .. });
        catalogue.collections.values().any(|found| {
            found.indexes.iter().any(|index| building(&index.state))
                || found.rollups.iter().any(|rollup| building(&rollup.state))
        })
    }

    fn p50(&self, runs: usize) -> Result<(f64, f64)> {
        let filter: Result<Vec<Duration>> = (0..runs).map(|n| self.filter(n)).collect();
        let groups: Result<Vec<Duration>> = (0..runs).map(|_| self.groups()).collect();
        Ok((quantile(&mut filter?, 0.5), quantile(&mut groups?, 0.5)))
    }
}

fn open(folder: &std::path::Path, copies: i64) -> Result<Lines> {
    let now = || {
        let passed = SystemTime::now().duration_since(UNIX_EPOCH);
        passed.map_or(0, |passed| passed.as_millis() as u64)
    };
    let database = Database::open(&folder.join("records"), Arc::new(now))?;
    let mut all: Vec<Document> = Vec::new();
    let take = &mut |batch: &[Document]| {
        all.extend_from_slice(batch);
        Ok(())
    };
    let mut input = BufReader::new(io::stdin());
    read_documents(Format::Csv, &mut input, take, &mut |_, _| {})?;
    let (mut orders, mut rows) = (BTreeMap::new(), 0);
    for copy in 0..copies {
        let mut documents = all.clone();
        for document in &mut documents {
            for (name, value) in &mut document.fields {
                if let ("order_id", Value::Int(order)) = (&**name, value) {
                    *order += copy * APART;
                    orders.insert(*order, ());
                }
            }
        }
        rows += documents.len();
        for batch in documents.chunks(500) {
            let engine = database.engine();
            engine.insert("lines", batch, Durability::Relaxed)?;
        }
    }
    database.engine().flush()?;
    Ok(Lines {
        database,
        orders: orders.into_keys().collect(),
        rows,
    })
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lines = open(folder.path(), flag("--copies", 50) as i64)?;
    println!("{} lines of {} orders", lines.rows, lines.orders.len());
    let before = lines.p50(RUNS / 5)?;
    let evolver = lines.database.evolve(Arc::new(House::default()), true)?;

    let stop = AtomicBool::new(false);
    let (mut quiet, mut during) = (Vec::new(), Vec::new());
    thread::scope(|scope| -> Result<()> {
        let reader = scope.spawn(|| -> Result<(Vec<Duration>, Vec<Duration>)> {
            let (mut quiet, mut during) = (Vec::new(), Vec::new());
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let was_building = lines.is_building();
                let id = 1 + (n * 7_919) % lines.rows as i64;
                let begun = Instant::now();
                lines.ask(READ, &[Value::Int(id)])?;
                let took = begun.elapsed();
                if was_building || lines.is_building() {
                    during.push(took);
                } else {
                    quiet.push(took);
                }
                // As many readers would, and not as one that never rests.
                thread::sleep(Duration::from_micros(100));
            }
            Ok((quiet, during))
        });
        let begun = Instant::now();
        let (mut asked, mut kept) = (0, 0);
        while kept < 2 {
            if begun.elapsed() > PATIENCE {
                stop.store(true, Ordering::Relaxed);
                bail!("nothing came of it: {:#?}", evolver.mutations()?);
            }
            for n in 0..10 {
                lines.filter(asked + n)?;
                lines.groups()?;
            }
            asked += 10;
            let all = evolver.mutations()?;
            kept = all.iter().filter(|one| one.state == "kept").count();
        }
        println!(
            "both kept after {:.1?} and {asked} more runs of each",
            begun.elapsed()
        );
        stop.store(true, Ordering::Relaxed);
        (quiet, during) = reader.join().expect("the reader panicked")?;
        Ok(())
    })?;
    for kept in evolver.mutations()? {
        let measured = kept.measured.map_or(0.0, |measured| measured.effect);
        println!("{}: {} (measured {measured:.4})", kept.state, kept.summary);
    }
    let after = lines.p50(RUNS)?;
    println!("| | before, p50 µs | after, p50 µs | times |\n|---|---:|---:|---:|");
    for (name, before, after) in [
        ("filter", before.0, after.0),
        ("GROUP BY", before.1, after.1),
    ] {
        println!(
            "| {name} | {before:.0} | {after:.1} | {:.0} |",
            before / after
        );
    }
    println!(
        "| reads of one row | p50 µs | p99 µs | p99.9 µs | most µs |\n|---|---:|---:|---:|---:|"
    );
    for (name, times) in [
        ("while nothing is built", &mut quiet),
        ("during builds", &mut during),
    ] {
        if times.is_empty() {
            continue;
        }
        let shares = [0.5, 0.99, 0.999, 1.0].map(|share| quantile(times, share));
        println!(
            "| {name} ({}) | {:.1} | {:.1} | {:.1} | {:.1} |",
            times.len(),
            shares[0],
            shares[1],
            shares[2],
            shares[3]
        );
    }
    Ok(())
}
