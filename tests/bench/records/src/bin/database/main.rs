//! Polity's records beside SQLite and PostgreSQL, in one run.
//!
//! Every query is a text that has not been seen before, and is over when its rows are there as values. Peers take turns
//! in short stretches, so that a machine whose load drifts is unfair to nobody, and every first answer is compared: what
//! does not give the same number of rows is not measured but ends the run. Polity and SQLite run in this process;
//! PostgreSQL is a server at the other end of a Unix socket, which costs it some 20 µs a question that it would not need
//! elsewhere either. `--rows` says how many, `--only` leaves the peers out whose name does not contain the word.

mod polity;
mod postgres;
mod sqlite;

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use polity_bench_records::{flag, quantile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns that a measurement is cut into.
const TURNS: usize = 10;
/// Writers of the group commit, and what each writes.
const WRITERS: usize = 16;
const EACH: usize = 500;

/// A database with one collection, `orders`.
trait Peer {
    fn name(&self) -> &'static str;

    /// Fills it with so many orders.
    fn load(&mut self, rows: usize) -> Result<()>;

    /// Makes the order of one or more fields.
    fn index(&mut self, name: &str, fields: &[&str]) -> Result<()>;

    /// Keeps the answer of [`GROUPS`] ready; the query that asks for it, where there is such a thing.
    fn rollup(&mut self) -> Result<Option<&'static str>>;

    /// Text in, rows out. How many.
    fn ask(&mut self, sql: &str) -> Result<usize>;

    /// Has this many writers insert, one durable transaction after another.
    fn write_together(&mut self, writers: usize, each: usize) -> Result<()>;
}

const GROUPS: &str = "SELECT status, count(*), sum(amount) FROM orders GROUP BY status";

struct Order {
    id: usize,
    cust: usize,
    status: String,
    amount: String,
    note: String,
}

impl Order {
    fn new(id: usize) -> Self {
        Self {
            id,
            cust: id * 7_919 % 10_007,
            status: format!("s{}", id * 31 % 10),
            amount: format!("{}.{:02}", id * 37 % 5_000, id % 100),
            note: format!("note {id} of a usual length for such things"),
        }
    }

    fn insert(&self) -> String {
        format!(
            "INSERT INTO orders (id, cust, status, amount, note) VALUES ({}, {}, '{}', {}, '{}')",
            self.id, self.cust, self.status, self.amount, self.note
        )
    }
}

/// A line of the table.
struct Line {
    name: &'static str,
    /// One for each peer.
    figures: Vec<String>,
}

fn main() -> Result<()> {
    let rows = flag("--rows", 100_000) as usize;
    let only = env::args()
        .skip_while(|argument| argument != "--only")
        .nth(1);
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(polity::Alone::new()?),
        Box::new(polity::Watched::new()?),
        Box::new(sqlite::Sqlite::new()?),
    ];
    match postgres::Postgres::new() {
        Ok(server) => peers.push(Box::new(server)),
        Err(error) => eprintln!("without PostgreSQL: {error:#}"),
    }
    if let Some(only) = &only {
        peers.retain(|peer| peer.name().contains(only.as_str()));
    }
    let mut lines = vec![load(&mut peers, rows)?];
    lines.push(ask(&mut peers, "point read, µs", 20_000, 1.0, &|n| {
        format!("SELECT * FROM orders WHERE id = {}", 1 + n * 7_907 % rows)
    })?);
    lines.push(ask(&mut peers, "scan with filter, ms", 30, 1e3, &|n| {
        format!(
            "SELECT id, amount FROM orders WHERE cust = {}",
            n * 91 % 10_007
        )
    })?);
    lines.push(ask(
        &mut peers,
        "GROUP BY without rollup, ms",
        30,
        1e3,
        &|_| GROUPS.to_owned(),
    )?);
    for peer in &mut peers {
        peer.index("by_cust", &["cust"])?;
        peer.index("by_status_amount", &["status", "amount"])?;
    }
    lines.push(ask(
        &mut peers,
        "indexed equality, ~10 rows, µs",
        20_000,
        1.0,
        &|n| {
            format!(
                "SELECT id, amount FROM orders WHERE cust = {}",
                n * 91 % 10_007
            )
        },
    )?);
    lines.push(ask(&mut peers, "composite range, ~50 rows, µs", 5_000, 1.0, &|n| {
        let (status, from) = (n % 10, n * 37 % 4_900);
        format!(
            "SELECT id, note FROM orders WHERE status = 's{status}' AND amount >= {from} AND amount < {}",
            from + 25
        )
    })?);
    let mut inserts = insert(&mut peers, rows)?;
    lines.append(&mut inserts);
    lines.push(rollup(&mut peers)?);
    lines.push(together(&mut peers)?);
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    println!("| {rows} rows, p50 | {} |", names.join(" | "));
    println!("|---|{}", "---:|".repeat(names.len()));
    for line in lines {
        println!("| {} | {} |", line.name, line.figures.join(" | "));
    }
    Ok(())
}

