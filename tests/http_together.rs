//! Answers that several models have a part in: councils, cascades, streams that another model finishes, the cache.

mod chat;

use chat::{ask, company, error, json_of, piece, provider, saying, stream};
use polity_tests::{Answer, Events, Host};
use serde_json::{Value, json};

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

async fn story(host: &Host, decision: &str) -> String {
    let story = host.read(&format!("/api/decisions/{decision}/story")).await;
    story["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_council_answers_as_one_model_and_tells_who_dissents() {
    let upstream =
        provider(|model, _, _| saying(if model == "small" { "Paris." } else { "Lyon" })).await;
    let models =
        json!({"councils": {"board": {"members": ["small", "large", "small"], "quorum": 2}}});
    let host = company(&upstream, models).await;
    let response = ask(&host, json!({"model": "council/board"})).await;
    assert_eq!(response.status(), 200, "{}", host.log());
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-polity-model"), "council/board");
    assert_eq!(
        header("x-polity-why"),
        "council/board: a majority, 3 of 3 answered in 1 round"
    );
    // Seven prompt tokens at one, five answer tokens at two, three times.
    assert_eq!(header("x-polity-cost"), "0.000051");
    let decision = header("x-polity-decision-id");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(content(&answer), "Paris.");
    assert_eq!(answer["usage"]["prompt_tokens"], 21);
    let told = &answer["polity"];
    assert_eq!(
        (&told["form"], &told["agreement"]),
        (&json!("council"), &json!("majority"))
    );
    assert_eq!(
        told["consensus"]["members"],
        json!(["openai/small", "openai/small"])
    );
    assert_eq!(told["dissent"][0]["answer"], "Lyon");
    assert_eq!(told["dissent"][0]["members"], json!(["openai/large"]));
    // Each call is a decision of its own.
    for member in told["members"].as_array().unwrap() {
        let id = member["decisions"][0].as_str().unwrap();
        let read = host.read(&format!("/api/decisions/{id}")).await;
        assert_eq!(read["completion"]["status"], "answered");
        assert_eq!(read["completion"]["cost_micro"], 17);
    }
    let text = story(&host, &decision).await;
    assert!(
        text.contains("council   majority; 3 of 3 answered, 1 round"),
        "{text}"
    );
    assert!(text.contains("dissent   openai/large: Lyon"), "{text}");
    let replay = host
        .read(&format!("/api/decisions/{decision}/replay"))
        .await;
    assert_eq!(replay["same"], true, "{replay}");

    let streamed = ask(&host, json!({"model": "council/board", "stream": true})).await;
    let events = Events::of(streamed).rest().await;
    assert!(
        events.iter().any(|event| event.contains("Paris.")),
        "{events:?}"
    );
    let end = json_of(&events[events.len() - 2]);
    assert_eq!(end["polity"]["agreement"], "majority");
    assert_eq!(events.last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn members_see_each_others_answers_without_names_and_can_be_convinced() {
    let upstream = provider(|model, _, request| {
        let has_seen = String::from_utf8_lossy(&request.body).contains("Others have answered");
        saying(match (model, has_seen) {
            ("large", false) => "Lyon",
            _ => "Paris",
        })
    })
    .await;
    let models =
        json!({"councils": {"board": {"members": ["small", "large"], "rounds": 2, "quorum": 2}}});
    let host = company(&upstream, models).await;
    let answer: Value = ask(&host, json!({"model": "council/board"}))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(content(&answer), "Paris");
    assert_eq!(answer["polity"]["agreement"], "unanimous");
    assert_eq!(answer["polity"]["rounds"], 2);
    for request in upstream.requests() {
        let prompt = request.json()["messages"].to_string();
        assert!(
            !prompt.contains("small") && !prompt.contains("large"),
            "{prompt}"
        );
    }
}

#[tokio::test]
async fn a_council_without_a_quorum_says_why_and_one_that_costs_too_much_does_not_begin() {
    let upstream = provider(|model, _, _| match model {
        "small" => saying("Paris"),
        _ => Answer::json(400, r#"{"error": {"message": "no", "type": "x"}}"#),
    })
    .await;
    let models = json!({"councils": {
        "board": {"members": ["small", "large"], "quorum": 2},
        "poor": {"members": ["small", "small"], "max_cost": 1},
    }});
    let host = company(&upstream, models).await;
    let (status, refused) = error(ask(&host, json!({"model": "council/board"})).await).await;
    assert!(status >= 400, "{refused}");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("1 of 2 members answered, fewer than the quorum of 2"),
        "{message}"
    );
    let before = upstream.requests().len();
    let (status, refused) = error(ask(&host, json!({"model": "council/poor"})).await).await;
    assert_eq!(status, 502, "{refused}");
    assert_eq!(upstream.requests().len(), before);

    let (status, refused) = error(ask(&host, json!({"model": "council/bord"})).await).await;
    assert_eq!(status, 404);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("council/board"),
        "{refused}"
    );
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let (status, refused) =
        error(ask(&host, json!({"model": "council/board", "tools": tools})).await).await;
    assert_eq!(status, 400);
    assert!(
        refused["message"].as_str().unwrap().contains("tools"),
        "{refused}"
    );
    let listed = host.read("/v1/models").await;
    assert!(listed.to_string().contains("council/board"), "{listed}");
}

#[tokio::test]
async fn a_council_holds_what_the_caller_wants_and_the_rules_judge_every_member() {
    let upstream = provider(|_, _, _| saying("Paris")).await;
    let models = json!({
        "models": {"small": {"region": "eu", "local": false}, "large": {"region": "us", "local": false}},
        "councils": {"board": {"members": ["small", "large"], "quorum": 1}},
    });
    let host = company(&upstream, models).await;
    let wanted = json!({"model": "council/board", "polity": {"region": "eu"}});
    let answer: Value = ask(&host, wanted).await.json().await.unwrap();
    assert_eq!(answer["polity"]["left_out"], json!(["large"]));
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.json()["model"] == "small")
    );
    let nobody = json!({"model": "council/board", "polity": {"region": "mars"}});
    let (status, refused) = error(ask(&host, nobody).await).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("no_eligible_model"))
    );
}

