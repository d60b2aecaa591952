//! How quickly learning follows: stated numbers of requests, held with a margin for chance by several seeds.

mod company;

use company::ask_model;
use polity_router::{
    Catalogue, Exploration, Feedback, Lesson, Mode, Outcome, Overlay, Policy, Reported, Router,
    State, StateError, Wants,
};
use serde_json::json;

/// Requests within which a model that has died is left by nine of ten requests.
const DEAD_WITHIN: usize = 40;

/// Requests within which a new model that is best has nine of ten requests.
const NEW_WITHIN: usize = 300;

const SEEDS: u64 = 8;

fn catalogue(models: &[(&str, u64)]) -> Catalogue {
    let reported = models.iter().map(|(id, price)| Reported {
        plugin: "p".into(),
        id: (*id).into(),
        abilities: vec!["chat".into()],
        input_price: *price,
        output_price: *price,
        ..Reported::default()
    });
    Catalogue::new(reported.collect(), &Overlay::default())
}

fn learner(models: &[(&str, u64)]) -> Router {
    let policy = Policy {
        mode: Mode::On,
        exploration: Exploration {
            share: 1.0,
            day_budget: 1_000_000_000,
        },
        ..Policy::default()
    };
    Router::new(catalogue(models), policy).unwrap()
}

/// A world in which each model is right with some probability.
struct World {
    router: Router,
    seed: u64,
    now_ms: u64,
}

