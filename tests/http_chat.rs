//! OpenAI's API as a client sees it: a real host, the `openai` adapter in its sandbox, and a provider that plays along.

mod chat;

use chat::{ask, asks, error, host, json_of, last, piece, says, stream, whole, with_all};
use polity_test_guests as guests;
use polity_tests::{Events, Gate, Host, RawConnection};
use serde_json::{Value, json};

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
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();

    let mut events = Events::of(response);
    let role = json_of(&events.next().await.unwrap());
    assert_eq!(role["object"], "chat.completion.chunk");
    assert_eq!(role["id"], format!("chatcmpl-{decision}"));
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
    let story = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(story["completion"]["status"], "answered");
    assert_eq!(story["completion"]["stream"], true);
}

#[tokio::test]
async fn an_amended_request_is_answered_under_the_name_of_the_model_that_answers() {
    let answer = with_all(
        stream().event(&piece(json!({"content": "Hi"}))),
        last("stop"),
    );
    let upstream = says(answer).await;
    let host = host(&upstream, |options| {
        options.plugin("amends", guests::RULE).rule(
            "cheaper",
            json!({"rule": "amends", "guards": ["model.*"], "config": {
                "amend": [{"op": "replace", "path": "/model", "value": "large"}],
            }}),
        )
    })
    .await;
    let response = ask(&host, json!({"stream": true})).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert_eq!(response.headers()["x-polity-model"], "large");
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    for event in Events::of(response).rest().await {
        assert!(
            event == "[DONE]" || json_of(&event)["model"] == "large",
            "{event}"
        );
    }
    assert_eq!(upstream.arrived(1).await.json()["model"], "large");
    let decision = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(decision["outcome"], "amend");
    assert_eq!(decision["completion"]["model"], "large");
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
