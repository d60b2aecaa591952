//! How often a kind of request that was never seen is noticed, and how often a known one is taken for it.
//!
//! `cargo run --release -p polity-router --example unseen -- llmrouter-9models-train.jsonl`
//!
//! Each task is left out in turn, with the rows shuffled five times or as often as `--seeds` says. The predictor learns
//! from 80 % of the others; the remaining 20 % measure false alarms, the task left out measures detection.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a measurement, not an interface"
)]

#[path = "measure/mod.rs"]
mod measure;

use std::collections::BTreeSet;

use measure::{Bench, read, shuffle};
use polity_router::{Row, train};

const RATE: f64 = 0.05;

fn main() {
    let path = std::env::args().nth(1).expect("usage: unseen FILE");
    let mut rows = read(&path);
    let tasks: BTreeSet<String> = rows
        .iter()
        .filter_map(|bench| bench.row.task.clone())
        .collect();
    let (mut all_noticed, mut all_strangers, mut all_alarms, mut all_known) = (0, 0, 0, 0);
    let mut rates = Vec::new();
    for (seed, task) in
        (0..measure::seeds(5)).flat_map(|seed| tasks.iter().map(move |task| (seed, task)))
    {
        shuffle(&mut rows, seed);
        let (strangers, others): (Vec<&Bench>, Vec<&Bench>) = rows
            .iter()
            .partition(|bench| bench.row.task.as_ref() == Some(task));
        let (training, known) = others.split_at(others.len() * 8 / 10);
        let training: Vec<Row> = training.iter().map(|bench| bench.row.clone()).collect();
        let predictor = train(&training).expect("rows to learn from");
        let is_strange = |bench: &&&Bench| predictor.predict(&bench.row.prompt).is_strange(RATE);
        let noticed = strangers.iter().filter(is_strange).count();
        let alarms = known.iter().filter(is_strange).count();
        println!(
            "{seed} {task}: noticed {:.1} % of {}, false alarms {:.1} % of {}, weights {:.2?}",
            100.0 * noticed as f64 / strangers.len() as f64,
            strangers.len(),
            100.0 * alarms as f64 / known.len() as f64,
            known.len(),
            predictor.report().strangeness
        );
        rates.push(noticed as f64 / strangers.len() as f64);
        all_noticed += noticed;
        all_strangers += strangers.len();
        all_alarms += alarms;
        all_known += known.len();
    }
    println!(
        "all: noticed {:.1} % (mean of tasks {:.1} %), false alarms {:.2} %",
        100.0 * f64::from(all_noticed as u32) / f64::from(all_strangers as u32),
        100.0 * rates.iter().sum::<f64>() / rates.len() as f64,
        100.0 * f64::from(all_alarms as u32) / f64::from(all_known as u32)
    );
}