impl World {
    fn chance(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many requests; how many of them went to a model.
    fn run(&mut self, requests: usize, right: &[(&str, f64)], counted: &str) -> usize {
        let mut count = 0;
        for _ in 0..requests {
            self.now_ms += 1000;
            // Not the number that decides whether the answer is right.
            let seed = self.seed.rotate_left(17) ^ 0x5eed;
            let decision = ask_model(
                &self.router,
                "auto",
                "Good morning",
                &Wants::default(),
                seed,
            );
            let chosen = decision.model().unwrap().clone();
            let probability = right
                .iter()
                .find(|(id, _)| chosen.ends_with(id))
                .map_or(0.0, |(_, right)| *right);
            let accepted = self.chance() < probability;
            let feedback = Feedback {
                accepted: Some(accepted),
                ..Feedback::default()
            };
            self.router
                .learn(&decision, &feedback, self.now_ms)
                .unwrap();
            count += usize::from(chosen.ends_with(counted));
        }
        count
    }
}

fn world(seed: u64, models: &[(&str, u64)]) -> World {
    World {
        router: learner(models),
        seed,
        now_ms: 1_700_000_000_000,
    }
}

#[test]
fn a_price_change_counts_from_the_next_request() {
    let router = Router::new(
        catalogue(&[("cheap", 100_000), ("dear", 200_000)]),
        Policy::default(),
    )
    .unwrap();
    let ask = || {
        ask_model(&router, "auto", "Good morning", &Wants::default(), 0)
            .model()
            .unwrap()
            .to_string()
    };
    assert_eq!(ask(), "p/cheap");
    router.set_catalogue(catalogue(&[("cheap", 300_000), ("dear", 200_000)]));
    assert_eq!(ask(), "p/dear");
}

#[test]
fn a_model_that_has_died_is_left_within_the_stated_number_of_requests() {
    let models = [("good", 100_000), ("fair", 100_000), ("poor", 100_000)];
    for seed in 0..SEEDS {
        let mut world = world(seed, &models);
        let before = [("good", 0.9), ("fair", 0.7), ("poor", 0.4)];
        world.run(600, &before, "good");
        let used = world.run(100, &before, "good");
        assert!(used >= 60, "seed {seed}: the best has {used} of 100");
        let after = [("good", 0.0), ("fair", 0.7), ("poor", 0.4)];
        world.run(DEAD_WITHIN, &after, "good");
        let used = world.run(100, &after, "good");
        assert!(
            used <= 10,
            "seed {seed}: the dead model still has {used} of 100"
        );
    }
}

#[test]
fn a_new_model_that_is_best_is_found_within_the_stated_number_of_requests() {
    for seed in 0..SEEDS {
        let mut world = world(seed, &[("fair", 100_000), ("poor", 100_000)]);
        let right = [("new", 0.95), ("fair", 0.6), ("poor", 0.3)];
        world.run(500, &right, "fair");
        world.router.set_catalogue(catalogue(&[
            ("fair", 100_000),
            ("new", 100_000),
            ("poor", 100_000),
        ]));
        world.run(NEW_WITHIN, &right, "new");
        let used = world.run(100, &right, "new");
        assert!(used >= 90, "seed {seed}: the new model has {used} of 100");
    }
}

#[test]
fn observing_learns_and_does_not_act() {
    let mut world = world(1, &[("a", 100_000), ("b", 100_000)]);
    world.router.set_policy(Policy::default()).unwrap();
    let used = world.run(200, &[("a", 0.1), ("b", 0.9)], "a");
    assert_eq!(used, 200);
    world
        .router
        .set_policy(Policy {
            mode: Mode::On,
            exploration: Exploration {
                share: 0.0,
                day_budget: 0,
            },
            ..Policy::default()
        })
        .unwrap();
    let decision = ask_model(&world.router, "auto", "Good morning", &Wants::default(), 0);
    assert!(decision.candidate("p/a").unwrap().quality.learned < -0.2);
    assert_eq!(&**decision.model().unwrap(), "p/b");
}

#[test]
fn exploring_stops_when_its_budget_is_used_up() {
    let router = Router::new(
        catalogue(&[("cheap", 1_000_000), ("dear", 30_000_000)]),
        Policy {
            mode: Mode::On,
            exploration: Exploration {
                share: 1.0,
                day_budget: 50_000,
            },
            ..Policy::default()
        },
    )
    .unwrap();
    let mut extra = 0;
    for seed in 0..500 {
        let decision = ask_model(&router, "auto", "Good morning", &Wants::default(), seed);
        extra += decision.explored_cost;
    }
    assert!((1..=50_000).contains(&extra), "{extra}");
    assert!(!ask_model(&router, "auto", "Good morning", &Wants::default(), 3).explored);
}

#[test]
fn lessons_in_their_order_make_the_same_state_again() {
    let first = learner(&[("a", 1), ("b", 2)]);
    let mut kept: Vec<(Lesson, u64)> = Vec::new();
    for number in 0..100 {
        let decision = ask_model(&first, "auto", "Good morning", &Wants::default(), number);
        let feedback = Feedback {
            score: Some((number % 7) as f64 / 7.0),
            latency_ms: Some(100 + number),
            output_tokens: Some(50),
            ..Feedback::default()
        };
        kept.push((first.learn(&decision, &feedback, number).unwrap(), number));
    }
    let second = learner(&[("b", 2), ("a", 1)]);
    for (lesson, now_ms) in &kept {
        let text = serde_json::to_string(lesson).unwrap();
        second.take(&serde_json::from_str(&text).unwrap(), *now_ms);
    }
    assert_eq!(
        serde_json::to_value(first.state().cells).unwrap(),
        serde_json::to_value(second.state().cells).unwrap()
    );
}

#[test]
fn a_state_that_no_lessons_lead_to_is_refused() {
    let router = learner(&[("a", 1)]);
    let decision = ask_model(&router, "auto", "Good morning", &Wants::default(), 0);
    let feedback = Feedback {
        accepted: Some(true),
        ..Feedback::default()
    };
    router.learn(&decision, &feedback, 0).unwrap();
    let mut state = serde_json::to_value(router.state()).unwrap();
    state["cells"][0]["sum"] = json!(1e9);
    let broken: State = serde_json::from_value(state.clone()).unwrap();
    assert!(matches!(
        router.restore(&broken),
        Err(StateError::Insane { .. })
    ));
    state["version"] = json!(99);
    let other: State = serde_json::from_value(state).unwrap();
    assert_eq!(
        router.restore(&other),
        Err(StateError::Version { found: 99 })
    );
}

#[test]
fn feedback_on_somebody_who_was_no_candidate_teaches_nothing() {
    let router = learner(&[("a", 1)]);
    let decision = ask_model(&router, "a", "Good morning", &Wants::default(), 0);
    assert!(matches!(decision.outcome, Outcome::Model { .. }));
    let feedback = Feedback {
        model: Some("p/stranger".into()),
        score: Some(1.0),
        ..Feedback::default()
    };
    assert_eq!(router.learn(&decision, &feedback, 0), None);
}

#[test]
fn decisions_and_lessons_run_at_the_same_time() {
    let router = learner(&[("a", 100_000), ("b", 100_000), ("c", 100_000)]);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let router = &router;
            scope.spawn(move || {
                for number in 0..300 {
                    let decision = ask_model(
                        router,
                        "auto",
                        "Good morning",
                        &Wants::default(),
                        thread * 1000 + number,
                    );
                    let feedback = Feedback {
                        accepted: Some(number % 2 == 0),
                        ..Feedback::default()
                    };
                    router.learn(&decision, &feedback, number).unwrap();
                    if number == 150 {
                        router.set_catalogue(catalogue(&[
                            ("a", 100_000),
                            ("b", 100_000),
                            ("d", 100_000),
                        ]));
                    }
                }
            });
        }
    });
    let state = router.state();
    assert!(state.cells.iter().any(|cell| &*cell.model == "p/d"));
    router.restore(&state).unwrap();
    assert_eq!(router.state(), state);
}