fn load(peers: &mut [Box<dyn Peer>], rows: usize) -> Result<Line> {
    let mut figures = Vec::new();
    for peer in peers {
        let begun = Instant::now();
        peer.load(rows)?;
        let each = begun.elapsed().as_secs_f64() * 1e6 / rows as f64;
        figures.push(format!("{each:.1}"));
    }
    Ok(Line {
        name: "load in batches of 500, µs a row",
        figures,
    })
}

/// The median time of a question, each time another.
fn ask(
    peers: &mut [Box<dyn Peer>],
    name: &'static str,
    runs: usize,
    unit: f64,
    question: &dyn Fn(usize) -> String,
) -> Result<Line> {
    let mut answers = Vec::new();
    for peer in &mut *peers {
        let found: Result<Vec<usize>> = (0..3).map(|n| peer.ask(&question(n))).collect();
        answers.push(found?);
    }
    ensure!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "{name}: the answers differ: {answers:?}"
    );
    let mut times = vec![Vec::new(); peers.len()];
    for turn in 0..TURNS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            for n in turn * runs / TURNS..(turn + 1) * runs / TURNS {
                let question = question(n + 3);
                times.push(time(|| peer.ask(&question))?);
            }
        }
    }
    let figures = times
        .iter_mut()
        .map(|times| format!("{:.1}", quantile(times, 0.5) / unit))
        .collect();
    Ok(Line { name, figures })
}

fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

/// Orders by SQL, nobody waiting for the disk: the median, and the mean, which has what is done now and then for many.
fn insert(peers: &mut [Box<dyn Peer>], rows: usize) -> Result<Vec<Line>> {
    const RUNS: usize = 30_000;
    let mut times = vec![Vec::new(); peers.len()];
    for turn in 0..TURNS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            for n in turn * RUNS / TURNS..(turn + 1) * RUNS / TURNS {
                let statement = Order::new(rows + 1 + n).insert();
                times.push(time(|| peer.ask(&statement))?);
            }
        }
    }
    let mean = |times: &Vec<Duration>| {
        let all: Duration = times.iter().sum();
        format!("{:.1}", all.as_secs_f64() * 1e6 / times.len() as f64)
    };
    let means = times.iter().map(mean).collect();
    let medians = times
        .iter_mut()
        .map(|times| format!("{:.1}", quantile(times, 0.5)))
        .collect();
    Ok(vec![
        Line {
            name: "insert with 2 indexes, µs",
            figures: medians,
        },
        Line {
            name: "insert with 2 indexes, mean µs",
            figures: means,
        },
    ])
}

fn rollup(peers: &mut [Box<dyn Peer>]) -> Result<Line> {
    let mut figures = Vec::new();
    for peer in peers {
        let Some(question) = peer.rollup()? else {
            figures.push("–".to_owned());
            continue;
        };
        ensure!(peer.ask(question)? == 10, "the rollup has another answer");
        let mut times = Vec::new();
        for _ in 0..5_000 {
            times.push(time(|| peer.ask(question))?);
        }
        figures.push(format!("{:.1}", quantile(&mut times, 0.5)));
    }
    Ok(Line {
        name: "GROUP BY with rollup, µs",
        figures,
    })
}

fn together(peers: &mut [Box<dyn Peer>]) -> Result<Line> {
    let mut figures = Vec::new();
    for peer in peers {
        let begun = Instant::now();
        peer.write_together(WRITERS, EACH)?;
        let rate = (WRITERS * EACH) as f64 / begun.elapsed().as_secs_f64();
        figures.push(format!("{rate:.0}"));
    }
    Ok(Line {
        name: "durable inserts, 16 writers, a second",
        figures,
    })
}
