//! What the measurements share: reading rows, splitting them, summing up.
#![allow(dead_code, reason = "each measurement uses a part of it")]

use polity_router::{
    Catalogue, Decision, Live, Overlay, Policy, Reported, Request, Role, Router, Row, Text, Wants,
};
use serde::Deserialize;

/// A row of a benchmark.
#[derive(Clone, Deserialize)]
pub struct Bench {
    #[serde(flatten)]
    pub row: Row,
    pub bench: Option<String>,
    #[serde(default)]
    pub contaminated: bool,
}

/// Rows of a file of JSON lines, compressed or not.
pub fn read(path: &str) -> Vec<Bench> {
    let text = if path.ends_with(".gz") {
        let output = std::process::Command::new("gzip")
            .args(["-dc", path])
            .output()
            .expect("gzip");
        String::from_utf8(output.stdout).expect("UTF-8")
    } else {
        std::fs::read_to_string(path).expect("a readable file")
    };
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

/// What stands behind `--seeds`, or `usual`.
pub fn seeds(usual: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seeds");
    match arguments.nth(1) {
        Some(number) => number.parse().expect("--seeds NUMBER"),
        None => usual,
    }
}

/// The generator of Steele, Lea and Flood (2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

pub fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = Random(seed);
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at + 1));
    }
}

pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (square / (values.len() as f64 - 1.0).max(1.0)).sqrt())
}

/// A catalogue of models that differ in price, and a router on it. Prices are micro-units per million tokens.
pub fn router(models: &[(String, u64)], policy: Policy) -> Router {
    Router::new(catalogue(models), policy).expect("a policy that makes sense")
}

pub fn catalogue(models: &[(String, u64)]) -> Catalogue {
    let reported = models.iter().map(|(id, price)| Reported {
        plugin: "p".into(),
        id: id.clone(),
        abilities: vec!["chat".into()],
        input_price: *price,
        output_price: *price,
        ..Reported::default()
    });
    Catalogue::new(reported.collect(), &Overlay::default())
}

pub fn ask(router: &Router, text: &str, task: Option<&str>, now_ms: u64, seed: u64) -> Decision {
    let texts = [Text {
        role: Role::User,
        text,
    }];
    let wants = Wants {
        task: task.map(str::to_owned),
        ..Wants::default()
    };
    let request = Request {
        model: "auto",
        texts: &texts,
        wants: Some(&wants),
        ..Request::default()
    };
    router
        .decide(&request, &Live::all_available(), now_ms, seed)
        .expect("a decision")
}
