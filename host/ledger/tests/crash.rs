//! Acknowledged means durable: a process that is killed at any moment has lost nothing it acknowledged and torn
//! nothing it had begun.
//!
//! The test runs itself as a child that commits without pause and prints what was acknowledged, kills it at random
//! moments, opens the folder and holds the chain, the acknowledgements and the state against each other. 20 cycles;
//! `POLITY_CRASH_CYCLES=300` for the long run.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_ledger::{Commit, CommitError, Event, Ledger, ManualClock, Options, new_id};
use serde_json::json;

const CHILD: &str = "POLITY_LEDGER_TEST_CRASHES";
const WRITERS: u64 = 6;

fn open(folder: &Path) -> Ledger {
    Ledger::open(Options::new(
        folder,
        Arc::new(ManualClock::new(1_700_000_000_000)),
    ))
    .unwrap()
}

/// Small numbers that differ from run to run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn count(ledger: &Ledger, writer: &str) -> u64 {
    let value = ledger.get(&format!("count/{writer}")).unwrap();
    value.map_or(0, |value| {
        String::from_utf8(value).unwrap().parse().unwrap()
    })
}

/// The `n`th commit of a writer: its counter goes up by one, a big value is replaced, and two events say so.
fn step(writer: &str, n: u64) -> Commit {
    let key = format!("count/{writer}");
    let commit = match n {
        1 => Commit::new().expect_absent(&key),
        n => Commit::new().expect_value(&key, (n - 1).to_string()),
    };
    let text = "y".repeat(usize::try_from(n % 13).unwrap() * 1500);
    commit
        .put(key, n.to_string())
        .put(
            format!("big/{writer}"),
            vec![n as u8; usize::try_from(n % 7).unwrap() * 4000],
        )
        .event(Event::new(
            "count.began",
            "/test",
            format!("writer/{writer}"),
            json!({ "n": n, "text": text }),
        ))
        .event(Event::new(
            "count.ended",
            "/test",
            format!("writer/{writer}"),
            json!({ "n": n }),
        ))
}

/// Not a test of its own: it is run, and killed, by the next one.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let ledger = open(Path::new(&folder));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    for writer in 0..WRITERS {
        let ledger = ledger.clone();
        runtime.spawn(async move {
            let writer = writer.to_string();
            for n in count(&ledger, &writer) + 1.. {
                let seq = ledger
                    .commit(step(&writer, n))
                    .await
                    .unwrap()
                    .last_seq
                    .unwrap();
                let line = format!("ack {writer} {n} {seq} .\n");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    // One that never waits for the disk: it may lose its last steps, but it must lose them whole.
    for n in count(&ledger, "relaxed") + 1.. {
        ledger.commit_relaxed(step("relaxed", n)).unwrap();
        if n % 20 == 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_is_torn() {
    let cycles = std::env::var("POLITY_CRASH_CYCLES").map_or(20, |cycles| cycles.parse().unwrap());
    let seed = new_id(0).as_u64_pair().1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut counts = HashMap::<String, u64>::new();
    let mut checked = 0;
    let mut acknowledged = 0_u64;
    let mut slowest_open = Duration::ZERO;
    for cycle in 0..cycles {
        let acks = run_and_kill(folder.path(), &mut dice);
        acknowledged += acks.len() as u64;
        let begun = Instant::now();
        let ledger = open(folder.path());
        slowest_open = slowest_open.max(begun.elapsed());
        let events = ledger
            .verify(|_| ())
            .unwrap_or_else(|broken| panic!("cycle {cycle}: {broken}"))
            .events;
        while checked < events {
            for event in ledger.events(checked, 500).unwrap() {
                checked = event.seq;
                let (kind, n) = (event.kind.as_str(), event.data["n"].as_u64().unwrap());
                let writer = event.subject.strip_prefix("writer/").unwrap().to_owned();
                let count = counts.entry(writer).or_default();
                // Both events of each commit, each once, in order.
                *count += u64::from(kind == "count.began");
                assert_eq!(*count, n, "cycle {cycle}, event {}", event.seq);
                assert_eq!(
                    event.seq % 2 == 1,
                    kind == "count.began",
                    "cycle {cycle}, event {}",
                    event.seq
                );
            }
        }
        assert_eq!(events % 2, 0, "cycle {cycle}: half a commit");
        for (writer, n, seq) in acks {
            let event = ledger
                .event(seq)
                .unwrap()
                .unwrap_or_else(|| panic!("cycle {cycle}: lost {seq}"));
            assert_eq!(
                (event.subject, event.data["n"].as_u64()),
                (format!("writer/{writer}"), Some(n))
            );
        }
        for (writer, n) in &counts {
            assert_eq!(
                count(&ledger, writer),
                *n,
                "cycle {cycle}: the state of {writer} is not that of its events"
            );
            let big = ledger.get(&format!("big/{writer}")).unwrap().unwrap();
            assert_eq!(
                big,
                vec![*n as u8; usize::try_from(n % 7).unwrap() * 4000],
                "cycle {cycle}: {writer}"
            );
        }
        if cycle % 7 == 0 {
            // The folder is not only readable.
            ledger
                .commit_relaxed(Commit::new().put("parent", cycle.to_string()))
                .unwrap();
            let stale = ledger.commit_relaxed(step("0", 1));
            assert!(
                matches!(stale, Err(CommitError::Conflict { .. })) || !counts.contains_key("0")
            );
            if stale.is_ok() {
                counts.insert("0".to_owned(), 1);
                checked += 2;
            }
        }
    }
    println!(
        "{cycles} kills, {acknowledged} acknowledged commits, {checked} events, slowest open {slowest_open:?}"
    );
    assert!(acknowledged > 0);
}

/// Acknowledged steps: writer, n, seq.
fn run_and_kill(folder: &Path, dice: &mut Dice) -> Vec<(String, u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "child_that_commits_until_it_is_killed",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acks = Vec::new();
    let mut read = |line: std::io::Result<String>| {
        let line = line.unwrap();
        // A line can be torn by the kill; then it was not acknowledged.
        if let ["ack", writer, n, seq, "."] = line.split(' ').collect::<Vec<_>>()[..] {
            acks.push((writer.to_owned(), n.parse().unwrap(), seq.parse().unwrap()));
        }
    };
    // Sometimes in the middle of opening, mostly while writing.
    if dice.below(6) > 0 {
        let wanted = 1 + dice.below(250);
        lines
            .by_ref()
            .take(usize::try_from(wanted).unwrap())
            .for_each(&mut read);
    }
    std::thread::sleep(Duration::from_micros(dice.below(40_000)));
    child.kill().unwrap();
    lines.for_each(&mut read);
    child.wait().unwrap();
    acks
}