#[tokio::test]
async fn a_cascade_asks_the_stronger_model_only_where_the_cheap_ones_answer_fails() {
    let upstream = provider(|model, call, _| {
        saying(match (model, call) {
            ("small", 0) => r#"{"city": "Paris"}"#,
            ("small", _) => "Paris, I think",
            _ => r#"{"city": "Lyon"}"#,
        })
    })
    .await;
    let models = json!({"cascades": {"careful": {"steps": [
        {"model": "small", "checks": [{"check": "schema"}]}, {"model": "large"},
    ]}}});
    let host = company(&upstream, models).await;
    let schema = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
    }}});
    let asked = json!({"model": "careful", "response_format": schema});
    let answer: Value = ask(&host, asked.clone()).await.json().await.unwrap();
    assert_eq!(content(&answer), r#"{"city": "Paris"}"#);
    assert_eq!(answer["polity"]["trust"], "verified");
    assert_eq!(upstream.requests().len(), 1);

    let response = ask(&host, asked).await;
    let why = response.headers()["x-polity-why"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        why,
        "careful: openai/large, answer 2 of 2; its answer was not checked"
    );
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(content(&answer), r#"{"city": "Lyon"}"#);
    let tries = answer["polity"]["tries"].as_array().unwrap();
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0]["trust"], "rejected");
    let text = story(&host, &decision).await;
    assert!(text.contains("openai/small was rejected"), "{text}");
    assert!(
        text.contains("schema failed: the answer is not JSON"),
        "{text}"
    );
}

