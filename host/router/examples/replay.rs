//! How learning follows a world that changes: regret over a stream of requests in which a price changes, a model dies
//! and a new one appears.
//!
//! `cargo run --release -p polity-router --example replay -- llmrouter-9models-train.jsonl llmrouter-9models-prices.json`
//!
//! No predictor and no priors: all is learned from the feedback on the model that was chosen. Regret is against the
//! best choice for each task, in hindsight and at that moment's prices; the router is told the task.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a measurement, not an interface"
)]

#[path = "measure/mod.rs"]
mod measure;

use std::collections::BTreeMap;

use measure::{Bench, Random, ask, catalogue, read, router, shuffle};
use polity_router::{
    Exploration, Feedback, Gate, Mode, PersonalDataPolicy, Policy, estimate_tokens,
};

const REQUESTS: usize = 12_000;
const WINDOW: usize = 250;
const PRICE_AT: usize = 3000;
const DEATH_AT: usize = 6000;
const ARRIVAL_AT: usize = 9000;
const ANSWER: u64 = 400;
const COST_WEIGHT: f64 = 200.0;

/// The model that is missing in the beginning.
const LATE: &str = "llama-3.1-nemotron-51b-instruct";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (rows, prices) = (
        arguments.next().expect("FILE"),
        arguments.next().expect("PRICES"),
    );
    let rows = read(&rows);
    let listed: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(prices).expect("prices")).expect("prices");
    let mut prices: BTreeMap<String, u64> = rows[0]
        .row
        .score
        .keys()
        .map(|id| {
            (
                id.clone(),
                (listed[id]["input_price"].as_f64().expect("a price") * 1e6) as u64,
            )
        })
        .collect();
    let late = prices.remove(LATE).expect("the late model");
    let mut order: Vec<&Bench> = rows.iter().collect();
    shuffle(&mut order, 11);

    let policy = Policy {
        mode: Mode::On,
        cost_weight: COST_WEIGHT,
        assumed_output_tokens: ANSWER as u32,
        personal_data: PersonalDataPolicy::Anywhere,
        exploration: Exploration {
            share: std::env::args()
                .nth(3)
                .and_then(|share| share.parse().ok())
                .unwrap_or(1.0),
            day_budget: u64::MAX,
        },
        gate: Gate {
            enabled: false,
            ..Gate::default()
        },
        ..Policy::default()
    };
    let list = |prices: &BTreeMap<String, u64>| {
        prices
            .iter()
            .map(|(id, price)| (id.clone(), *price))
            .collect::<Vec<_>>()
    };
    let router = router(&list(&prices), policy);
    let mut dead: Option<String> = None;
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut random = Random(5);
    let (mut regret, mut chance, mut quality) = (0.0, 0.0, 0.0);
    println!("requests   regret a request   by chance   score   most used");
    for number in 0..REQUESTS {
        let bench = order[number % order.len()];
        let task = bench.row.task.as_deref().expect("a task");
        match number {
            PRICE_AT => {
                // Whoever is used most becomes ten times dearer.
                let favourite = favourite(&used);
                let price = prices[&favourite];
                prices.insert(favourite.clone(), price * 10);
                router.set_catalogue(catalogue(&list(&prices)));
                println!("-- {favourite} costs ten times as much");
            }
            DEATH_AT => {
                let favourite = favourite(&used);
                println!("-- {favourite} answers nothing any more");
                dead = Some(favourite);
            }
            ARRIVAL_AT => {
                prices.insert(LATE.to_owned(), late);
                router.set_catalogue(catalogue(&list(&prices)));
                println!("-- {LATE} appears");
            }
            _ => {}
        }
        if [PRICE_AT, DEATH_AT, ARRIVAL_AT].contains(&number) {
            used.clear();
        }
        let now_ms = number as u64 * 1000;
        let decision = ask(
            &router,
            &bench.row.prompt,
            Some(task),
            now_ms,
            random.next(),
        );
        let chosen = decision
            .model()
            .expect("a model")
            .trim_start_matches("p/")
            .to_owned();
        let tokens = estimate_tokens(&bench.row.prompt) + ANSWER;
        let score = |id: &str| {
            if dead.as_deref() == Some(id) {
                0.0
            } else {
                bench.row.score[id]
            }
        };
        let mean = |id: &str| {
            let of: Vec<f64> = rows
                .iter()
                .filter(|row| row.row.task.as_deref() == Some(task))
                .take(150)
                .map(|row| row.row.score[id])
                .collect();
            if dead.as_deref() == Some(id) {
                0.0
            } else {
                of.iter().sum::<f64>() / of.len() as f64
            }
        };
        let worth = |id: &str| mean(id) - COST_WEIGHT * (prices[id] * tokens) as f64 / 1e12;
        let worths: Vec<f64> = prices.keys().map(|id| worth(id)).collect();
        let best = worths.iter().copied().fold(f64::MIN, f64::max);
        regret += best - worth(&chosen);
        chance += best - worths.iter().sum::<f64>() / worths.len() as f64;
        quality += score(&chosen);
        *used.entry(chosen.clone()).or_default() += 1;
        let feedback = Feedback {
            failed: dead.as_deref() == Some(&*chosen),
            score: (dead.as_deref() != Some(&*chosen)).then(|| score(&chosen)),
            ..Feedback::default()
        };
        router.learn(&decision, &feedback, now_ms);
        if (number + 1) % WINDOW == 0 {
            let window = WINDOW as f64;
            println!(
                "{:>8}   {:>16.4}   {:>9.4}   {:.3}   {}",
                number + 1,
                regret / window,
                chance / window,
                quality / window,
                favourite(&used)
            );
            (regret, chance, quality) = (0.0, 0.0, 0.0);
        }
    }
}

fn favourite(used: &BTreeMap<String, usize>) -> String {
    used.iter()
        .max_by_key(|(_, count)| **count)
        .map(|(id, _)| id.clone())
        .unwrap_or_default()
}
