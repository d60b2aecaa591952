//! How many commits a second, and what a relaxed one costs its caller.
//!
//! `cargo run --release -p polity-ledger --example throughput [FOLDER]`. Each commit is one event of about 500 stored
//! bytes and one state key. Durable writers are tasks that wait for each commit before they make the next.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_ledger::{Commit, Event, Ledger, Options, SystemClock};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let scratch = std::env::temp_dir().join(format!("polity-throughput-{}", std::process::id()));
    let folder = std::env::args_os().nth(1).map_or(scratch, Into::into);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    for writers in [1, 16, 64] {
        durable(
            &runtime,
            &folder.join(format!("durable-{writers}")),
            writers,
        )?;
    }
    relaxed(&runtime, &folder.join("relaxed"))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn open(folder: &Path) -> Result<Ledger, Failure> {
    Ok(Ledger::open(Options::new(folder, Arc::new(SystemClock)))?)
}

fn commit(writer: u64, n: u64) -> Commit {
    let data = json!({
        "model": "small", "rule": "spending-limit", "verdict": "allow", "input_tokens": n % 4096,
        "output_tokens": n % 512, "cost": n * 7 % 10_000, "request": format!("{writer}-{n}"),
    });
    Commit::new()
        .put(format!("budget/{writer}"), n.to_string())
        .event(Event::new(
            "model.completed",
            "/kernel",
            format!("request/{}", n % 1000),
            data,
        ))
}

fn durable(runtime: &tokio::runtime::Runtime, folder: &Path, writers: u64) -> Result<(), Failure> {
    let ledger = open(folder)?;
    let span = Duration::from_secs(4);
    let cpu = cpu();
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let ledger = ledger.clone();
            runtime.spawn(async move {
                let mut waits = Vec::new();
                while start.elapsed() < span {
                    let begun = Instant::now();
                    ledger.commit(commit(writer, waits.len() as u64)).await?;
                    waits.push(begun.elapsed());
                }
                Ok::<_, polity_ledger::CommitError>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(runtime.block_on(task)??);
    }
    let elapsed = start.elapsed();
    let cpu = self::cpu().saturating_sub(cpu);
    waits.sort();
    let stats = ledger.stats();
    println!(
        "durable, {writers:2} writers: {:6.0} commits/s, wait p50 {:?} p99 {:?}, {:.1} commits a flush, {:.0} us CPU a commit",
        waits.len() as f64 / elapsed.as_secs_f64(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        stats.commits as f64 / stats.syncs.max(1) as f64,
        cpu.as_secs_f64() * 1e6 / waits.len() as f64,
    );
    Ok(())
}

fn relaxed(runtime: &tokio::runtime::Runtime, folder: &Path) -> Result<(), Failure> {
    for (pace, commits) in [
        (Duration::from_millis(1), 3_000_u64),
        (Duration::from_micros(100), 20_000),
    ] {
        let ledger = open(&folder.join(format!("{}us", pace.as_micros())))?;
        let mut waits = Vec::new();
        let before = cpu();
        let mut made_in = Duration::ZERO;
        let mut next = Instant::now();
        for n in 0..commits {
            next += pace;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let ready = commit(0, n);
            let begun = Instant::now();
            black_box(ledger.commit_relaxed(ready)?);
            waits.push(begun.elapsed());
            made_in += waits[waits.len() - 1];
        }
        runtime.block_on(ledger.flush())?;
        waits.sort();
        let stats = ledger.stats();
        println!(
            "relaxed, one each {pace:?}: caller mean {:.1} us p50 {:?} p99 {:?}, {:.1} commits a batch, {:.0} us CPU a commit in all threads (pacing included)",
            made_in.as_secs_f64() * 1e6 / commits as f64,
            waits[waits.len() / 2],
            waits[waits.len() * 99 / 100],
            stats.commits as f64 / stats.groups.max(1) as f64,
            cpu().saturating_sub(before).as_secs_f64() * 1e6 / commits as f64,
        );
    }
    let ledger = open(&folder.join("flood"))?;
    let commits = 100_000;
    let start = Instant::now();
    for n in 0..commits {
        ledger.commit_relaxed(commit(0, n))?;
    }
    runtime.block_on(ledger.flush())?;
    println!(
        "relaxed, as fast as it takes them: {:.0} commits/s",
        commits as f64 / start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let verified = ledger.verify(|_| ())?;
    println!(
        "verify: {:.0} events/s",
        verified.events as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Processor time of the whole process, zero where it cannot be told.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    // The kernel counts in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
