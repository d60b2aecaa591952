//! A second model for whoever is in a hurry, where the first is slower than ever.

mod chat;

use chat::{ask, company, json_of, piece, provider, saying, stream};
use polity_tests::{Answer, Events, Gate, Host, Upstream};
use serde_json::{Value, json};

/// How often the better model answers at once before it does not any more.
const QUICK: usize = 25;

/// Two models, the better of which stalls behind this beginning once its pace is known. It goes on when the gate opens.
async fn slow_from_then_on(beginning: Answer) -> (Upstream, Host, Gate) {
    let gate = Gate::new();
    let slow = beginning.pass(&gate);
    let upstream = provider(move |model, call, _| match (model, call) {
        ("small", QUICK..) => slow.clone(),
        _ => saying(&format!("From {model}")),
    })
    .await;
    let models =
        json!({"models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}}}});
    let host = company(&upstream, models).await;
    (upstream, host, gate)
}

#[tokio::test]
async fn a_caller_in_a_hurry_gets_the_faster_of_two_where_the_first_is_slower_than_ever() {
    let (upstream, host, _gate) = slow_from_then_on(stream()).await;
    for _ in 0..QUICK {
        let answer = ask(&host, json!({"model": "auto"})).await;
        assert_eq!(answer.headers()["x-polity-model"], "small");
    }
    let hurried = json!({"model": "auto", "polity": {"deadline_ms": 50_000}});
    let response = ask(&host, hurried).await;
    assert_eq!(response.status(), 200, "{}", host.log());
    assert_eq!(response.headers()["x-polity-model"], "large");
    assert_eq!(
        response.headers()["x-polity-why"],
        "openai/small was slow, so openai/large was asked as well and was faster"
    );
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    // The slow one is not waited for any more.
    upstream.abandoned(1).await;
    let read = host.read(&format!("/api/decisions/{decision}")).await;
    let attempts = read["completion"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(
        attempts.iter().any(|attempt| attempt["role"] == "hedge"),
        "{attempts:?}"
    );
}

#[tokio::test]
async fn a_stream_that_does_not_begin_in_time_is_begun_by_another_and_both_are_paid_for() {
    // White space shows nobody anything.
    let blank = stream().event(&piece(json!({"content": " \n"})));
    let (upstream, host, _gate) = slow_from_then_on(blank).await;
    let whole = async |more: Value| {
        let response = ask(&host, more).await;
        let headers = response.headers().clone();
        let events = Events::of(response).rest().await;
        assert_eq!(events.last().unwrap(), "[DONE]", "{events:?}");
        let pieces = events.iter().filter(|event| event.starts_with('{'));
        let text: String = pieces
            .filter_map(|event| {
                let content = &json_of(event)["choices"][0]["delta"]["content"];
                content.as_str().map(str::to_owned)
            })
            .collect();
        (headers, text)
    };
    for _ in 0..QUICK {
        let (headers, text) = whole(json!({"model": "auto", "stream": true})).await;
        assert_eq!(
            (&*text, &headers["x-polity-model"]),
            ("From small", &"small".parse().unwrap())
        );
    }
    let hurried = json!({"model": "auto", "stream": true, "polity": {"deadline_ms": 50_000}});
    let (headers, text) = whole(hurried).await;
    assert_eq!(text, "From large");
    assert_eq!(headers["x-polity-model"], "large");
    assert_eq!(
        headers["x-polity-why"],
        "openai/small was slow, so openai/large was asked as well and was faster"
    );
    // The slow one is not waited for any more, and has read the prompt.
    upstream.abandoned(1).await;
    let decision = headers["x-polity-decision-id"].to_str().unwrap();
    let read = host.read(&format!("/api/decisions/{decision}")).await;
    let completion = &read["completion"];
    let attempts = completion["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    let cost = |role: &str| {
        let attempt = attempts.iter().find(|attempt| attempt["role"] == role);
        attempt.unwrap()["cost_micro"].as_u64().unwrap()
    };
    assert!(cost("first") > 0 && cost("hedge") > 0, "{attempts:?}");
    assert_eq!(completion["cost_micro"], cost("first") + cost("hedge"));
    assert!(completion["reserved_micro"].as_u64() >= completion["cost_micro"].as_u64());
    assert_eq!(completion["model"], "large");
}

#[tokio::test]
async fn a_stream_is_not_begun_twice_where_the_budget_has_not_enough_for_two() {
    let (upstream, host, _gate) = slow_from_then_on(stream()).await;
    for _ in 0..QUICK {
        let response = ask(&host, json!({"model": "auto", "stream": true})).await;
        Events::of(response).rest().await;
    }
    // Enough to read the prompt and to answer it, and not to read it twice.
    let long = "word ".repeat(800);
    let hurried = json!({
        "model": "auto", "stream": true, "max_tokens": 100,
        "messages": [{"role": "user", "content": long}],
        "polity": {"deadline_ms": 1500, "max_cost": 1700},
    });
    let response = ask(&host, hurried).await;
    assert!(response.status().is_server_error(), "{}", response.status());
    upstream.abandoned(1).await;
    assert_eq!(upstream.requests().len(), 26);
}
