//! What failing models cost, in virtual time: `cargo run --release -p polity-dispatch --example chaos [REQUESTS]`.
//!
//! Every class of failure is injected at every model; half of the requests are streamed, a fifth may be hedged. The world
//! itself checks that no request hangs, nothing comes after a deadline, each attempt is settled once, no budget is
//! overspent and no answer is cut short without saying so: a broken promise panics.

#[path = "../tests/sim/mod.rs"]
mod sim;

use std::sync::Arc;

use polity_dispatch::budget::{BudgetLimit, BudgetRules, Period, Scope};
use polity_dispatch::{BreakerPolicy, DispatchPolicy, ErrorClass, House};
use sim::{Faults, Load, Tally, World, model};

fn run(
    name: &str,
    faults: Faults,
    extra: Option<(ErrorClass, u64)>,
    requests: u64,
    base: u64,
) -> Tally {
    let company_limit = Some(2_500 * requests);
    let rules = BudgetRules {
        limits: vec![BudgetLimit {
            scope: Scope::Company,
            id: None,
            period: Period::Month,
            limit_micro: 2_500 * requests,
        }],
        ..BudgetRules::default()
    };
    let house = House::new(BreakerPolicy::default(), rules);
    let mut models: Vec<_> = (0..5).map(|it| model(it, it, faults)).collect();
    for model in &mut models {
        model.extra = extra;
    }
    let tally = World {
        house: &house,
        models,
        policy: Arc::new(DispatchPolicy::default()),
        load: Load {
            requests,
            every_ms: 20,
            deadline_ms: 30_000,
            stream_permille: 500,
            critical_permille: 200,
            words: 60,
        },
        company_limit,
        seed: 11,
    }
    .run();
    let latency = |permille| match base {
        0 => tally.percentile(permille).to_string(),
        base => format!("+{}", tally.percentile(permille).saturating_sub(base)),
    };
    println!(
        "{name:<26}{:>8.2} %{:>9}{:>9}{:>10}{:>10}{:>10.2}{:>8}{:>10}{:>11}{:>8}",
        tally.finished as f64 * 100.0 / tally.requests as f64,
        tally.broken,
        tally.gave_up(),
        latency(500),
        latency(990),
        tally.attempts as f64 / tally.requests as f64,
        tally.hedges,
        tally.continued,
        tally.overruled,
        tally.opened,
    );
    tally
}

fn main() {
    let requests = std::env::args()
        .nth(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(5_000);
    println!(
        "{requests} requests a line, 50 a second, 5 models, deadline 30 s; latencies in virtual ms beyond the median without faults\n"
    );
    println!(
        "{:<26}{:>10}{:>9}{:>9}{:>10}{:>10}{:>10}{:>8}{:>10}{:>11}{:>8}",
        "faults",
        "answered",
        "broken",
        "none",
        "p50",
        "p99",
        "attempts",
        "hedges",
        "continued",
        "overruled",
        "opened"
    );
    let base = run("none", Faults::NONE, None, requests, 0).percentile(500);
    for permille in [50, 100, 200, 300] {
        let name = format!("all kinds, {} % in all", permille / 10);
        let share = Faults {
            lie: permille,
            twice: permille,
            ..Faults::all(permille / 3)
        };
        run(&name, share, None, requests, base);
    }
    for permille in [50, 300] {
        for class in ErrorClass::ALL {
            let name = format!("{class} {} %", permille / 10);
            run(&name, Faults::NONE, Some((class, permille)), requests, base);
        }
        for (name, faults) in [
            (
                "hang",
                Faults {
                    hang: permille,
                    ..Faults::NONE
                },
            ),
            (
                "slow 20x",
                Faults {
                    slow: permille,
                    ..Faults::NONE
                },
            ),
            (
                "broken halfway",
                Faults {
                    broken: permille,
                    ..Faults::NONE
                },
            ),
            (
                "cut, looks ended",
                Faults {
                    cut: permille,
                    ..Faults::NONE
                },
            ),
            (
                "empty or junk",
                Faults {
                    garbage: permille,
                    ..Faults::NONE
                },
            ),
            (
                "wrong usage",
                Faults {
                    lie: permille,
                    ..Faults::NONE
                },
            ),
            (
                "everything twice",
                Faults {
                    twice: permille,
                    ..Faults::NONE
                },
            ),
        ] {
            run(
                &format!("{name} {} %", permille / 10),
                faults,
                None,
                requests,
                base,
            );
        }
    }
    println!(
        "\n0 hung, 0 after their deadline, 0 settled twice or never, 0 overspent, 0 silently cut short"
    );
}
