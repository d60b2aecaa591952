//! What quality costs: nine models, fourteen kinds of prompts, list prices.
//!
//! `cargo run --release -p polity-router --example llmrouter -- llmrouter-9models-train.jsonl llmrouter-9models-prices.json`
//!
//! The file is split 70 to 30, five times or as often as `--seeds` says. The router is trained on the larger part and
//! decides, as it would at work, on the smaller, for many cost weights; each gives a point of quality and cost. Cost is
//! the list price times tokens of the prompt and of an answer of usual length; quality is the score the file gives.
//! Against it stand the best single model and a table of mean scores by task that is *told* the task; the router has to
//! find it out.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a measurement, not an interface"
)]

#[path = "measure/mod.rs"]
mod measure;

use std::collections::BTreeMap;
use std::sync::Arc;

use measure::{Bench, ask, mean_and_deviation, read, router, shuffle};
use polity_router::{Gate, Policy, Predictor, Row, estimate_tokens, train};

/// Tokens of an answer.
const ANSWER: u64 = 400;

#[derive(Clone, Copy)]
struct Point {
    cost: f64,
    quality: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (rows, prices) = (
        arguments.next().expect("FILE"),
        arguments.next().expect("PRICES"),
    );
    let rows = read(&rows);
    let prices: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(prices).expect("prices")).expect("prices");
    let models: Vec<(String, u64)> = rows[0]
        .row
        .score
        .keys()
        .map(|id| {
            (
                id.clone(),
                (prices[id]["input_price"].as_f64().expect("a price") * 1e6) as u64,
            )
        })
        .collect();
    let mut sums: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for seed in 0..measure::seeds(5) {
        let mut rows: Vec<&Bench> = rows.iter().collect();
        shuffle(&mut rows, seed);
        let (training, test) = rows.split_at(rows.len() * 7 / 10);
        let training: Vec<Row> = training.iter().map(|bench| bench.row.clone()).collect();
        let single = best_single(&training, test, &models);
        let (_, dearest) = (
            models.iter(),
            models.iter().map(|model| model.1).max().expect("models"),
        );
        let predictor = Arc::new(train(&training).expect("rows to learn from"));
        println!("{}", predictor.report());
        let found = curve(|weight| routed(&predictor, test, &models, weight, false));
        let told = curve(|weight| routed(&predictor, test, &models, weight, true));
        let by_task = curve(|weight| by_task(&training, test, &models, weight));
        let oracle = test
            .iter()
            .map(|bench| bench.row.score.values().copied().fold(0.0, f64::max))
            .sum::<f64>()
            / test.len() as f64;
        let whole = mean_cost(test, |_| dearest);
        for (name, points) in [
            ("router", &found),
            ("router, task told", &told),
            ("means by task, task told", &by_task),
        ] {
            let best = points.iter().map(|point| point.quality).fold(0.0, f64::max);
            let full = cheapest(points, single.quality) / single.cost;
            let nearly = cheapest(points, 0.98 * single.quality) / single.cost;
            let aiq = area(points, whole);
            println!(
                "seed {seed}, {name}: 100 % of the best single at {:.1} % of its cost, 98 % at {:.1} %, best {best:.4}, AIQ {aiq:.4}",
                100.0 * full,
                100.0 * nearly
            );
            for (what, value) in [
                ("cost of 100 % of the best single, %", 100.0 * full),
                ("cost of 98 %, %", 100.0 * nearly),
                ("best quality", best),
                ("AIQ", aiq),
            ] {
                sums.entry(format!("{name}: {what}"))
                    .or_default()
                    .push(value);
            }
        }
        sums.entry("best single: quality".to_owned())
            .or_default()
            .push(single.quality);
        sums.entry("oracle: quality".to_owned())
            .or_default()
            .push(oracle);
    }
    for (what, values) in sums {
        let (mean, deviation) = mean_and_deviation(&values);
        println!("{what}: {mean:.4} ± {deviation:.4}");
    }
}

fn tokens(bench: &Bench) -> u64 {
    estimate_tokens(&bench.row.prompt) + ANSWER
}

fn mean_cost(test: &[&Bench], price: impl Fn(&Bench) -> u64) -> f64 {
    test.iter()
        .map(|bench| (price(bench) * tokens(bench)) as f64)
        .sum::<f64>()
        / test.len() as f64
}

