//! How long a decision takes.
//!
//! `cargo run --release -p polity-router --example choose -- [TRAIN.jsonl [PREDICTOR.json]]`
//!
//! Fifty models, prompts of the training file or made up, everything warm, one thread; then all threads at once. With a
//! file, a predictor is trained on half of it and its scores are spread over all fifty models. Where a second file is
//! named, the predictor is kept there and not trained again.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a measurement, not an interface"
)]

#[path = "measure/mod.rs"]
mod measure;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use measure::{Bench, ask, read, router, shuffle};
use polity_router::{Exploration, Feedback, Mode, Policy, Predictor, Router, Row, train};

const MODELS: usize = 50;
const ROUNDS: usize = 40_000;

fn main() {
    let policy = Policy {
        mode: Mode::On,
        personal_data: polity_router::PersonalDataPolicy::LocalOnly,
        exploration: Exploration {
            share: 0.1,
            day_budget: u64::MAX,
        },
        ..Policy::default()
    };
    let models: Vec<(String, u64)> = (0..MODELS as u64)
        .map(|number| (format!("model-{number:02}"), 100_000 * (number + 1)))
        .collect();
    let mut prompts: Vec<String> = (0..2000)
        .map(|number| format!("Question {number}: what does our policy say about refunds after {} days, and who approves them?", number % 90))
        .collect();
    let router = router(&models, policy);
    if let Some(path) = std::env::args().nth(1) {
        let mut rows = read(&path);
        shuffle(&mut rows, 1);
        let (training, rest) = rows.split_at(rows.len() / 2);
        prompts = rest.iter().map(|bench| bench.row.prompt.clone()).collect();
        report("one thread, no predictor", measure(&router, &prompts));
        let predictor = predictor(training, std::env::args().nth(2));
        println!("predictor: {}", predictor.report());
        router.set_predictor(Some(Arc::new(predictor)));
    }
    // What was learned is not empty in a company that works.
    for (number, prompt) in prompts.iter().take(1000).enumerate() {
        let decision = ask(&router, prompt, None, number as u64, number as u64);
        let feedback = Feedback {
            score: Some((number % 10) as f64 / 10.0),
            ..Feedback::default()
        };
        router.learn(&decision, &feedback, number as u64);
    }
    let mut bytes: Vec<usize> = prompts.iter().map(String::len).collect();
    bytes.sort_unstable();
    println!(
        "prompts: {} bytes in the middle, {} at most",
        bytes[bytes.len() / 2],
        bytes[bytes.len() - 1]
    );
    report("one thread", measure(&router, &prompts));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let all: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| measure(&router, &prompts)))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread"))
            .collect()
    });
    report(&format!("{threads} threads"), all);
    let long = "a long text, and then some more of it. ".repeat(100 << 20 >> 5);
    let begun = Instant::now();
    black_box(ask(&router, &long, None, 0, 0));
    println!(
        "a prompt of {} MB: {:.2} ms",
        long.len() >> 20,
        begun.elapsed().as_secs_f64() * 1e3
    );
}

/// The predictor that is kept at a path, or a new one.
fn predictor(training: &[Bench], kept: Option<String>) -> Predictor {
    if let Some(text) = kept
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok())
    {
        return Predictor::from_json(&text).expect("a predictor of this version");
    }
    let training: Vec<Row> = training.iter().map(|bench| spread(&bench.row)).collect();
    let begun = Instant::now();
    let predictor = train(&training).expect("rows to learn from");
    println!("trained in {:.1} s", begun.elapsed().as_secs_f64());
    if let Some(path) = kept {
        std::fs::write(path, predictor.to_json()).expect("a place to write to");
    }
    predictor
}

/// Scores of a few models as scores of all.
fn spread(row: &Row) -> Row {
    let scores: Vec<f64> = row.score.values().copied().collect();
    let score =
        (0..MODELS).map(|number| (format!("model-{number:02}"), scores[number % scores.len()]));
    Row {
        score: score.collect(),
        ..row.clone()
    }
}

fn measure(router: &Router, prompts: &[String]) -> Vec<u64> {
    (0..ROUNDS)
        .map(|round| {
            let prompt = &prompts[round % prompts.len()];
            let begun = Instant::now();
            black_box(ask(router, black_box(prompt), None, 2000, round as u64));
            u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect()
}

fn report(what: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "{what}, {MODELS} models: p50 {:.1} us, p90 {:.1} us, p99 {:.1} us, p99.9 {:.1} us",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999)
    );
}
