//! How well the predictor ranks prompts by what a strong model gains over a weak one.
//!
//! `cargo run --release -p polity-router --example routellm -- routellm-eval-2models.jsonl`
//!
//! Prints the average performance gap recovered (Ong et al., 2024) on rows that were not trained on: 0.5 is chance. It is
//! the mean of five splits; `--seeds 20` takes more, for one split's figure is mostly luck where its test rows are few.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a measurement, not an interface"
)]

#[path = "measure/mod.rs"]
mod measure;

use measure::{Bench, mean_and_deviation, read, shuffle};
use polity_router::{Row, train};

const STRONG: &str = "gpt-4-1106-preview";
const WEAK: &str = "mixtral-8x7b-instruct-v0.1";

fn main() {
    let path = std::env::args().nth(1).expect("usage: routellm FILE");
    let with_tasks = std::env::args().any(|argument| argument == "--tasks");
    let seeds = measure::seeds(5);
    let all = read(&path);
    for (bench, training) in [("mmlu", 1500), ("gsm8k", 650)] {
        let rows: Vec<&Bench> = all
            .iter()
            .filter(|row| row.bench.as_deref() == Some(bench) && !row.contaminated)
            .collect();
        let mut results = Vec::new();
        for seed in 0..seeds {
            let mut rows = rows.clone();
            shuffle(&mut rows, seed);
            let (known, unknown) = rows.split_at(training);
            let known: Vec<Row> = known
                .iter()
                .map(|bench| Row {
                    task: bench.row.task.clone().filter(|_| with_tasks),
                    ..bench.row.clone()
                })
                .collect();
            let predictor = train(&known).expect("rows to learn from");
            let mut scored: Vec<(f64, f64)> = unknown
                .iter()
                .map(|bench| {
                    let predicted = predictor.predict(&bench.row.prompt);
                    let gain =
                        predicted.quality(STRONG).unwrap() - predicted.quality(WEAK).unwrap();
                    (gain, bench.row.score[STRONG] - bench.row.score[WEAK])
                })
                .collect();
            let apgr = apgr(&mut scored);
            eprintln!("{bench} seed {seed}: {apgr:.4}  {}", predictor.report());
            results.push(apgr);
        }
        let (mean, deviation) = mean_and_deviation(&results);
        println!(
            "{bench}: APGR {mean:.4} ± {deviation:.4} over {seeds} seeds, {training} training rows, {} test rows",
            rows.len() - training
        );
    }
}

/// Area under the share of the gap that is recovered, over the share of prompts that go to the strong model.
fn apgr(scored: &mut [(f64, f64)]) -> f64 {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let whole: f64 = scored.iter().map(|(_, gain)| gain).sum();
    let (mut recovered, mut area) = (0.0, 0.0);
    for (_, gain) in scored.iter() {
        let before = recovered;
        recovered += gain / whole;
        area += f64::midpoint(before, recovered) / scored.len() as f64;
    }
    area
}
