//! A company with a handful of models, for tests.
#![allow(dead_code, reason = "each test uses a part of it")]

use polity_router::{
    Catalogue, Decision, Live, Overlay, Policy, Reported, Request, Role, Router, Text, Wants,
};

pub(crate) const MODELS: &str = r#"{
    "models": {
        "openai/large": {"price": {"input": 3000000, "output": 15000000}, "region": "us", "quality": {"*": 0.85, "code": 0.95},
            "latency": {"first_token_ms": 600, "token_us": 20000}, "abilities": ["chat", "tools", "vision", "json-schema", "streaming"],
            "context_tokens": 200000, "max_output_tokens": 16000, "compliance": ["gdpr"]},
        "openai/small": {"price": {"input": 150000, "output": 600000}, "region": "us", "quality": {"*": 0.7, "code": 0.6},
            "latency": {"first_token_ms": 200, "token_us": 6000}, "context_tokens": 16000, "max_output_tokens": 4000,
            "never_for": {"tasks": ["medical"], "tags": ["secret"]}},
        "mistral/medium": {"price": {"input": 400000, "output": 2000000}, "region": "eu", "quality": {"*": 0.75},
            "compliance": ["gdpr", "iso27001"], "context_tokens": 128000},
        "ollama/llama": {"quality": {"*": 0.5}, "context_tokens": 8000}
    },
    "aliases": {"fast": ["openai/small", "ollama/llama"], "council/board": ["openai/large", "mistral/medium", "ollama/llama"]}
}"#;

pub(crate) fn catalogue() -> Catalogue {
    let reported = |plugin: &str, id: &str, local| Reported {
        plugin: plugin.into(),
        id: id.into(),
        abilities: vec!["chat".into()],
        local,
        ..Reported::default()
    };
    Catalogue::new(
        vec![
            reported("openai", "large", false),
            reported("openai", "small", false),
            reported("mistral", "medium", false),
            reported("ollama", "llama", true),
            reported("acme", "unpriced", false),
        ],
        &Overlay::parse(MODELS).unwrap(),
    )
}

pub(crate) fn router(policy: Policy) -> Router {
    Router::new(catalogue(), policy).unwrap()
}

pub(crate) fn ask(router: &Router, text: &str, wants: &Wants) -> Decision {
    ask_model(router, "auto", text, wants, 7)
}

pub(crate) fn ask_model(
    router: &Router,
    model: &str,
    text: &str,
    wants: &Wants,
    seed: u64,
) -> Decision {
    let texts = [Text {
        role: Role::User,
        text,
    }];
    let request = Request {
        model,
        texts: &texts,
        wants: Some(wants),
        ..Request::default()
    };
    router
        .decide(&request, &Live::all_available(), 1_700_000_000_000, seed)
        .unwrap()
}