#[tokio::test]
async fn a_model_corrects_an_answer_that_its_schema_rejects() {
    let upstream = provider(|_, call, _| saying(if call == 0 { "Paris" } else { "7" })).await;
    let models = json!({"cascades": {"careful": {"steps": [
        {"model": "small", "checks": [{"check": "schema"}], "corrections": 1},
    ]}}});
    let host = company(&upstream, models).await;
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}});
    let asked = json!({"model": "careful", "response_format": schema});
    let answer: Value = ask(&host, asked).await.json().await.unwrap();
    assert_eq!(content(&answer), "7", "{answer}");
    assert_eq!(answer["polity"]["tries"][1]["is_correction"], true);
    let second = upstream.requests()[1].json();
    let told = second["messages"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .to_string();
    assert!(told.contains("the answer is not JSON"), "{told}");
}

#[tokio::test]
async fn a_judge_and_agreement_decide_and_an_answer_that_passes_nothing_is_refused() {
    let upstream = provider(|model, call, request| {
        let is_judge = String::from_utf8_lossy(&request.body).contains("Score: and a number");
        saying(match (model, is_judge) {
            (_, true) => "Hm.\nScore: 40",
            ("small", _) if call % 2 == 0 => "yes",
            ("small", _) => "no",
            _ => "perhaps",
        })
    })
    .await;
    let models = json!({"cascades": {
        "judged": {"steps": [{"model": "large", "checks": [{"check": "judge", "model": "small", "at_least": 0.5}]}]},
        "lenient": {"otherwise": "best", "steps": [{"model": "large", "checks": [{"check": "judge", "model": "small", "at_least": 0.5}]}]},
        "agreed": {"steps": [{"model": "small", "checks": [{"check": "agree", "samples": 2, "at_least": 0.9}]}, {"model": "large"}]},
        "gated": {"steps": [{"model": "small", "checks": [{"check": "rule", "name": "nowhere"}]}]},
    }});
    let host = company(&upstream, models).await;
    let (status, refused) = error(ask(&host, json!({"model": "judged"})).await).await;
    assert_eq!(status, 502);
    assert!(
        refused["message"].as_str().unwrap().contains("40.0 of 100"),
        "{refused}"
    );
    let answer: Value = ask(&host, json!({"model": "lenient"}))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(content(&answer), "perhaps");
    assert_eq!(answer["polity"]["trust"], "rejected");
    let (_, refused) = error(ask(&host, json!({"model": "gated"})).await).await;
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("rules/nowhere.json"),
        "{refused}"
    );
    let answer: Value = ask(&host, json!({"model": "agreed"}))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(content(&answer), "perhaps", "{answer}");
    let samples = upstream
        .requests()
        .into_iter()
        .filter(|request| request.json()["temperature"] == 0.7);
    assert_eq!(samples.count(), 2);
}

