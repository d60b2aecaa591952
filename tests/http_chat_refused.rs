//! OpenAI's API where there is no answer: the caller, the rules, the budget or the provider stand against it, and each is
//! told in the form that OpenAI's clients understand.

mod chat;

use chat::{ask, asks, error, host, json_of, piece, says, stream, whole};
use polity_tests::{Answer, Events, Gate, Options, Request, Upstream};
use serde_json::json;

#[tokio::test]
async fn who_may_not_ask_is_told_why() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| {
        options.amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada", "roles": ["owner"]},
                {"id": "eve", "name": "Eve", "roles": ["auditor"]},
            ]),
        )
    })
    .await;
    let anonymous = |path| {
        host.anonymous(reqwest::Method::POST, path)
            .json(&asks(json!({})))
    };
    let response = anonymous("/v1/chat/completions").send().await.unwrap();
    assert_eq!(
        response.headers()["www-authenticate"],
        "Bearer realm=\"polity\""
    );
    let (status, fault) = error(response).await;
    assert_eq!(
        (status, fault["code"].as_str()),
        (401, Some("invalid_api_key"))
    );
    let wrong = anonymous("/v1/chat/completions")
        .bearer_auth("pol_wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(error(wrong).await.0, 401);

    let auditor = host.token_for("person:eve").await;
    let (status, fault) = error(
        anonymous("/v1/chat/completions")
            .bearer_auth(auditor)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, fault["type"].as_str()),
        (403, Some("permission_error"))
    );
    assert!(
        fault["message"]
            .as_str()
            .unwrap()
            .contains("completions:create"),
        "{fault}"
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_wrong_request_is_answered_with_the_place_that_is_wrong() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| options).await;
    for (more, param, words) in [
        (json!({"messages": []}), "messages", "at least one"),
        (
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "king", "content": "b"}]}),
            "messages[1]",
            "king",
        ),
        (json!({"n": 2}), "n", "one answer"),
        (json!({"temperature": "hot"}), "temperature", "hot"),
        (
            json!({"stream_options": {"include_usage": true}}),
            "stream_options",
            "stream",
        ),
        (
            json!({"response_format": {"type": "xml"}}),
            "response_format.type",
            "json_schema",
        ),
    ] {
        let (status, fault) = error(ask(&host, more.clone()).await).await;
        assert_eq!(
            (status, fault["param"].as_str()),
            (400, Some(param)),
            "{more}: {fault}"
        );
        assert!(
            fault["message"].as_str().unwrap().contains(words),
            "{more}: {fault}"
        );
    }
    let malformed = host
        .post("/v1/chat/completions")
        .body("{\"model\":")
        .send()
        .await
        .unwrap();
    assert_eq!(error(malformed).await.1["code"], "invalid_json");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_misspelt_model_is_answered_with_the_likely_one() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| options).await;
    let (status, fault) = error(ask(&host, json!({"model": "smal"})).await).await;
    assert_eq!(
        (status, fault["code"].as_str(), fault["param"].as_str()),
        (404, Some("model_not_found"), Some("model"))
    );
    assert!(
        fault["message"]
            .as_str()
            .unwrap()
            .contains("did you mean small"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_providers_refusal_is_told_by_a_status_that_clients_understand() {
    let refusal = |status: u16, code: &str| {
        let body = json!({"error": {"message": "the provider said no", "type": "x", "param": null, "code": code}});
        Answer::json(status, body.to_string())
    };
    for (answer, status, code, retry) in [
        (
            refusal(429, "rate_limit_exceeded").header("retry-after", "7"),
            429,
            "rate_limit_exceeded",
            Some("7"),
        ),
        (
            refusal(429, "insufficient_quota"),
            429,
            "insufficient_quota",
            None,
        ),
        (
            refusal(503, "overloaded").header("retry-after", "3"),
            503,
            "overloaded",
            Some("3"),
        ),
        (refusal(401, "invalid_api_key"), 502, "upstream_error", None),
        (
            refusal(400, "context_length_exceeded"),
            400,
            "context_length_exceeded",
            None,
        ),
        (
            refusal(404, "model_not_found"),
            404,
            "model_not_found",
            None,
        ),
    ] {
        for stream in [false, true] {
            let upstream = says(answer.clone()).await;
            let host = host(&upstream, |options| options).await;
            let response = ask(&host, json!({"stream": stream})).await;
            let after = response
                .headers()
                .get("retry-after")
                .map(|after| after.to_str().unwrap().to_owned());
            assert!(
                response.headers().contains_key("x-polity-decision-id"),
                "{code}"
            );
            let (found, fault) = error(response).await;
            assert_eq!(
                (found, fault["code"].as_str()),
                (status, Some(code)),
                "{fault}"
            );
            assert_eq!(after.as_deref(), retry, "{code}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_bad_gateway() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| options).await;
    drop(upstream);
    let (status, fault) = error(ask(&host, json!({})).await).await;
    assert_eq!(
        (status, fault["code"].as_str()),
        (502, Some("upstream_error"))
    );
}

#[tokio::test]
async fn a_caller_in_a_hurry_gets_a_timeout_and_the_call_is_over() {
    let gate = Gate::new();
    let upstream = says(
        Answer::status(200)
            .header("content-type", "application/json")
            .pass(&gate),
    )
    .await;
    let host = host(&upstream, |options| options).await;
    let request = host
        .post("/v1/chat/completions")
        .header("x-polity-timeout-ms", "300")
        .json(&asks(json!({})));
    let (status, fault) = error(request.send().await.unwrap()).await;
    assert_eq!((status, fault["code"].as_str()), (504, Some("timeout")));
    upstream.abandoned(1).await;
    let wrong = host
        .post("/v1/chat/completions")
        .header("x-polity-timeout-ms", "soon")
        .json(&asks(json!({})));
    assert_eq!(error(wrong.send().await.unwrap()).await.0, 400);
}

#[tokio::test]
async fn a_spent_budget_is_told_as_a_quota() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| {
        options.amend_charter("budgets", json!({"actor_daily_micro": 1}))
    })
    .await;
    let response = ask(&host, json!({})).await;
    assert!(response.headers().contains_key("x-polity-decision-id"));
    let (status, fault) = error(response).await;
    assert_eq!(
        (status, fault["type"].as_str(), fault["code"].as_str()),
        (429, Some("insufficient_quota"), Some("insufficient_quota"))
    );
    assert!(
        fault["message"]
            .as_str()
            .unwrap()
            .contains("budgets.actors"),
        "{fault}"
    );
    assert!(upstream.requests().is_empty());
}

/// A rule that lets nobody spend more than `micro` on one completion: above it `field` says what becomes of it.
fn limit(options: Options, field: &str) -> Options {
    options.first_party("spending-limit").rule(
        "model-spend",
        json!({"rule": "spending-limit", "guards": ["model.complete"], "config": {
            "currency": "EUR", "limits": [{"per": "action", field: 0}],
        }}),
    )
}

#[tokio::test]
async fn what_a_rule_denies_does_not_reach_the_model() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| limit(options, "hard_micro")).await;
    let response = ask(&host, json!({"stream": true})).await;
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let (status, fault) = error(response).await;
    assert_eq!(
        (status, fault["type"].as_str(), fault["code"].as_str()),
        (403, Some("permission_error"), Some("denied_by_rule"))
    );
    assert!(upstream.requests().is_empty());
    assert_eq!(
        host.read(&format!("/api/decisions/{decision}")).await["outcome"],
        "deny"
    );
}

#[tokio::test]
async fn what_a_person_has_to_decide_names_the_place_where_it_waits() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| limit(options, "soft_micro")).await;
    let (status, fault) = error(ask(&host, json!({})).await).await;
    assert_eq!((status, fault["code"].as_str()), (403, Some("escalated")));
    let inbox = host.read("/api/inbox").await;
    let item = inbox["items"][0]["id"].as_str().unwrap();
    assert!(fault["message"].as_str().unwrap().contains(item), "{fault}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_and_not_with_done() {
    let half = || stream().event(&piece(json!({"content": "Half a sen"})));
    for answer in [
        half().and_break(),
        half(),
        half().event("{\"error\":{\"message\":\"overloaded\",\"code\":\"server_error\"}}"),
    ] {
        let upstream = says(answer).await;
        let host = host(&upstream, |options| options).await;
        let response = ask(&host, json!({"stream": true})).await;
        assert_eq!(response.status(), 200, "the first piece had come");
        let events = Events::of(response).rest().await;
        assert_eq!(
            json_of(&events[1])["choices"][0]["delta"]["content"],
            "Half a sen"
        );
        let last = json_of(events.last().unwrap());
        assert!(last["error"]["message"].is_string(), "{last}");
        assert_eq!(last["error"]["type"], "server_error");
        assert!(!events.iter().any(|event| event == "[DONE]"));
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_told_in_the_same_form() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| options).await;
    let (status, fault) = error(host.get("/v1/engines").send().await.unwrap()).await;
    assert_eq!((status, fault["code"].as_str()), (404, Some("not_found")));
    let response = host.get("/v1/chat/completions").send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(error(response).await.0, 405);
}

#[tokio::test]
async fn a_long_conversation_is_taken_and_a_longer_one_is_not() {
    let upstream = Upstream::start(|request: &Request| {
        assert!(request.body.len() > 3 << 20);
        whole("long")
    })
    .await;
    let host = host(&upstream, |options| options).await;
    let long = "x".repeat(3 << 20);
    let response = ask(
        &host,
        json!({"messages": [{"role": "user", "content": long}], "max_tokens": 1}),
    )
    .await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        host.token,
        (32 << 20) + 1
    );
    let mut connection = host.connect().await;
    connection.send(head).await;
    let refused = connection.read_until("}}").await;
    assert!(
        refused.starts_with("HTTP/1.1 413 ") && refused.contains("request_too_large"),
        "{refused}"
    );
}
