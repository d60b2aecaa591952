//! OpenAI's API as a client sees it: a real host, the `openai` adapter in its sandbox, and a provider that plays along or
//! does not.

use polity_tests::{Answer, Events, Gate, Host, Options, RawConnection, Request, Upstream};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// A host whose only plugin is the adapter.
async fn host(upstream: &Upstream, more: impl FnOnce(Options) -> Options) -> Host {
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
async fn says(answer: Answer) -> Upstream {
    Upstream::start(move |_| answer.clone()).await
}

fn whole(content: &str) -> Answer {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "small-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
    });
    Answer::json(200, body.to_string())
}

fn piece(delta: Value) -> String {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

fn last(finish: &str) -> [String; 3] {
    [
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}).to_string(),
        json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}).to_string(),
        "[DONE]".to_owned(),
    ]
}

fn stream() -> Answer {
    Answer::status(200).header("content-type", "text/event-stream")
}

fn with_all(answer: Answer, events: impl IntoIterator<Item = String>) -> Answer {
    events
        .into_iter()
        .fold(answer, |answer, event| answer.event(&event))
}

fn asks(more: Value) -> Value {
    let mut body = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn ask(host: &Host, more: Value) -> reqwest::Response {
    host.post("/v1/chat/completions")
        .json(&asks(more))
        .send()
        .await
        .unwrap()
}

/// Status and error of an answer that is one.
async fn error(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert!(
        body["error"]["message"].is_string() && body["error"]["type"].is_string(),
        "{body}"
    );
    assert!(body["error"].get("param").is_some(), "{body}");
    (status, body["error"].clone())
}

fn json_of(event: &str) -> Value {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"))
}

#[tokio::test]
async fn an_answer_comes_whole_with_its_decision_and_its_cost() {
    let upstream = says(whole("Good day")).await;
    let host = host(&upstream, |options| options).await;
    let response = ask(
        &host,
        json!({"temperature": 0.5, "max_tokens": 900, "top_p": 0.25, "seed": 7}),
    )
    .await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-polity-model"), "small");
    // A thousand tokens at one unit a million, five hundred at two.
    assert_eq!(header("x-polity-cost"), "0.002000");
    assert!(!header("x-request-id").is_empty());
    let decision = header("x-polity-decision-id");

    let body: Value = response.json().await.unwrap();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["id"], format!("chatcmpl-{decision}"));
    assert_eq!(body["choices"][0]["message"]["content"], "Good day");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["total_tokens"], 1500);

    let sent = upstream.arrived(1).await.json();
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": "Hello"}])
    );
    assert_eq!(
        (&sent["temperature"], &sent["top_p"], &sent["seed"]),
        (&json!(0.5), &json!(0.25), &json!(7))
    );

    let story = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(story["completion"]["cost_micro"], 2000);
    assert_eq!(story["completion"]["status"], "answered");
}

#[tokio::test]
async fn a_streamed_answer_arrives_piece_by_piece() {
    let gate = Gate::new();
    let answer = stream()
        .event(&piece(json!({"role": "assistant", "content": "Good"})))
        .pass(&gate);
    let answer = with_all(
        answer.event(&piece(json!({"content": " day"}))),
        last("stop"),
    );
    let upstream = says(answer).await;
    let host = host(&upstream, |options| options).await;
    let response = ask(
        &host,
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    )
    .await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-polity-model"], "small");

    let mut events = Events::of(response);
    let role = json_of(&events.next().await.unwrap());
    assert_eq!(role["object"], "chat.completion.chunk");
    assert_eq!(
        role["choices"][0]["delta"],
        json!({"role": "assistant", "content": ""})
    );
    // The provider has sent no more than this, so nothing was held back.
    assert_eq!(
        json_of(&events.next().await.unwrap())["choices"][0]["delta"]["content"],
        "Good"
    );
    gate.open();
    let rest = events.rest().await;
    assert_eq!(json_of(&rest[0])["choices"][0]["delta"]["content"], " day");
    assert_eq!(json_of(&rest[0])["usage"], Value::Null);
    assert_eq!(json_of(&rest[1])["choices"][0]["finish_reason"], "stop");
    assert_eq!(json_of(&rest[2])["choices"], json!([]));
    assert_eq!(json_of(&rest[2])["usage"]["completion_tokens"], 5);
    assert_eq!(rest[3..], ["[DONE]"]);
}

#[tokio::test]
async fn without_being_asked_a_stream_says_nothing_of_usage() {
    let answer = with_all(
        stream().event(&piece(json!({"content": "Hi"}))),
        last("stop"),
    );
    let upstream = says(answer).await;
    let host = host(&upstream, |options| options).await;
    let events = Events::of(ask(&host, json!({"stream": true})).await)
        .rest()
        .await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    for event in &events[..events.len() - 1] {
        let chunk = json_of(event);
        assert!(
            chunk.get("usage").is_none() && chunk["choices"].as_array().unwrap().len() == 1,
            "{event}"
        );
    }
}