#[tokio::test]
async fn a_stream_that_breaks_is_written_on_by_another_model() {
    let upstream = provider(|model, _, request| {
        let body = request.json();
        match model {
            "small" => stream()
                .event(&piece(json!({"content": "The capital of France "})))
                .and_break(),
            _ => {
                let messages = body["messages"].as_array().unwrap();
                assert_eq!(messages[1]["content"], "The capital of France ");
                // It repeats what has gone out, as models do.
                saying("The capital of France is Paris.")
            }
        }
    })
    .await;
    let models = json!({
        "models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}}},
    });
    let host = company(&upstream, models).await;
    let response = ask(&host, json!({"model": "auto", "stream": true})).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-polity-model"], "small");
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let events = Events::of(response).rest().await;
    let text: String = events
        .iter()
        .filter(|event| event.starts_with('{'))
        .filter_map(|event| {
            json_of(event)["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(text, "The capital of France is Paris.", "{events:?}");
    assert_eq!(events.last().unwrap(), "[DONE]");
    let end = json_of(&events[events.len() - 2]);
    assert_eq!(end["polity"]["continued_by"], json!(["openai/large"]));
    let text = story(&host, &decision).await;
    assert!(
        text.contains("openai/large, where the one before it broke off"),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_that_nobody_can_write_on_ends_with_an_error() {
    let upstream = provider(|_, _, _| {
        stream()
            .event(&piece(json!({"content": "Half of"})))
            .and_break()
    })
    .await;
    let host = company(&upstream, json!({})).await;
    for model in ["auto", "small"] {
        let response = ask(&host, json!({"model": model, "stream": true})).await;
        let events = Events::of(response).rest().await;
        assert!(
            events.last().unwrap().contains("\"error\""),
            "{model}: {events:?}"
        );
        assert!(!events.contains(&"[DONE]".to_owned()));
    }
}

#[tokio::test]
async fn an_answer_is_kept_only_where_somebody_allows_it_and_never_for_others_rights() {
    let upstream = provider(|_, call, _| saying(&format!("answer {call}"))).await;
    let models = json!({"cache": {"sharing": "rights"}});
    let host = company(&upstream, models).await;
    let first: Value = ask(&host, json!({})).await.json().await.unwrap();
    let response = ask(&host, json!({})).await;
    assert_eq!(response.headers()["x-polity-cost"], "0.000000");
    assert_eq!(
        response.headers()["x-polity-why"],
        "named by the request; answered from the cache"
    );
    let decision = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let again: Value = response.json().await.unwrap();
    assert_eq!(content(&first), content(&again));
    assert_eq!(again["polity"]["cached"]["avoided_micro"], 17);
    assert_eq!(upstream.requests().len(), 1);
    let text = story(&host, &decision).await;
    assert!(
        text.contains("asking again would have cost 0.000017 EUR"),
        "{text}"
    );

    // As a stream it says the same.
    let streamed = ask(&host, json!({"stream": true})).await;
    let events = Events::of(streamed).rest().await;
    assert!(
        events.iter().any(|event| event.contains("answer 0")),
        "{events:?}"
    );
    // Whoever wants a fresh one gets it; whoever asks something else does, too.
    ask(&host, json!({"polity": {"cache": false}})).await;
    ask(&host, json!({"temperature": 1})).await;
    assert_eq!(upstream.requests().len(), 3);
    // Somebody with other roles finds nothing.
    let token = host.token_for("agent:assistant").await;
    let request = host
        .anonymous(reqwest::Method::POST, "/v1/chat/completions")
        .bearer_auth(token)
        .json(&chat::asks(json!({})));
    let other: Value = request.send().await.unwrap().json().await.unwrap();
    assert_ne!(content(&other), content(&first), "{other}");
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn nothing_is_kept_unless_a_request_asks_for_it() {
    let upstream = provider(|_, call, _| saying(&format!("answer {call}"))).await;
    let host = company(&upstream, json!({})).await;
    ask(&host, json!({})).await;
    ask(&host, json!({})).await;
    assert_eq!(upstream.requests().len(), 2);
    let request = || {
        host.post("/v1/chat/completions")
            .header("x-polity-cache", "true")
            .json(&chat::asks(json!({})))
    };
    let first: Value = request().send().await.unwrap().json().await.unwrap();
    let second: Value = request().send().await.unwrap().json().await.unwrap();
    assert_eq!(content(&first), content(&second));
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_host_that_is_killed_in_the_middle_of_a_council_has_every_member_on_record() {
    let gate = polity_tests::Gate::default();
    let held = gate.clone();
    let upstream = provider(move |model, _, _| match model {
        "small" => saying("Paris"),
        _ => stream().pass(&held),
    })
    .await;
    let models = json!({"councils": {"board": {"members": ["small", "large"]}}});
    let mut host = company(&upstream, models).await;
    let asking = tokio::spawn(
        host.post("/v1/chat/completions")
            .json(&chat::asks(json!({"model": "council/board"})))
            .send(),
    );
    upstream.arrived(2).await;
    let is_told = async || {
        host.read("/api/decisions")
            .await
            .to_string()
            .contains("answered")
    };
    while !is_told().await {
        tokio::task::yield_now().await;
    }
    // What is answered after it is on the disk after it.
    assert_eq!(ask(&host, json!({})).await.status(), 200);
    host.kill9().await;
    let _ = asking.await;
    host.restart().await;
    let listed = host.read("/api/decisions").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    let verified = host.json(host.post("/api/ledger/verify")).await;
    assert_eq!(verified["ok"], true, "{verified}");
}
