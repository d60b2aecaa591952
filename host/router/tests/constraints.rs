//! Properties: constraints are never violated whatever the scores, reasons are complete, and chance replays.

mod company;

use std::collections::BTreeMap;

use polity_router::{
    Catalogue, Decision, Exploration, Feedback, Live, Mode, Outcome, Overlay, Policy, Reason,
    Reported, Request, Role, Router, Standing, Text, Wants,
};
use proptest::prelude::*;
use serde_json::json;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TEXTS: [&str; 4] = [
    "hello there",
    "write to ada@example.org",
    "fn main() { let x = 1; if x == 1 { go(); } }",
    "Solve 3x + 2 = 11 for x",
];

#[derive(Clone, Debug)]
struct Scene {
    overlay: serde_json::Value,
    local: Vec<bool>,
    live: Vec<Option<(bool, Option<u64>)>>,
    text: usize,
    wants: Wants,
    tools: bool,
    max_output_tokens: Option<u32>,
    feedback: Vec<(usize, f64)>,
    mode: Mode,
    seed: u64,
}

fn scene() -> impl Strategy<Value = Scene> {
    let model = (
        (any::<bool>(), 0_u64..50_000_000, 0_u64..50_000_000, 0_u8..3),
        (0.0..=1.0_f64, any::<bool>(), 1_u32..40_000, any::<bool>()),
        (any::<bool>(), 1_u32..5000, any::<bool>()),
    )
        .prop_map(
            |(
                (priced, input, output, region),
                (quality, tools, context, disabled),
                (gdpr, latency, never),
            )| {
                let mut model = json!({
                    "quality": {"*": quality}, "context_tokens": context, "disabled": disabled,
                    "abilities": if tools { json!(["chat", "tools"]) } else { json!(["chat"]) },
                    "compliance": if gdpr { json!(["gdpr"]) } else { json!([]) },
                    "latency": {"first_token_ms": latency, "token_us": 0},
                    "never_for": {"tasks": if never { json!(["code"]) } else { json!([]) }},
                });
                if priced {
                    model["price"] = json!({"input": input, "output": output});
                }
                if region > 0 {
                    model["region"] = json!(["eu", "us"][usize::from(region) - 1]);
                }
                model
            },
        );
    let wants = (
        proptest::option::of(0_u64..200_000),
        proptest::option::of(1_u64..5000),
        proptest::option::of(0.0..=1.0_f64),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(max_cost, deadline_ms, min_quality, [gdpr, eu, local_only])| Wants {
                max_cost,
                deadline_ms,
                min_quality,
                compliance: if gdpr { vec!["gdpr".into()] } else { vec![] },
                region: eu.then(|| "eu".into()),
                local_only,
                task: None,
                cache: None,
            },
        );
    let live = proptest::option::of((any::<bool>(), proptest::option::of(0_u64..100_000)));
    (
        (
            proptest::collection::vec(model, NAMES.len()),
            proptest::collection::vec(any::<bool>(), NAMES.len()),
            proptest::collection::vec(live, NAMES.len()),
        ),
        (
            0..TEXTS.len(),
            wants,
            any::<bool>(),
            proptest::option::of(1_u32..30_000),
        ),
        proptest::collection::vec((0..NAMES.len(), 0.0..=1.0_f64), 0..20),
        prop_oneof![Just(Mode::Observe), Just(Mode::Shadow), Just(Mode::On)],
        any::<u64>(),
    )
        .prop_map(
            |(
                (models, local, live),
                (text, wants, tools, max_output_tokens),
                feedback,
                mode,
                seed,
            )| {
                let models: BTreeMap<&str, _> = NAMES.into_iter().zip(models).collect();
                Scene {
                    overlay: json!({ "models": models }),
                    local,
                    live,
                    text,
                    wants,
                    tools,
                    max_output_tokens,
                    feedback,
                    mode,
                    seed,
                }
            },
        )
}

fn router_of(scene: &Scene) -> Router {
    let reported = NAMES.iter().zip(&scene.local).map(|(id, local)| Reported {
        plugin: "p".into(),
        id: (*id).into(),
        local: *local,
        ..Reported::default()
    });
    let overlay = Overlay::parse(&scene.overlay.to_string()).unwrap();
    let policy = Policy {
        mode: scene.mode,
        exploration: Exploration {
            share: 0.5,
            day_budget: 1_000_000,
        },
        ..Policy::default()
    };
    Router::new(Catalogue::new(reported.collect(), &overlay), policy).unwrap()
}

fn live_of(scene: &Scene) -> Live {
    let mut live = Live::all_available();
    for (name, standing) in NAMES.iter().zip(&scene.live) {
        if let Some((breaker, budget_left)) = standing {
            let standing = Standing {
                breaker_open: breaker.then_some(None),
                budget_left: *budget_left,
                ..Standing::default()
            };
            live.models.insert(format!("p/{name}").into(), standing);
        }
    }
    live
}

