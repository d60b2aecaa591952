//! A strategy asks what changes would do: it pays in fuel, it is told the same each time, and asking for ever ends.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polity_runtime::Problem;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::what_if::{Change, Effect, Estimator, Forecast};
use polity_runtime::plugin::{Observations, Plugin};
use support::Host;

const FUEL: u64 = 100_000_000;

/// Counts what it is asked; each answer has this price.
struct Told {
    price: u64,
    asked: AtomicU64,
}

impl Told {
    fn new(price: u64) -> Arc<Self> {
        let asked = AtomicU64::new(0);
        Arc::new(Self { price, asked })
    }
}

impl Estimator for Told {
    fn price(&self, _: &[Change]) -> u64 {
        self.price
    }

    fn estimate(&self, changes: &[Change]) -> Result<Forecast, Problem> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_known = |change: &Change| match change {
            Change::CreateIndex(index) => index.fields == ["customer"],
            _ => false,
        };
        if changes.len() != 1 || !changes.iter().all(is_known) {
            return Err(Problem {
                code: "unknown".to_owned(),
                detail: "there is no such thing".to_owned(),
                retry_after_ms: None,
            });
        }
        let effect = Effect {
            query: "00".to_owned(),
            now_us: 10.5,
            then_us: 0.5,
            uses: vec![0],
        };
        Ok(Forecast {
            effects: vec![effect],
            storage_bytes: -7,
            build_us: 1,
            write_us: 0.25,
        })
    }
}

fn strategy(harm: &str) -> (Host, Arc<Plugin>) {
    let host = Host::empty();
    let grant = format!("[config]\ndo = \"{harm}\"\n\n[limits]\nfuel = {FUEL}\n");
    let plugin = host.install("hostile", polity_test_guests::STRATEGY, &grant);
    (host, plugin)
}

fn seen() -> Observations {
    Observations {
        at_ms: 0,
        window_ms: 86_400_000,
        seen: "{}".into(),
    }
}

#[test]
fn asking_for_ever_burns_all_fuel_at_the_same_question_each_time() {
    let (_host, strategy) = strategy("ask");
    let asked = |price: u64| {
        let told = Told::new(price);
        let ended = strategy.propose(&seen(), Some(told.clone()));
        assert_eq!(ended, Err(CallError::OutOfFuel(FUEL)));
        told.asked.load(Ordering::SeqCst)
    };
    let dear = asked(10_000_000);
    assert!((5..10).contains(&dear), "{dear}");
    assert_eq!(asked(10_000_000), dear);
}

#[test]
fn answers_and_problems_reach_the_strategy() {
    let (_host, strategy) = strategy("ask-around");
    let told = Told::new(1_000);
    let proposals = strategy.propose(&seen(), Some(told.clone())).unwrap();
    let evidence: serde_json::Value = serde_json::from_str(&proposals[0].evidence).unwrap();
    assert_eq!(evidence["effects"][0]["now"], 10.5);
    assert_eq!(evidence["effects"][0]["then"], 0.5);
    assert_eq!(evidence["bytes"], -7);
    assert_eq!(evidence["codes"][0], "unknown");
    assert_eq!(told.asked.load(Ordering::SeqCst), 6);
    let again = strategy.propose(&seen(), Some(Told::new(1_000))).unwrap();
    assert_eq!(proposals, again, "the same answers, the same proposals");
}

#[test]
fn without_anybody_to_answer_it_hears_so() {
    let (_host, strategy) = strategy("ask-around");
    let problem = strategy.propose(&seen(), None).unwrap_err();
    assert_eq!(problem.code(), "unsupported");
}
