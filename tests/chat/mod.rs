//! What the tests of `/v1/chat/completions` share: a host with the `openai` adapter, and what a provider says to it.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::sync::atomic::{AtomicUsize, Ordering};

use polity_tests::{Answer, Host, Options, Request, Upstream};
use serde_json::{Value, json};

pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// A host whose only plugin is the adapter.
pub(crate) async fn host(upstream: &Upstream, more: impl FnOnce(Options) -> Options) -> Host {
    Host::start(POLITY, |options| {
        more(
            options
                .without_bundled()
                .openai(upstream, &["small", "large"]),
        )
    })
    .await
}

/// A provider that always answers the same.
pub(crate) async fn says(answer: Answer) -> Upstream {
    Upstream::start(move |_| answer.clone()).await
}

pub(crate) fn whole(content: &str) -> Answer {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "small-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
    });
    Answer::json(200, body.to_string())
}

pub(crate) fn piece(delta: Value) -> String {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

pub(crate) fn last(finish: &str) -> [String; 3] {
    [
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}).to_string(),
        json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}).to_string(),
        "[DONE]".to_owned(),
    ]
}

pub(crate) fn stream() -> Answer {
    Answer::status(200).header("content-type", "text/event-stream")
}

pub(crate) fn with_all(answer: Answer, events: impl IntoIterator<Item = String>) -> Answer {
    events
        .into_iter()
        .fold(answer, |answer, event| answer.event(&event))
}

pub(crate) fn asks(more: Value) -> Value {
    let mut body = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

pub(crate) async fn ask(host: &Host, more: Value) -> reqwest::Response {
    host.post("/v1/chat/completions")
        .json(&asks(more))
        .send()
        .await
        .unwrap()
}

/// Status and error of an answer that is one.
pub(crate) async fn error(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert!(
        body["error"]["message"].is_string() && body["error"]["type"].is_string(),
        "{body}"
    );
    assert!(body["error"].get("param").is_some(), "{body}");
    (status, body["error"].clone())
}

pub(crate) fn json_of(event: &str) -> Value {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"))
}

/// A provider that answers by the model it is asked for and by how often it has been asked.
pub(crate) async fn provider(
    answer: impl Fn(&str, usize, &Request) -> Answer + Send + Sync + 'static,
) -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::start(move |request| {
        let model = request.json()["model"].as_str().unwrap().to_owned();
        answer(&model, calls.fetch_add(1, Ordering::SeqCst), request)
    })
    .await
}

/// A host with models of the company.
pub(crate) async fn company(upstream: &Upstream, models: Value) -> Host {
    host(upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await
}

/// A stream that says this in one piece.
pub(crate) fn saying(content: &str) -> Answer {
    with_all(
        stream().event(&piece(json!({ "content": content }))),
        last("stop"),
    )
}
