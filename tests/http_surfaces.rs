//! The surfaces beside chat completions: responses, Anthropic's messages, embeddings. What goes in, what comes out, and
//! what is told where it is wrong.

mod chat;

use chat::{error, host, json_of, last, piece, says, stream, whole, with_all};
use polity_tests::{Answer, Events, Host, Upstream};
use reqwest::{Method, Response};
use serde_json::{Value, json};

async fn post(host: &Host, path: &str, body: Value) -> Response {
    host.post(path).json(&body).send().await.unwrap()
}

fn message(more: Value) -> Value {
    let mut body = json!({"model": "small", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn response(more: Value) -> Value {
    let mut body = json!({"model": "small", "input": "Hello"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A provider whose model calls a tool.
async fn calling() -> Upstream {
    let call = |id: &str, name: &str, arguments: &str| json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]});
    let answer = stream()
        .event(&piece(json!({"content": "Let me see."})))
        .event(&piece(call("call_1", "weather", "")))
        .event(&piece(call("", "", r#"{"city":"#)))
        .event(&piece(call("", "", r#""Paris"}"#)));
    says(with_all(answer, last("tool_calls"))).await
}

#[tokio::test]
async fn a_message_is_answered_as_anthropics_clients_expect() {
    let upstream = says(whole("Good day")).await;
    let host = host(&upstream, |options| options).await;
    // Their key goes into a header of its own.
    let request = host
        .anonymous(Method::POST, "/v1/messages")
        .header("x-api-key", &host.token)
        .header("anthropic-version", "2023-06-01")
        .json(&message(
            json!({"system": "be brief", "stop_sequences": ["END"], "metadata": {"user_id": "x"}}),
        ));
    let answered = request.send().await.unwrap();
    assert_eq!(answered.status(), 200, "{}", host.log());
    for name in [
        "x-polity-decision-id",
        "x-polity-model",
        "x-polity-cost",
        "x-polity-why",
    ] {
        assert!(answered.headers().contains_key(name), "{name}");
    }
    let answer: Value = answered.json().await.unwrap();
    assert_eq!(
        answer["content"],
        json!([{"type": "text", "text": "Good day"}])
    );
    assert_eq!(
        (&answer["type"], &answer["role"]),
        (&json!("message"), &json!("assistant"))
    );
    assert_eq!(answer["stop_reason"], "end_turn");
    assert_eq!(answer["usage"]["input_tokens"], 1000);
    let asked = upstream.arrived(1).await.json();
    assert_eq!(
        asked["messages"][0],
        json!({"role": "system", "content": "be brief"})
    );
    assert_eq!(asked["stop"], json!(["END"]));
    assert!(asked.get("metadata").is_none(), "{asked}");
}

#[tokio::test]
async fn the_tokens_of_a_message_are_estimated_and_nobody_is_asked() {
    let upstream = says(whole("never")).await;
    let host = host(&upstream, |options| options).await;
    let count = |body: Value| {
        let request = host
            .anonymous(Method::POST, "/v1/messages/count_tokens?beta=true")
            .header("x-api-key", &host.token)
            .json(&body);
        async {
            let answered = request.send().await.unwrap();
            assert_eq!(answered.status(), 200);
            let body: Value = answered.json().await.unwrap();
            assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
            body["input_tokens"].as_u64().unwrap()
        }
    };
    let said = json!({"model": "small", "messages": [{"role": "user", "content": "Hello there"}]});
    let few = count(said.clone()).await;
    assert!((2..20).contains(&few), "{few}");
    let mut more = said;
    more["system"] = "be brief ".repeat(100).into();
    more["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    more["max_tokens"] = 1.into();
    let many = count(more).await;
    assert!((few + 200..few + 500).contains(&many), "{few} {many}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_message_with_tools_streams_blocks_and_takes_their_results_back() {
    let upstream = calling().await;
    let host = host(&upstream, |options| options).await;
    let tools = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
    let body = message(json!({"stream": true, "tools": tools, "tool_choice": {"type": "any"}}));
    let events = Events::of(post(&host, "/v1/messages", body).await)
        .rest()
        .await;
    let events: Vec<Value> = events.iter().map(|event| json_of(event)).collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"message_start"));
    assert_eq!(kinds.last(), Some(&"message_stop"));
    let input: String = events
        .iter()
        .filter_map(|event| event["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(input, r#"{"city":"Paris"}"#);
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[events.len() - 2]["usage"]["output_tokens"], 5);
    let asked = upstream.arrived(1).await.json();
    assert_eq!(asked["tool_choice"], "required");
    assert_eq!(asked["tools"][0]["function"]["name"], "weather");

    let round = json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "rain"}]},
    ]});
    post(&host, "/v1/messages", message(round)).await;
    let asked = upstream.arrived(2).await.json();
    assert_eq!(
        asked["messages"][1]["tool_calls"][0]["function"]["arguments"],
        r#"{"city":"Paris"}"#
    );
    assert_eq!(asked["messages"][2]["tool_call_id"], "call_1");
}

#[tokio::test]
async fn a_response_is_answered_whole_and_in_events() {
    let upstream = calling().await;
    let host = host(&upstream, |options| options).await;
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}}]);
    let asked = response(json!({"instructions": "be brief", "tools": tools, "store": true}));
    let answered = post(&host, "/v1/responses", asked.clone()).await;
    assert_eq!(answered.status(), 200, "{}", host.log());
    assert!(answered.headers().contains_key("x-polity-cost"));
    let answer: Value = answered.json().await.unwrap();
    assert_eq!(
        (&answer["status"], &answer["store"]),
        (&json!("completed"), &json!(false))
    );
    assert_eq!(answer["output"][0]["content"][0]["text"], "Let me see.");
    assert_eq!(answer["output"][1]["arguments"], r#"{"city":"Paris"}"#);
    assert_eq!(answer["usage"]["total_tokens"], 12);
    assert_eq!(
        upstream.arrived(1).await.json()["messages"][0]["role"],
        "system"
    );

    let mut streamed = asked;
    streamed["stream"] = true.into();
    let events = Events::of(post(&host, "/v1/responses", streamed).await)
        .rest()
        .await;
    let end = json_of(events.last().unwrap());
    assert_eq!(end["type"], "response.completed");
    assert_eq!(end["response"]["output"][1]["call_id"], "call_1");
    assert!(!events.iter().any(|event| event == "[DONE]"));
}

#[tokio::test]
async fn texts_become_vectors_under_the_same_rules_and_budgets() {
    let upstream = Upstream::start(|request| {
        let count = request.json()["input"].as_array().unwrap().len();
        let data: Vec<Value> = (0..count)
            .map(|index| json!({"index": index, "embedding": [index as f64, 0.5]}))
            .collect();
        Answer::json(200, json!({ "data": data }).to_string())
    })
    .await;
    let host = host(&upstream, |options| options.embedding("small")).await;
    let asked = json!({"model": "small", "input": ["one", "two"]});
    let answered = post(&host, "/v1/embeddings", asked).await;
    assert_eq!(answered.status(), 200, "{}", answered.text().await.unwrap());
    let decision = answered.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer: Value = answered.json().await.unwrap();
    assert_eq!(answer["data"][1]["embedding"], json!([1.0, 0.5]));
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 0);
    let read = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(read["kind"], "model.complete");
    assert_eq!(read["input"]["embeddings"], true);
    assert!(
        read["completion"]["cost_micro"].as_u64().unwrap() > 0,
        "{read}"
    );
    // A model that has no vectors says so before anybody is asked.
    let asked = json!({"model": "large", "input": "one"});
    let (status, refused) = error(post(&host, "/v1/embeddings", asked).await).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("no_eligible_model"))
    );
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong_in_the_words_of_their_surface() {
    let upstream = says(whole("never")).await;
    let host = host(&upstream, |options| options).await;
    let cases = [
        (
            "/v1/messages",
            message(json!({"model": "smal"})),
            404,
            "did you mean",
        ),
        (
            "/v1/responses",
            response(json!({"model": "smal"})),
            404,
            "did you mean",
        ),
        (
            "/v1/embeddings",
            json!({"model": "smal", "input": "a"}),
            404,
            "did you mean",
        ),
        (
            "/v1/messages",
            message(json!({"max_tokens": 0})),
            400,
            "/max_tokens: `max_tokens` is 0",
        ),
        (
            "/v1/messages",
            message(json!({"messages": [["user", "Hello"]]})),
            400,
            "/messages/0: invalid type",
        ),
        (
            "/v1/messages/count_tokens",
            json!({"model": "smal", "messages": [{"role": "user", "content": "Hello"}]}),
            404,
            "did you mean",
        ),
        (
            "/v1/messages/count_tokens",
            json!({"model": "small", "messages": [["user", "Hello"]]}),
            400,
            "/messages/0: invalid type",
        ),
        (
            "/v1/chat/completions",
            chat::asks(json!({"max_tokens": 0})),
            400,
            "/max_tokens: `max_tokens` is 0",
        ),
        (
            "/v1/chat/completions",
            chat::asks(json!({"stream": true, "stream_options": [true]})),
            400,
            "/stream_options: invalid type",
        ),
        (
            "/v1/messages",
            message(json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]})),
            400,
            "/messages/0/content/0/text",
        ),
        (
            "/v1/responses",
            response(json!({"input": [{"role": "king", "content": "x"}]})),
            400,
            "/input/0/role",
        ),
        (
            "/v1/responses",
            response(json!({"previous_response_id": "resp_1"})),
            400,
            "send the whole conversation",
        ),
        (
            "/v1/messages",
            message(json!({"polity": {"max_cost": -1}})),
            400,
            "max_cost",
        ),
        (
            "/v1/responses",
            response(json!({"polity": {"max_kost": 1}})),
            400,
            "did you mean `max_cost`",
        ),
        (
            "/v1/embeddings",
            json!({"model": "small", "input": [[1, 2]]}),
            400,
            "/input/0",
        ),
        (
            "/v1/embeddings",
            json!({"model": "small", "input": []}),
            400,
            "send between 1",
        ),
    ];
    for (path, body, status, told) in cases {
        let answered = post(&host, path, body.clone()).await;
        assert_eq!(answered.status(), status, "{path} {body}");
        let refused: Value = answered.json().await.unwrap();
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(told), "{path} {body}: {message}");
        assert_eq!(
            refused["type"] == "error",
            path.starts_with("/v1/messages"),
            "{refused}"
        );
    }
    for path in [
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/responses",
        "/v1/embeddings",
    ] {
        let broken = host
            .post(path)
            .header("content-type", "application/json")
            .body("{\"model\": \"small\",")
            .send()
            .await
            .unwrap();
        assert_eq!(broken.status(), 400);
        let told: Value = broken.json().await.unwrap();
        assert!(
            told["error"]["message"]
                .as_str()
                .unwrap()
                .contains("line 1 column"),
            "{told}"
        );
        let unknown = host
            .anonymous(Method::POST, path)
            .bearer_auth("nonsense")
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        assert_eq!(unknown.status(), 401, "{path}");
        let long = host
            .post(path)
            .header("content-type", "application/json")
            .body(vec![b' '; 100 << 20])
            .send()
            .await;
        // It is refused unread, so the sender may see the connection go before the answer.
        if let Ok(answered) = long {
            assert_eq!(answered.status(), 413, "{path}");
        }
    }
    let misdirected = host.get("/v1/messages").send().await.unwrap();
    assert_eq!(misdirected.status(), 405);
    let told: Value = misdirected.json().await.unwrap();
    assert_eq!(told["type"], "error", "{told}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn ten_thousand_tools_reach_the_model_or_are_refused_and_hang_nobody() {
    let upstream = says(whole("fine")).await;
    let host = host(&upstream, |options| options).await;
    let names = || (0..10_000).map(|index| format!("tool_{index}"));
    let anthropic: Vec<Value> = names()
        .map(|name| json!({"name": name, "input_schema": {"type": "object"}}))
        .collect();
    let openai: Vec<Value> = names()
        .map(|name| json!({"type": "function", "name": name}))
        .collect();
    let answered = post(&host, "/v1/messages", message(json!({"tools": anthropic}))).await;
    assert_eq!(answered.status(), 200, "{}", answered.text().await.unwrap());
    let answered = post(&host, "/v1/responses", response(json!({"tools": openai}))).await;
    assert_eq!(answered.status(), 200, "{}", answered.text().await.unwrap());
    let asked = upstream.arrived(2).await.json();
    assert_eq!(asked["tools"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn whatever_a_model_does_wrong_no_surface_calls_it_an_answer() {
    let error_in_200 = Answer::json(
        200,
        r#"{"error": {"message": "no", "type": "server_error"}}"#,
    );
    let garbage = Answer::json(200, "<html>gateway</html>");
    let cut = stream()
        .event(&piece(json!({"content": "half"})))
        .and_break();
    for (name, answer) in [("error", error_in_200), ("garbage", garbage), ("cut", cut)] {
        let upstream = says(answer).await;
        let host = host(&upstream, |options| options).await;
        for stream in [false, true] {
            let answered = post(&host, "/v1/messages", message(json!({"stream": stream}))).await;
            let status = answered.status();
            if status == 200 {
                assert!(stream, "{name}");
                let events = Events::of(answered).rest().await;
                let end = json_of(events.last().unwrap());
                assert_eq!(end["type"], "error", "{name}: {events:?}");
            } else {
                assert!(status.is_server_error(), "{name}: {status}");
                let told: Value = answered.json().await.unwrap();
                assert_eq!(told["error"]["type"], "api_error", "{name}: {told}");
            }
            let answered = post(&host, "/v1/responses", response(json!({"stream": stream}))).await;
            if answered.status() == 200 {
                assert!(stream, "{name}");
                let events = Events::of(answered).rest().await;
                let end = json_of(events.last().unwrap());
                assert_eq!(end["type"], "response.failed", "{name}: {events:?}");
            } else {
                error(answered).await;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_ends_twice_or_names_impossible_tokens_costs_what_it_can_have_cost() {
    let twice = with_all(
        with_all(
            stream().event(&piece(json!({"content": "Hi"}))),
            last("stop"),
        ),
        last("stop"),
    );
    let upstream = says(twice).await;
    let host = host(&upstream, |options| options).await;
    let answered = post(&host, "/v1/messages", message(json!({}))).await;
    assert_eq!(answered.status(), 200);
    let answer: Value = answered.json().await.unwrap();
    assert_eq!(answer["content"], json!([{"type": "text", "text": "Hi"}]));
}
