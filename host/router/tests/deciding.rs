//! What is decided, and how it reads.

mod company;

use company::{ask, ask_model, router};
use polity_router::{
    Catalogue, Decision, Live, Mode, Outcome, Overlay, Policy, Reason, Reported, Request, Role,
    Router, Standing, Text, Wants,
};

#[test]
fn a_decision_reads_as_a_table() {
    insta::assert_snapshot!(ask(
        &router(Policy::default()),
        "Write a poem about rain in the mountains",
        &Wants::default()
    ));
}

#[test]
fn every_exclusion_reads_as_a_sentence_with_its_figures() {
    let router = router(Policy::default());
    let wants = Wants {
        max_cost: Some(1200),
        region: Some("eu".into()),
        compliance: vec!["iso27001".into(), "secret".into()],
        task: Some("medical".into()),
        min_quality: Some(0.6),
        deadline_ms: Some(1000),
        ..Wants::default()
    };
    let text = "My card is 4111 1111 1111 1111, what did I pay for?";
    let texts = [Text {
        role: Role::User,
        text,
    }];
    let mut live = Live::all_available();
    let standing = Standing {
        breaker_open: Some(Some(1_700_000_004_500)),
        rate_limited: Some(None),
        budget_left: Some(3),
        unhealthy: Some("connection refused".into()),
        latency_ms: None,
    };
    live.models.insert("mistral/medium".into(), standing);
    let request = Request {
        model: "auto",
        texts: &texts,
        tools: 2,
        json_schema: true,
        max_output_tokens: Some(9000),
        wants: Some(&wants),
        ..Request::default()
    };
    let decision = router
        .decide(&request, &live, 1_700_000_000_000, 1)
        .unwrap();
    assert_eq!(decision.outcome, Outcome::Nobody);
    insta::assert_snapshot!(decision);
}

#[test]
fn a_hard_question_goes_to_the_dear_model_and_a_simple_one_to_the_cheap() {
    let router = router(Policy::default());
    let of = |text| {
        ask(&router, text, &Wants::default())
            .model()
            .unwrap()
            .to_string()
    };
    assert_eq!(
        of("Refactor this: fn main() { let x = f(); if x == 1 { go(); } }"),
        "openai/large"
    );
    assert_eq!(of("Good morning, how are you?"), "mistral/medium");
}

#[test]
fn personal_data_stays_at_home() {
    let decision = ask(
        &router(Policy::default()),
        "Mail ada@example.org a reminder",
        &Wants::default(),
    );
    assert_eq!(&**decision.model().unwrap(), "ollama/llama");
    let large = decision.candidate("openai/large").unwrap();
    assert_eq!(
        large.reasons[0].to_string(),
        "the text holds an e-mail address, and it is not local"
    );
}

#[test]
fn a_named_model_is_the_only_candidate_and_must_obey_too() {
    let router = router(Policy::default());
    let wants = Wants {
        region: Some("eu".into()),
        ..Wants::default()
    };
    let decision = ask_model(&router, "large", "hello", &wants, 0);
    assert_eq!(decision.candidates.len(), 1);
    assert_eq!(decision.outcome, Outcome::Nobody);
    assert_eq!(
        decision.why(),
        "none of 1 models may answer; openai/large: data must stay in eu, it is in us"
    );
    let alias = ask_model(&router, "fast", "hello", &Wants::default(), 0);
    assert_eq!(alias.candidates.len(), 2);
}

#[test]
fn a_council_has_every_member_that_may_take_part() {
    let router = router(Policy::default());
    let wants = Wants {
        region: Some("eu".into()),
        ..Wants::default()
    };
    let decision = ask_model(
        &router,
        "council/board",
        "Should we open an office in Lyon?",
        &wants,
        0,
    );
    let Outcome::Council { name, members } = &decision.outcome else {
        panic!("{decision}")
    };
    assert_eq!(&**name, "council/board");
    assert_eq!(
        members.iter().map(|m| &**m).collect::<Vec<_>>(),
        ["mistral/medium", "ollama/llama"]
    );
}

