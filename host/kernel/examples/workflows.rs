//! What running workflows costs: steps a second on the disk, the time of a run of three steps, and what ten thousand
//! runs cost that wait.
//!
//! `cargo run --release -p polity-kernel --example workflows`

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use polity_kernel::{Actor, InstanceFilter, Kernel, Settings};
use serde_json::{Value, json};

/// Three tables asked one after another: one commit.
const TABLES: &str = "
document: {dsl: 1.0.3, namespace: bench, name: tables, version: 1.0.0}
do:
  - a: {call: decide, with: {table: limit, input: {amount: 10}}}
  - b: {call: decide, with: {table: limit, input: {amount: 60}}}
  - c: {call: decide, with: {table: limit, input: {amount: 20}}}
";

/// Three records written one after another: a commit of the state before and after each.
const RECORDS: &str = "
document: {dsl: 1.0.3, namespace: bench, name: records, version: 1.0.0}
do:
  - a: {call: records.insert, with: {collection: notes, record: {n: 1}}}
  - b: {call: records.insert, with: {collection: notes, record: {n: 2}}}
  - c: {call: records.insert, with: {collection: notes, record: {n: 3}}}
";

/// A run that waits for a day, or for an event of its own.
const WAITING: &str = "
document: {dsl: 1.0.3, namespace: bench, name: waiting, version: 1.0.0}
do:
  - paid:
      listen:
        to:
          one:
            with: {type: com.example.paid}
            correlate: {n: {from: .data.n, expect: '${ $workflow.input.n }'}}
      timeout: {after: P1D}
";

const TABLE: &str = r#"{"name": "limit", "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
    "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask"]}],
    "rules": [{"inputEntries": ["<= 50"], "outputEntries": ["pay"]}, {"inputEntries": ["> 50"], "outputEntries": ["ask"]}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let kernel = start(folder.path())?;
    let ada = kernel.actor("person:ada").ok_or("there is no ada")?;
    let follower = tokio::spawn({
        let kernel = kernel.clone();
        async move { kernel.follow_workflows().await }
    });
    for (workflow, steps) in [("tables", 3), ("records", 3)] {
        for workers in [1, 16] {
            let (runs, took, mut times) = load(&kernel, &ada, workflow, workers).await?;
            times.sort_unstable();
            println!(
                "{workflow:<8} {workers:>2} workers: {:>6.0} steps/s, {:>5.0} runs/s; a run takes p50 {:?}, p99 {:?}",
                (runs * steps) as f64 / took.as_secs_f64(),
                runs as f64 / took.as_secs_f64(),
                times[times.len() / 2],
                times[times.len() * 99 / 100],
            );
        }
    }

    let (before, count) = (memory()?, 10_000);
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..16).map(|_| {
        let (kernel, ada, next) = (kernel.clone(), ada.clone(), next.clone());
        tokio::spawn(async move {
            while let n @ 0..10_000 = next.fetch_add(1, Ordering::Relaxed) {
                let input = json!({ "n": n });
                kernel.run_workflow(&ada, "waiting", input, None).await?;
            }
            Ok::<(), polity_kernel::RunError>(())
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    println!("{count} runs began in {:?}", begun.elapsed());
    let (cpu, idle) = (cpu()?, Duration::from_secs(20));
    tokio::time::sleep(idle).await;
    println!(
        "{count} waiting: {} bytes of memory each, {:?} of CPU time in {idle:?}",
        memory()?.saturating_sub(before) / count,
        self::cpu()?.saturating_sub(cpu)
    );
    let begun = Instant::now();
    let event = json!({"type": "com.example.paid", "data": {"n": 4711}});
    let shown = kernel.receive_event(&ada, event).await?;
    let filter = InstanceFilter {
        workflow: Some("waiting".to_owned()),
        open: Some(false),
        ..InstanceFilter::default()
    };
    while kernel.instances(&filter, None, 1)?.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!(
        "an event was shown to {} and ended one of them within {:?}",
        shown.shown,
        begun.elapsed()
    );

    follower.abort();
    let _ = follower.await;
    kernel.drain(Duration::from_secs(60)).await?;
    drop(kernel);
    let begun = Instant::now();
    let kernel = start(folder.path())?;
    let follower = tokio::spawn(async move { kernel.follow_workflows().await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    println!(
        "a host with {count} waiting runs starts in {:?}",
        begun.elapsed()
    );
    follower.abort();
    Ok(())
}

async fn load(
    kernel: &Kernel,
    ada: &Arc<Actor>,
    workflow: &'static str,
    workers: usize,
) -> Result<(usize, Duration, Vec<Duration>), Box<dyn std::error::Error>> {
    let (begun, length) = (Instant::now(), Duration::from_secs(5));
    let tasks = (0..workers).map(|_| {
        let (kernel, ada) = (kernel.clone(), ada.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < length {
                let started = Instant::now();
                let run = kernel
                    .run_workflow(&ada, workflow, Value::Null, None)
                    .await?;
                if !run.has_ended() {
                    kernel.wait_for_instance(run.id, u64::MAX).await?;
                }
                times.push(started.elapsed());
            }
            Ok::<_, polity_kernel::RunError>(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    Ok((times.len(), begun.elapsed(), times))
}

fn start(folder: &Path) -> Result<Kernel, Box<dyn std::error::Error>> {
    let company = folder.join("company");
    for (path, text) in [
        (
            "charter.json",
            r#"{"company": {"name": "Bench", "currency": "EUR"}, "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
                "defaults": {"unmatched": "allow"}}"#,
        ),
        ("decisions/limit.json", TABLE),
        ("workflows/tables.yaml", TABLES),
        ("workflows/records.yaml", RECORDS),
        ("workflows/waiting.yaml", WAITING),
    ] {
        let path = company.join(path);
        fs::create_dir_all(path.parent().ok_or("a file lies in a folder")?)?;
        fs::write(path, text)?;
    }
    fs::create_dir_all(company.join("plugins"))?;
    Ok(Kernel::start(Settings::new(company, folder.join("data")))?)
}

/// Bytes that this process has in memory.
fn memory() -> Result<usize, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("this needs Linux")?.parse::<usize>()? * 1024)
}

/// CPU time that this process has taken.
fn cpu() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("this needs Linux")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