#[tokio::test]
async fn tools_go_to_the_model_and_its_calls_come_back() {
    let call = |value: Value| piece(json!({"tool_calls": [value]}));
    let answer = stream()
        .event(&call(json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}})))
        .event(&call(json!({"index": 0, "function": {"arguments": "{\"id\":"}})))
        .event(&call(json!({"index": 0, "function": {"arguments": "7}"}})));
    let upstream = says(with_all(answer, last("tool_calls"))).await;
    let host = host(&upstream, |options| options).await;
    let tools = json!([{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]);
    let asked = json!({"stream": true, "tools": tools, "tool_choice": "required"});
    let events = Events::of(ask(&host, asked).await).rest().await;

    let sent = upstream.arrived(1).await.json();
    assert_eq!(sent["tools"][0]["function"]["name"], "look_up");
    assert_eq!(sent["tool_choice"], "required");
    let (mut name, mut arguments) = (String::new(), String::new());
    for event in &events[1..events.len() - 2] {
        let call = &json_of(event)["choices"][0]["delta"]["tool_calls"][0];
        name.push_str(call["function"]["name"].as_str().unwrap_or_default());
        arguments.push_str(call["function"]["arguments"].as_str().unwrap());
    }
    assert_eq!(
        (name.as_str(), arguments.as_str()),
        ("look_up", "{\"id\":7}")
    );
    assert_eq!(
        json_of(&events[events.len() - 2])["choices"][0]["finish_reason"],
        "tool_calls"
    );
}

#[tokio::test]
async fn a_schema_for_the_answer_reaches_the_model() {
    let upstream = says(whole("{\"answer\":42}")).await;
    let host = host(&upstream, |options| options).await;
    let schema = json!({"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}});
    assert_eq!(
        ask(&host, json!({"response_format": format}))
            .await
            .status(),
        200
    );
    let sent = upstream.arrived(1).await.json();
    assert_eq!(
        sent["response_format"]["json_schema"]["schema"]["properties"]["answer"]["type"],
        "integer"
    );
}

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

/// Sends a completion on a connection of its own and returns it when the answer's first piece has come.
async fn half_heard(host: &Host, body: &Value, until: &str) -> RawConnection {
    let mut connection = host.connect().await;
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        host.token,
        body.len()
    );
    connection.send(head + &body).await;
    if !until.is_empty() {
        connection.read_until(until).await;
    }
    connection
}

#[tokio::test]
async fn a_caller_who_goes_takes_the_call_to_the_provider_along() {
    let gate = Gate::new();
    let answer = stream()
        .event(&piece(json!({"content": "Good"})))
        .pass(&gate);
    let upstream = says(answer).await;
    let host = host(&upstream, |options| options).await;
    drop(half_heard(&host, &asks(json!({"stream": true})), "Good").await);
    upstream.abandoned(1).await;
    // And one who waits for a whole answer.
    let connection = half_heard(&host, &asks(json!({})), "").await;
    upstream.arrived(2).await;
    drop(connection);
    upstream.abandoned(2).await;

    // What had been used is on record, and paid for.
    let mut records = Vec::new();
    let mut events = Events::of(
        host.get("/api/ledger?kind=completion.made")
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap(),
    );
    while records.len() < 2 {
        records.push(json_of(&events.next().await.unwrap()));
    }
    for record in records {
        let decision = host
            .read(&format!(
                "/api/decisions/{}",
                record["id"].as_str().unwrap()
            ))
            .await;
        assert_eq!(decision["completion"]["status"], "cancelled", "{decision}");
    }
}

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let upstream = says(whole("no")).await;
    let host = host(&upstream, |options| options).await;
    let list = host.read("/v1/models").await;
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["large", "small"]);
    assert_eq!(list["data"][0]["owned_by"], "openai");
    assert_eq!(list["data"][0]["polity"]["input_price"], 1_000_000);
    for path in ["/v1/models/small", "/v1/models/openai/small"] {
        assert_eq!(host.read(path).await["id"], "small");
    }
    let (status, fault) = error(host.get("/v1/models/smal").send().await.unwrap()).await;
    assert_eq!(
        (status, fault["code"].as_str()),
        (404, Some("model_not_found"))
    );
    assert_eq!(
        error(
            host.anonymous(reqwest::Method::GET, "/v1/models")
                .send()
                .await
                .unwrap()
        )
        .await
        .0,
        401
    );
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
