//! What dispatching costs: `cargo run --release -p polity-dispatch --example overhead`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use polity_dispatch::budget::{BudgetLimit, BudgetRules, Payer, Period, ReservationId, Scope};
use polity_dispatch::cache::{Cache, CacheKey, CachePolicy, Sharing, Viewer};
use polity_dispatch::council::{Council, CouncilPlan, CouncilStep, Decide};
use polity_dispatch::{
    BreakerPolicy, Candidate, Dispatch, DispatchPolicy, End, ErrorClass, Event, Failure, Gates,
    House, NoGates, Price, RequestFacts, Step, Tokens, Usage, Verdict,
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
fn measure(name: &str, run: impl FnMut(u64)) {
    measure_each(name, EACH, run);
}

fn measure_few(name: &str, run: impl FnMut(u64)) {
    measure_each(name, EACH / 200, run);
}

fn measure_each(name: &str, each: u64, mut run: impl FnMut(u64)) {
    let mut best = f64::MAX;
    let mut number = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..each {
            number += 1;
            run(number);
        }
        best = best.min(began.elapsed().as_nanos() as f64 / each as f64);
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
    println!("\nparts:");
    let (plugin, model): (Arc<str>, Arc<str>) = ("plugin-0".into(), "model-0".into());
    measure("breaker: let through and count", |number| {
        let (permit, _) = house.breakers.admit(&plugin, &model, NOW + number, false);
        if let Ok(permit) = permit {
            let verdict = Verdict::Success;
            let at = NOW + number;
            black_box(house.breakers.record(&plugin, &model, permit, verdict, at));
        }
    });
    let payer = facts(0, false).payer;
    measure("5 budgets: reserve and settle", |number| {
        let id = ReservationId {
            request: Uuid::from_u128(number.into()),
            attempt: 1,
        };
        if house.budgets.reserve(id, &payer, &model, 10, NOW).is_ok() {
            let _ = black_box(house.budgets.settle(id, 7));
        }
    });
    let cache = Cache::new(CachePolicy::default());
    let asked = serde_json::json!({
        "model": "model-0",
        "messages": [{"role": "system", "content": "x".repeat(1000)}, {"role": "user", "content": "y".repeat(1000)}],
    });
    let viewer = Viewer::default();
    let key = |request| CacheKey::of(request, Sharing::Rights, &viewer);
    if let Ok(key) = key(&asked) {
        let answer: Arc<[u8]> = vec![b'x'; 500].into();
        let _ = cache.put(key, answer, "stop", 5, None, NOW);
    }
    measure("cache: digest of a request of 2 kB, and a hit", |_| {
        if let Ok(key) = key(&asked) {
            black_box(cache.get(&key, NOW));
        }
    });
    let members = candidates(15);
    measure_few(
        "council of 15, two rounds and a vote, all disagreeing",
        |number| {
            council(&members, number);
        },
    );
}

fn council(members: &[Candidate], seed: u64) {
    let plan = CouncilPlan {
        rounds: 2,
        decide: Decide::Vote,
        ..CouncilPlan::new(members.to_vec(), NOW + 60_000)
    };
    let Ok(mut council) = Council::new(plan, "What is it?", seed) else {
        return;
    };
    loop {
        match council.next(NOW) {
            CouncilStep::Ask { call, member, .. } => {
                let answer = format!("It is number {member}.\nVote: C");
                council.on_answer(call, Some(&answer), 1, NOW);
            }
            CouncilStep::Done(result) => return drop(black_box(result)),
            _ => {}
        }
    }
}
