//! Every class of failure at every model, thousands of requests, and none of the promises broken.

mod sim;

use std::sync::Arc;

use polity_dispatch::budget::{BudgetLimit, Period, Scope};
use polity_dispatch::{BreakerPolicy, BudgetRules, DispatchPolicy, ErrorClass, House};
use proptest::prelude::*;
use sim::{Faults, Load, Model, Tally, World, model};

fn rules(company: Option<u64>) -> BudgetRules {
    let limit = company.map(|limit_micro| BudgetLimit {
        scope: Scope::Company,
        id: None,
        period: Period::Month,
        limit_micro,
    });
    BudgetRules {
        limits: limit.into_iter().collect(),
        ..BudgetRules::default()
    }
}

fn load(requests: u64) -> Load {
    Load {
        requests,
        every_ms: 20,
        deadline_ms: 30_000,
        stream_permille: 500,
        critical_permille: 200,
        words: 60,
    }
}

fn run(models: Vec<Model>, company: Option<u64>, load: Load, seed: u64) -> Tally {
    let house = House::new(BreakerPolicy::default(), rules(company));
    World {
        house: &house,
        models,
        policy: Arc::new(DispatchPolicy::default()),
        load,
        company_limit: company,
        seed,
    }
    .run()
}

fn models(count: u64, faults: Faults) -> Vec<Model> {
    (0..count).map(|it| model(it, it, faults)).collect()
}

#[test]
fn without_faults_every_request_is_answered_by_the_first_model() {
    let tally = run(models(3, Faults::NONE), None, load(500), 1);
    assert_eq!((tally.finished, tally.attempts - tally.hedges), (500, 500));
}

#[test]
fn with_a_third_of_all_attempts_failing_nearly_every_request_is_answered() {
    let tally = run(models(5, Faults::all(150)), None, load(2000), 2);
    assert_eq!(tally.requests, 2000);
    assert!(tally.finished * 100 >= 97 * 2000, "{tally:?}");
    assert!(tally.continued > 0);
}

#[test]
fn any_one_class_at_thirty_percent_of_every_model_is_survived() {
    for class in ErrorClass::ALL {
        let mut models = models(5, Faults::NONE);
        for model in &mut models {
            model.extra = Some((class, 300));
        }
        let tally = run(models, None, load(600), 3);
        // What two models refuse or do not understand is not taken to a third.
        let least = match class {
            ErrorClass::Refused | ErrorClass::InvalidRequest => 85,
            _ => 97,
        };
        assert!(tally.finished * 100 >= least * 600, "{class}: {tally:?}");
    }
}

#[test]
fn a_dead_model_is_left_alone_after_a_few_requests() {
    let mut models = models(2, Faults::NONE);
    models[0].extra = Some((ErrorClass::Unavailable, 1000));
    let tally = run(models, None, load(1000), 4);
    assert_eq!(tally.finished, 1000);
    assert!(tally.attempts < 1150, "{tally:?}");
    assert!(tally.opened >= 1 && tally.half_opened >= 1);
}

#[test]
fn the_only_model_is_tried_although_its_breaker_is_open_and_the_outcome_says_so() {
    let mut models = models(1, Faults::NONE);
    models[0].extra = Some((ErrorClass::Unavailable, 700));
    let short = Load {
        deadline_ms: 2_000,
        ..load(1000)
    };
    let tally = run(models, None, short, 5);
    assert!(tally.overruled > 0, "{tally:?}");
}

#[test]
fn a_budget_that_runs_out_stops_everything_and_is_not_overspent() {
    let tally = run(models(3, Faults::all(50)), Some(300_000), load(2000), 6);
    assert!(tally.gave_up["OverBudget"] > 100, "{tally:?}");
    assert!(tally.finished > 50);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    // The promises are checked by the world itself.
    #[test]
    fn no_world_breaks_a_promise(
        seed: u64,
        count in 1u64..6,
        plugins in 1u64..4,
        permille in prop::sample::select(vec![0u64, 50, 200, 500, 900]),
        deadline_ms in prop::sample::select(vec![1u64, 40, 300, 2_000, 20_000]),
        company in prop::option::of(0u64..400_000),
        limits: (bool, bool),
        policy in (0u32..10, 0u64..500, 1u64..3_000, 0u32..3, 0u32..4, 0usize..2_000),
    ) {
        let (max_attempts, min_attempt_ms, stall_ms, max_hedges, max_continuations, bytes) = policy;
        let house = House::new(BreakerPolicy { min_calls: 3, ..BreakerPolicy::default() }, rules(company));
        let models: Vec<_> = (0..count).map(|it| model(it, it % plugins, Faults::all(permille))).collect();
        for model in &models {
            house.limits.set(&model.candidate.plugin, &model.candidate.model, polity_dispatch::ModelLimits {
                requests_per_minute: limits.0.then_some(200),
                concurrent: limits.1.then_some(3),
                tokens_per_minute: None,
            }, 1_795_000_000_000);
        }
        let tally = World {
            house: &house,
            models,
            policy: Arc::new(DispatchPolicy {
                max_attempts, min_attempt_ms, stall_ms, max_hedges, max_continuations,
                max_continued_bytes: bytes,
                ..DispatchPolicy::default()
            }),
            load: Load { deadline_ms, critical_permille: 500, ..load(60) },
            company_limit: company,
            seed,
        }
        .run();
        prop_assert_eq!(tally.requests, 60);
        prop_assert_eq!(tally.finished + tally.broken + tally.gave_up(), 60);
        for model in house.breakers.read(0) {
            prop_assert_eq!(house.limits.in_progress(&model.plugin, &model.model), 0);
        }
        prop_assert_eq!(house.budgets.snapshot().open, vec![]);
    }
}