#[test]
fn what_is_broken_for_now_is_told_from_what_is_wrong_with_the_request() {
    let router = router(Policy::default());
    let texts = [Text {
        role: Role::User,
        text: "hello",
    }];
    let request = Request {
        model: "small",
        texts: &texts,
        ..Request::default()
    };
    let mut live = Live::all_available();
    live.models.insert(
        "openai/small".into(),
        Standing {
            breaker_open: Some(Some(1_005)),
            ..Standing::default()
        },
    );
    let decision = router.decide(&request, &live, 1_000, 0).unwrap();
    assert_eq!(
        decision.candidates[0].reasons,
        [Reason::BreakerOpen { for_ms: Some(5) }]
    );
    assert!(decision.candidates[0].reasons[0].is_temporary());
}

#[test]
fn a_decision_comes_back_from_json_as_it_was() {
    let wants = Wants {
        max_cost: Some(10),
        ..Wants::default()
    };
    for decision in [
        ask(
            &router(Policy::default()),
            "Translate this: good morning",
            &Wants::default(),
        ),
        ask(
            &router(Policy::default()),
            "Translate this: good morning",
            &wants,
        ),
    ] {
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
    }
}

#[test]
fn an_unknown_model_and_senseless_wishes_are_refused() {
    let router = router(Policy::default());
    let request = Request {
        model: "larg",
        ..Request::default()
    };
    let error = router.decide(&request, &Live::default(), 0, 0).unwrap_err();
    assert!(
        error.to_string().contains("did you mean \"large\""),
        "{error}"
    );
    let wants = Wants {
        min_quality: Some(f64::NAN),
        ..Wants::default()
    };
    let request = Request {
        model: "auto",
        wants: Some(&wants),
        ..Request::default()
    };
    assert_eq!(
        router
            .decide(&request, &Live::default(), 0, 0)
            .unwrap_err()
            .to_string(),
        "`min_quality` is \"NaN\"; it must be a number from 0 to 1"
    );
}

#[test]
fn a_hundred_megabytes_are_decided_on_and_stay_at_home() {
    let text = "word ".repeat(20 << 20);
    let decision = ask(&router(Policy::default()), &text, &Wants::default());
    // Too long for every context, and nobody knows whether it holds personal data.
    assert_eq!(decision.outcome, Outcome::Nobody);
    let large = decision.candidate("openai/large").unwrap();
    let codes: Vec<&str> = large.reasons.iter().map(Reason::code).collect();
    assert_eq!(codes, ["context-too-short", "personal-data-leaves"]);
}

#[test]
fn a_policy_with_a_senseless_number_is_refused() {
    let policy = Policy {
        cost_weight: f64::INFINITY,
        ..Policy::default()
    };
    let error = polity_router::Router::new(company::catalogue(), policy).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`cost_weight` is inf; it must be a number from 0 to 1000000000"
    );
}

#[test]
fn a_shadow_says_what_learning_would_choose_and_does_not_choose_it() {
    let router = router(Policy {
        mode: Mode::Shadow,
        ..Policy::default()
    });
    let wants = Wants::default();
    for _ in 0..30 {
        let decision = ask(&router, "Good morning, how are you?", &wants);
        assert_eq!(&**decision.model().unwrap(), "mistral/medium");
        let feedback = polity_router::Feedback {
            accepted: Some(false),
            ..Default::default()
        };
        router
            .learn(&decision, &feedback, 1_700_000_000_000)
            .unwrap();
    }
    let decision = ask(&router, "Good morning, how are you?", &wants);
    assert_eq!(&**decision.model().unwrap(), "mistral/medium");
    assert_eq!(decision.shadow.as_deref(), Some("openai/large"));
}

#[test]
fn a_classifier_answers_those_who_name_it_and_is_nobody_elses_choice() {
    let reported = Reported {
        plugin: "triage".into(),
        id: "triage".into(),
        abilities: vec!["classify".into(), "json-schema".into()],
        local: true,
        ..Reported::default()
    };
    let overlay = Overlay::parse(r#"{"aliases": {"sort": ["triage"]}}"#).unwrap();
    let router = Router::new(Catalogue::new(vec![reported], &overlay), Policy::default()).unwrap();
    let wants = Wants::default();

    let refused = ask(&router, "Classify this letter", &wants);
    assert_eq!(refused.outcome, Outcome::Nobody);
    assert_eq!(
        refused.candidates[0].reasons[0].to_string(),
        "it cannot do: chat"
    );
    for name in ["triage", "triage/triage", "sort"] {
        let decision = ask_model(&router, name, "Where is my parcel?", &wants, 7);
        assert!(
            matches!(decision.outcome, Outcome::Model { .. }),
            "{name}: {:?}",
            decision.candidates[0].reasons
        );
    }
}