/// The model that is best on the training rows.
fn best_single(training: &[Row], test: &[&Bench], models: &[(String, u64)]) -> Point {
    let mean = |id: &String| training.iter().map(|row| row.score[id]).sum::<f64>();
    let (id, price) = models
        .iter()
        .max_by(|a, b| mean(&a.0).total_cmp(&mean(&b.0)))
        .expect("models");
    Point {
        cost: mean_cost(test, |_| *price),
        quality: test.iter().map(|bench| bench.row.score[id]).sum::<f64>() / test.len() as f64,
    }
}

fn curve(point: impl Fn(f64) -> Point) -> Vec<Point> {
    (0..36)
        .map(|step| {
            point(if step == 0 {
                0.0
            } else {
                10.0 * 1.25_f64.powi(step)
            })
        })
        .collect()
}

fn routed(
    predictor: &Arc<Predictor>,
    test: &[&Bench],
    models: &[(String, u64)],
    cost_weight: f64,
    told: bool,
) -> Point {
    let router = router(
        models,
        Policy {
            cost_weight,
            assumed_output_tokens: ANSWER as u32,
            personal_data: polity_router::PersonalDataPolicy::Anywhere,
            gate: Gate {
                enabled: false,
                ..Gate::default()
            },
            ..Policy::default()
        },
    );
    router.set_predictor(Some(predictor.clone()));
    let chosen = |bench: &Bench| {
        let decision = ask(
            &router,
            &bench.row.prompt,
            bench.row.task.as_deref().filter(|_| told),
            0,
            0,
        );
        decision
            .model()
            .expect("a model")
            .trim_start_matches("p/")
            .to_owned()
    };
    price_and_quality(test, models, chosen)
}

fn by_task(training: &[Row], test: &[&Bench], models: &[(String, u64)], cost_weight: f64) -> Point {
    let mut means: BTreeMap<&str, BTreeMap<&str, (f64, f64)>> = BTreeMap::new();
    for row in training {
        for (id, score) in &row.score {
            let mean = means
                .entry(row.task.as_deref().unwrap_or(""))
                .or_default()
                .entry(id)
                .or_default();
            *mean = (mean.0 + score, mean.1 + 1.0);
        }
    }
    price_and_quality(test, models, |bench| {
        let means = &means[bench.row.task.as_deref().unwrap_or("")];
        let worth = |(id, price): &&(String, u64)| {
            let (sum, count) = means[id.as_str()];
            sum / count - cost_weight * (price * tokens(bench)) as f64 / 1e12
        };
        models
            .iter()
            .max_by(|a, b| worth(a).total_cmp(&worth(b)))
            .expect("models")
            .0
            .clone()
    })
}

fn price_and_quality(
    test: &[&Bench],
    models: &[(String, u64)],
    chosen: impl Fn(&Bench) -> String,
) -> Point {
    let prices: BTreeMap<&str, u64> = models
        .iter()
        .map(|(id, price)| (id.as_str(), *price))
        .collect();
    let (mut cost, mut quality) = (0.0, 0.0);
    for bench in test {
        let id = chosen(bench);
        cost += (prices[id.as_str()] * tokens(bench)) as f64;
        quality += bench.row.score[&id];
    }
    Point {
        cost: cost / test.len() as f64,
        quality: quality / test.len() as f64,
    }
}

/// The least cost at which a quality is reached; mixing two points by chance reaches what lies between them.
fn cheapest(points: &[Point], quality: f64) -> f64 {
    let mut least = f64::INFINITY;
    for a in points {
        if a.quality >= quality {
            least = least.min(a.cost);
        }
        for b in points
            .iter()
            .filter(|b| a.quality < quality && b.quality >= quality)
        {
            let share = (quality - a.quality) / (b.quality - a.quality);
            least = least.min(a.cost + share * (b.cost - a.cost));
        }
    }
    least
}

/// Average improvement in quality (Hu et al., 2024): the area under the hull of quality over cost, from nothing to what
/// everything to the dearest model would cost.
fn area(points: &[Point], whole: f64) -> f64 {
    const STEPS: usize = 400;
    let at = |cost: f64| {
        let mut best = 0.0_f64;
        for a in points.iter().filter(|a| a.cost <= cost) {
            best = best.max(a.quality);
            for b in points
                .iter()
                .filter(|b| b.cost > cost && b.quality > a.quality)
            {
                best = best
                    .max(a.quality + (b.quality - a.quality) * (cost - a.cost) / (b.cost - a.cost));
            }
        }
        best
    };
    let least = points
        .iter()
        .map(|point| point.cost)
        .fold(f64::INFINITY, f64::min);
    (0..STEPS)
        .map(|step| at(least + (whole - least) * (step as f64 + 0.5) / STEPS as f64))
        .sum::<f64>()
        / STEPS as f64
}
