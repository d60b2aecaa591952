//! Models that fail: who is asked instead, what waits, what is left alone, and what the record says of it.

mod chat;

use std::time::{Duration, Instant};

use chat::{ask, error, host, last, piece, stream, whole, with_all};
use polity_tests::{Answer, Events, Host, Upstream};
use serde_json::{Value, json};

/// A provider whose small model does what it is told, and whose large one answers.
async fn beside(small: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (Upstream, Host) {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let upstream = Upstream::start(move |request| {
        let body = request.json();
        if body["model"] == "large" {
            return match body["stream"] == true {
                true => with_all(
                    stream().event(&piece(json!({"content": "From large"}))),
                    last("stop"),
                ),
                false => whole("From large"),
            };
        }
        small(calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    })
    .await;
    let models = json!({
        "models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}}},
    });
    let host = host(&upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await;
    (upstream, host)
}

fn failure(status: u16) -> Answer {
    Answer::json(
        status,
        json!({"error": {"message": "no", "type": "x"}}).to_string(),
    )
}

async fn decision(host: &Host, response: &reqwest::Response) -> Value {
    let id = response.headers()["x-polity-decision-id"].to_str().unwrap();
    host.read(&format!("/api/decisions/{id}")).await
}

#[tokio::test]
async fn another_model_answers_where_the_best_one_fails() {
    let (_upstream, host) = beside(|_| failure(500)).await;
    let response = ask(&host, json!({"model": "auto"})).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-polity-model"], "large");
    assert_eq!(
        response.headers()["x-polity-why"],
        "openai/small failed, so openai/large was asked"
    );
    let read = decision(&host, &response).await;
    let completion = &read["completion"];
    assert_eq!(
        (&completion["model"], &completion["status"]),
        (&json!("large"), &json!("answered"))
    );
    let attempts = completion["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["model"], "small");
    assert!(
        attempts[0]["end"]["failed"]["class"].is_string(),
        "{attempts:?}"
    );
    let id = read["id"].as_str().unwrap();
    let story = host.read(&format!("/api/decisions/{id}/story")).await;
    let text = story["text"].as_str().unwrap();
    assert!(text.contains("tried     openai/small failed"), "{text}");

    let streamed = ask(&host, json!({"model": "auto", "stream": true})).await;
    assert_eq!(streamed.status(), 200);
    assert_eq!(streamed.headers()["x-polity-model"], "large");
    let events = Events::of(streamed).rest().await;
    assert!(
        events.iter().any(|event| event.contains("From large")),
        "{events:?}"
    );
    assert_eq!(events.last().unwrap(), "[DONE]");

    let page = host.get("/metrics").send().await.unwrap();
    let page = page.text().await.unwrap();
    for line in [
        "polity_router_decisions_total{model=\"openai/small\",reason=\"best\"} 2",
        "polity_router_decision_duration_seconds_bucket{le=\"+Inf\"} 2",
        "polity_router_decision_duration_seconds_count 2",
        "polity_router_attempts_total{model=\"openai/large\",role=\"fallback\",end=\"answered\"} 2",
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
}

#[tokio::test]
async fn a_model_that_was_named_is_asked_again_and_no_other_is() {
    let (upstream, host) = beside(|call| match call {
        0 => failure(500),
        _ => whole("At last"),
    })
    .await;
    let response = ask(&host, json!({})).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-polity-model"], "small");
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_provider_that_names_a_time_is_waited_for_if_that_is_soon() {
    let (_upstream, host) = beside(|call| match call {
        0 => failure(429).header("retry-after", "1"),
        1 => whole("At last"),
        _ => failure(429).header("retry-after", "30"),
    })
    .await;
    let started = Instant::now();
    let response = ask(&host, json!({})).await;
    assert_eq!(response.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(900));
    let started = Instant::now();
    let response = ask(&host, json!({})).await;
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    assert!(started.elapsed() < Duration::from_secs(10));
    // Another one does not have to be waited for.
    let response = ask(&host, json!({"model": "auto"})).await;
    assert_eq!(response.headers()["x-polity-model"], "large");
}

#[tokio::test]
async fn a_model_that_fails_again_and_again_is_left_alone_and_the_ledger_says_so() {
    let (upstream, host) = beside(|_| failure(500)).await;
    for _ in 0..20 {
        let response = ask(&host, json!({"model": "auto"})).await;
        assert_eq!(response.headers()["x-polity-model"], "large");
    }
    let small = |request: &polity_tests::Request| request.json()["model"] == "small";
    let asked = upstream.requests().into_iter().filter(small).count();
    assert!(asked < 20, "{asked}");
    let events = host.read("/api/ledger?kind=breaker.changed").await;
    let event = &events["items"][0];
    assert_eq!(event["subject"], "model/openai/small", "{events}");
}

#[tokio::test]
async fn no_other_model_is_asked_for_money_that_is_not_there() {
    let upstream = Upstream::start(|request| match request.json()["model"] == "small" {
        true => failure(500),
        false => whole("From large"),
    })
    .await;
    let models = json!({
        "models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}, "price": {"input": 900_000_000_000_u64, "output": 900_000_000_000_u64}}},
        "policy": {"cost_weight": 0},
    });
    let host = host(&upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await;
    // What it may cost is more than the day's budget has.
    let (status, refused) = error(ask(&host, json!({"model": "auto"})).await).await;
    assert!(status >= 500, "{refused}");
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.json()["model"] == "small")
    );
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_and_never_looks_complete() {
    let (_upstream, host) = beside(|_| {
        stream()
            .event(&piece(json!({"content": "Half of"})))
            .and_break()
    })
    .await;
    // Whoever names a model wants its words and no other's.
    let response = ask(&host, json!({"stream": true})).await;
    assert_eq!(response.status(), 200);
    let events = Events::of(response).rest().await;
    assert!(
        events.iter().any(|event| event.contains("Half of")),
        "{events:?}"
    );
    let end = events.last().unwrap();
    assert!(end.contains("\"error\""), "{events:?}");
}
