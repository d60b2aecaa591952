//! How fast the interpreter is when its state is written and read for each step, as a host does:
//! `cargo run --release -p polity-workflow --example transitions`. Storage itself is not part of it.

use std::time::Instant;

use polity_workflow::{Dialect, Event, Instance, Transition, Workflow};
use serde_json::json;

const THREE: &str = "
document: {dsl: 1.0.3, namespace: bench, name: three, version: 1.0.0}
do:
  - decide: {call: decide, with: {table: limit}, export: {as: '{limit: .limit}'}}
  - record: {call: records.insert, with: {collection: log, record: {limit: '${ $context.limit }'}}}
  - answer: {set: {ok: '${ .id }', limit: '${ $context.limit }'}}
";
const WAITING: &str = "
document: {dsl: 1.0.3, namespace: bench, name: waiting, version: 1.0.0}
do:
  - first: {set: {order: '${ .order }', customer: '${ .customer }'}}
  - pause: {wait: P1D}
  - last: {set: {done: true}}
";

/// Bytes of memory that the process holds, by the kernel's account.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}

/// What a host keeps of a transition: bytes.
fn store(transition: &Transition) -> (Vec<u8>, usize) {
    let instance = serde_json::to_vec(&transition.instance).unwrap_or_default();
    let journal = serde_json::to_vec(&transition.entries).unwrap_or_default();
    (instance, journal.len())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let three = Workflow::load("three.yaml", THREE, Dialect::Strict)?;
    let rounds = 5_000;
    let (mut steps, mut bytes, mut micros) = (0_u32, 0, Vec::with_capacity(rounds));
    let began = Instant::now();
    for round in 0..rounds {
        let at = Instant::now();
        let mut now = 1_000;
        let mut transition = Instance::start(
            &three,
            json!({"amount": 12, "order": round}),
            format!("run-{round}"),
            now,
            1,
        );
        loop {
            steps += 1;
            let (stored, journal) = store(&transition);
            bytes += stored.len() + journal;
            let Some(request) = transition.requests.first() else {
                break;
            };
            let output = json!({"limit": 500, "id": "r1"});
            let answer = Event::EffectCompleted {
                id: request.id.clone(),
                output,
            };
            let instance: Instance = serde_json::from_slice(&stored)?;
            now += 1;
            transition = instance.step(&three, answer, now, 1)?;
        }
        assert!(transition.instance.outcome().is_some());
        micros.push(at.elapsed().as_nanos() / 1_000);
    }
    let seconds = began.elapsed().as_secs_f64();
    micros.sort_unstable();
    println!(
        "transitions/s with state and journal written and read: {:.0}",
        f64::from(steps) / seconds
    );
    println!("tasks/s: {:.0}", 3.0 * rounds as f64 / seconds);
    println!(
        "workflow of 3 tasks, 2 effects: p50 {} µs, p99 {} µs",
        micros[rounds / 2],
        micros[rounds * 99 / 100]
    );
    println!("bytes written a workflow: {}", bytes / rounds);

    let waiting = Workflow::load("waiting.yaml", WAITING, Dialect::Strict)?;
    let input =
        |n: usize| json!({"order": n, "customer": {"name": "Ada", "mail": "ada@example.com"}});
    let before = resident();
    let instances: Vec<Instance> = (0..10_000)
        .map(|n| Instance::start(&waiting, input(n), format!("run-{n}"), 1_000, 1).instance)
        .collect();
    let in_memory = resident().saturating_sub(before);
    let stored: usize = instances
        .iter()
        .map(|instance| serde_json::to_vec(instance).map_or(0, |bytes| bytes.len()))
        .sum();
    println!(
        "10,000 waiting instances: {} KiB in memory, {} KiB stored",
        in_memory / 1024,
        stored / 1024
    );
    let began = Instant::now();
    let next = instances.iter().filter_map(Instance::next_wake).min();
    println!(
        "next wake of all of them: {next:?}, found in {} µs; in between they cost nothing",
        began.elapsed().as_micros()
    );
    Ok(())
}