fn decide(router: &Router, scene: &Scene) -> Decision {
    let texts = [Text {
        role: Role::User,
        text: TEXTS[scene.text],
    }];
    let request = Request {
        model: "auto",
        texts: &texts,
        tools: u32::from(scene.tools),
        max_output_tokens: scene.max_output_tokens,
        wants: Some(&scene.wants),
        ..Request::default()
    };
    router
        .decide(&request, &live_of(scene), 1000, scene.seed)
        .unwrap()
}

fn teach(router: &Router, scene: &Scene) {
    for (model, score) in &scene.feedback {
        let decision = decide(router, scene);
        let feedback = Feedback {
            model: Some(format!("p/{}", NAMES[*model]).into()),
            score: Some(*score),
            ..Feedback::default()
        };
        router.learn(&decision, &feedback, 1000);
    }
}

/// The constraints that a model breaks, found another way than the router finds them.
fn expected_codes(scene: &Scene, at: usize, decision: &Decision) -> Vec<&'static str> {
    let model = &scene.overlay["models"][NAMES[at]];
    let candidate = decision.candidate(&format!("p/{}", NAMES[at])).unwrap();
    let (wants, local) = (&scene.wants, scene.local[at]);
    let has = |list: &serde_json::Value, name: &str| {
        list.as_array()
            .is_some_and(|list| list.iter().any(|item| item == name))
    };
    let output = scene
        .max_output_tokens
        .map_or(candidate.output_tokens, u64::from);
    let priced = model.get("price").is_some();
    let checks = [
        ("disabled", model["disabled"] == true),
        (
            "lacks-abilities",
            scene.tools && !has(&model["abilities"], "tools"),
        ),
        (
            "context-too-short",
            decision.requirements.input_tokens + output > model["context_tokens"].as_u64().unwrap(),
        ),
        (
            "outside-region",
            wants.region.is_some() && !local && model["region"] != "eu",
        ),
        ("not-local", wants.local_only && !local),
        ("personal-data-leaves", scene.text == 1 && !local),
        (
            "lacks-compliance",
            !wants.compliance.is_empty() && !has(&model["compliance"], "gdpr"),
        ),
        (
            "never-for-task",
            scene.text == 2 && has(&model["never_for"]["tasks"], "code"),
        ),
        (
            "price-unknown",
            wants.max_cost.is_some() && !priced && !local,
        ),
        (
            "too-dear",
            wants
                .max_cost
                .is_some_and(|allowed| candidate.most_cost > allowed)
                && (priced || local),
        ),
        (
            "too-slow",
            wants.deadline_ms.is_some_and(|deadline| {
                model["latency"]["first_token_ms"].as_u64().unwrap() > deadline
            }),
        ),
        (
            "below-quality",
            wants
                .min_quality
                .is_some_and(|least| candidate.quality.expected < least),
        ),
        (
            "breaker-open",
            scene.live[at].is_some_and(|(breaker, _)| breaker),
        ),
        (
            "over-budget",
            scene.live[at]
                .is_some_and(|(_, left)| left.is_some_and(|left| candidate.most_cost > left)),
        ),
    ];
    checks
        .into_iter()
        .filter(|(_, broken)| *broken)
        .map(|(code, _)| code)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_constraint_is_ever_broken_and_every_reason_is_given(scene in scene()) {
        let router = router_of(&scene);
        teach(&router, &scene);
        let decision = decide(&router, &scene);
        for (at, name) in NAMES.iter().enumerate() {
            let candidate = decision.candidate(&format!("p/{name}")).unwrap();
            let mut codes: Vec<&str> = candidate.reasons.iter().map(Reason::code).collect();
            let mut expected = expected_codes(&scene, at, &decision);
            codes.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(codes, expected, "{}", name);
        }
        match &decision.outcome {
            Outcome::Model { model, propensity } => {
                prop_assert!(decision.candidate(model).unwrap().reasons.is_empty());
                prop_assert!(*propensity > 0.0 && *propensity <= 1.0 + 1e-9);
            }
            Outcome::Nobody => prop_assert!(decision.candidates.iter().all(|candidate| !candidate.reasons.is_empty())),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn the_same_seed_and_state_give_the_same_decision(scene in scene()) {
        let router = router_of(&scene);
        teach(&router, &scene);
        let text = serde_json::to_string(&router.state()).unwrap();
        let first = decide(&router, &scene);
        let other = router_of(&scene);
        other.restore(&serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(first, decide(&other, &scene));
    }

    #[test]
    fn chances_add_up_and_only_those_that_may_answer_have_one(scene in scene()) {
        let router = router_of(&scene);
        teach(&router, &scene);
        let decision = decide(&router, &scene);
        let sum: f64 = decision.eligible().map(|candidate| candidate.probability).sum();
        prop_assert!(decision.outcome == Outcome::Nobody || (sum - 1.0).abs() < 1e-6, "{sum}");
        prop_assert!(decision.candidates.iter().all(|c| c.reasons.is_empty() || c.probability == 0.0));
        prop_assert!(decision.why().is_ascii() && decision.why().len() <= 240);
        prop_assert!(!decision.to_string().is_empty());
    }
}
