//! What dispatching costs: `cargo run --release -p polity-dispatch --example overhead`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use polity_dispatch::budget::{BudgetLimit, BudgetRules, Payer, Period, Scope};
use polity_dispatch::{
    BreakerPolicy, Candidate, Dispatch, DispatchPolicy, End, ErrorClass, Event, Failure, Gates,
    House, NoGates, Price, RequestFacts, Step, Tokens, Usage,
};
use uuid::Uuid;

const NOW: u64 = 1_795_000_000_000;
const ROUNDS: u32 = 9;
const EACH: u64 = 20_000;

fn candidates(count: u64) -> Arc<[Candidate]> {
    (0..count)
        .map(|it| Candidate {
            estimate_micro: 1_000,
            expected_ms: 500,
            price: Price {
                input: 1_000_000,
                output: 2_000_000,
            },
            ..Candidate::new(format!("plugin-{it}"), format!("model-{it}"))
        })
        .collect()
}

fn facts(number: u64, stream: bool) -> RequestFacts {
    RequestFacts {
        stream,
        prompt_tokens: 100,
        payer: Payer {
            actor: "agent:one".into(),
            teams: vec!["support".into()],
            protocol: None,
        },
        ..RequestFacts::new(Uuid::from_u128(number.into()))
    }
}

/// One request: so many failures first, so many pieces of an answer after.
fn request(
    number: u64,
    all: &Arc<[Candidate]>,
    policy: &Arc<DispatchPolicy>,
    gates: &impl Gates,
    failures: u32,
    pieces: u32,
) {
    let now = NOW + number / 100;
    let facts = facts(number, pieces > 1);
    let mut dispatch = Dispatch::new(facts, all.clone(), now + 30_000, policy.clone(), number);
    let mut failed = 0;
    loop {
        match dispatch.next(now, gates) {
            Step::Start(start) if failed < failures => {
                failed += 1;
                let failure = Failure::new(ErrorClass::Refused, "");
                dispatch.on_event(start.attempt, Event::Failed(&failure), now, gates);
            }
            Step::Start(start) => {
                for _ in 0..pieces {
                    let text = Event::Text("a few words ");
                    black_box(dispatch.on_event(start.attempt, text, now, gates));
                }
                let usage = Usage {
                    tokens: Tokens {
                        input: 100,
                        output: 4,
                    },
                    cost_micro: None,
                };
                let end = End {
                    finish: Some("stop"),
                    usage: Some(usage),
                };
                dispatch.on_event(start.attempt, Event::End(end), now, gates);
            }
            step => {
                assert!(matches!(step, Step::Finished(_)), "{step:?}");
                black_box(step);
                return;
            }
        }
    }
}

/// The best of some rounds: everything else is the machine's other work.
fn measure(name: &str, mut run: impl FnMut(u64)) {
    let mut best = f64::MAX;
    let mut number = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..EACH {
            number += 1;
            run(number);
        }
        best = best.min(began.elapsed().as_nanos() as f64 / EACH as f64);
    }
    println!("{name:<58}{best:>9.0} ns");
}

fn main() {
    let policy = Arc::new(DispatchPolicy::default());
    let limit = |scope, period| BudgetLimit {
        scope,
        id: None,
        period,
        limit_micro: u64::MAX,
    };
    let house = House::new(
        BreakerPolicy::default(),
        BudgetRules {
            limits: vec![
                limit(Scope::Company, Period::Month),
                limit(Scope::Company, Period::Day),
                limit(Scope::Actor, Period::Day),
                limit(Scope::Team, Period::Month),
                limit(Scope::Model, Period::Day),
            ],
            ..BudgetRules::default()
        },
    );
    let (few, many) = (candidates(3), candidates(50));
    println!("whole dispatches, best of {ROUNDS} rounds of {EACH}:");
    measure("3 candidates, no gates", |number| {
        request(number, &few, &policy, &NoGates, 0, 1)
    });
    measure("3 candidates, breakers, limits and 5 budgets", |number| {
        request(number, &few, &policy, &house, 0, 1)
    });
    measure("50 candidates, breakers, limits and 5 budgets", |number| {
        request(number, &many, &policy, &house, 0, 1)
    });
    measure("the same with one failure first", |number| {
        request(number, &few, &policy, &house, 1, 1)
    });
    measure("the same as a stream of 53 pieces", |number| {
        request(number, &few, &policy, &house, 0, 53)
    });
}
