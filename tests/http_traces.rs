//! Completions as spans: what a collector is sent of a chat that fell back, of a council, and of what was refused; what
//! the environment can ask for; and that nobody waits for a collector that is not there.

mod chat;

use std::collections::BTreeMap;

use chat::{ask, asks, last, piece, stream, whole, with_all};
use polity_tests::{Answer, Gate, Host, Options, Upstream};
use serde_json::{Value, json};

/// A collector that takes everything.
async fn collector() -> Upstream {
    Upstream::start(|_| Answer::json(200, "{}")).await
}

/// A provider whose small model is broken and whose large one answers.
async fn provider() -> Upstream {
    Upstream::start(|request| {
        let body = request.json();
        if body["model"] == "small" {
            let error = json!({"error": {"message": "no", "type": "server_error"}});
            return Answer::json(500, error.to_string());
        }
        match body["stream"] == true {
            true => with_all(
                stream().event(&piece(json!({"content": "From large"}))),
                last("stop"),
            ),
            false => whole("From large"),
        }
    })
    .await
}

async fn host(provider: &Upstream, collector: &str, more: impl FnOnce(Options) -> Options) -> Host {
    let models = json!({
        "models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}}},
        "councils": {"two": {"members": ["small", "large"]}},
    });
    chat::host(provider, |options| {
        let options = options
            .file("models.json", models.to_string())
            .environment("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .environment("OTEL_BSP_SCHEDULE_DELAY", "1");
        more(options)
    })
    .await
}

/// A span with its attributes by name, each without the word for its type.
struct Seen {
    span: Value,
    attributes: BTreeMap<String, Value>,
}

impl Seen {
    fn id(&self) -> &str {
        self.span["spanId"].as_str().unwrap()
    }

    fn number(&self, name: &str) -> u64 {
        self.attributes[name].as_str().unwrap().parse().unwrap()
    }

    fn nanos(&self, name: &str) -> u64 {
        self.span[name].as_str().unwrap().parse().unwrap()
    }
}

/// All spans of so many batches and more, until there are enough.
async fn spans(collector: &Upstream, count: usize) -> Vec<Seen> {
    let mut batches = 1;
    loop {
        collector.arrived(batches).await;
        let requests = collector.requests();
        let of_batch = |request: &polity_tests::Request| -> Vec<Seen> {
            assert_eq!(request.path, "/v1/traces");
            assert_eq!(request.header("content-type"), Some("application/json"));
            let scope = &request.json()["resourceSpans"][0]["scopeSpans"][0];
            assert_eq!(scope["scope"]["name"], "polity");
            scope["spans"]
                .as_array()
                .unwrap()
                .iter()
                .map(seen)
                .collect()
        };
        let all: Vec<Seen> = requests.iter().flat_map(of_batch).collect();
        if all.len() >= count {
            return all;
        }
        batches = requests.len() + 1;
    }
}

fn seen(span: &Value) -> Seen {
    let attributes = span["attributes"].as_array().unwrap().iter();
    let named: BTreeMap<String, Value> = attributes
        .map(|attribute| {
            let value = attribute["value"].as_object().unwrap();
            let value = value.values().next().unwrap().clone();
            (attribute["key"].as_str().unwrap().to_owned(), value)
        })
        .collect();
    // No name twice.
    assert_eq!(named.len(), span["attributes"].as_array().unwrap().len());
    Seen {
        span: span.clone(),
        attributes: named,
    }
}

#[tokio::test]
async fn a_chat_that_fell_back_is_one_span_with_one_for_each_call_inside() {
    let (provider, collector) = (provider().await, collector().await);
    let host = host(&provider, &collector.url(), |options| {
        options
            .environment("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20key")
            .environment("OTEL_SERVICE_NAME", "acme")
    })
    .await;
    let response = ask(&host, json!({"model": "auto"})).await;
    assert_eq!(response.status(), 200);
    let id = response.headers()["x-polity-decision-id"].to_str().unwrap();
    let id = id.to_owned();

    let all = spans(&collector, 3).await;
    let first = collector.requests()[0].clone();
    assert_eq!(first.header("api-key"), Some("a key"));
    let resource = first.json()["resourceSpans"][0]["resource"].to_string();
    assert!(resource.contains("\"acme\""), "{resource}");

    let [whole, small, large] = &all[..] else {
        panic!("{} spans", all.len());
    };
    // The trace has the decision's id, so that either leads to the other.
    assert_eq!(whole.span["traceId"], id.replace('-', ""));
    assert_eq!(whole.attributes["polity.decision.id"], *id);
    assert_eq!(
        (
            &whole.span["name"],
            &whole.span["kind"],
            &whole.span["parentSpanId"]
        ),
        (&json!("chat auto"), &json!(1), &Value::Null)
    );
    assert_eq!(whole.attributes["gen_ai.response.model"], "large");
    assert!(!whole.attributes.contains_key("gen_ai.usage.input_tokens"));

    for (call, name) in [(small, "small"), (large, "large")] {
        assert_eq!(call.span["name"], format!("chat {name}"));
        assert_eq!(call.span["kind"], 3);
        assert_eq!(call.span["traceId"], whole.span["traceId"]);
        assert_eq!(call.span["parentSpanId"], whole.id());
        assert_eq!(call.attributes["gen_ai.operation.name"], "chat");
        assert_eq!(call.attributes["gen_ai.provider.name"], "openai");
        assert_eq!(call.attributes["gen_ai.request.model"], name);
        assert!(call.nanos("startTimeUnixNano") <= call.nanos("endTimeUnixNano"));
    }
    assert_ne!(small.id(), large.id());
    assert_eq!(small.attributes["error.type"], "unavailable");
    assert_eq!(small.span["status"]["code"], 2);
    assert_eq!(large.attributes["polity.call.role"], "fallback");
    assert_eq!(large.span["status"], json!({}));
    assert_eq!(large.number("gen_ai.usage.input_tokens"), 7);
    assert_eq!(large.number("gen_ai.usage.output_tokens"), 5);
    let finish = &large.attributes["gen_ai.response.finish_reasons"];
    assert_eq!(finish["values"][0]["stringValue"], "stop");

    // Nothing of what was said is told.
    let told = String::from_utf8_lossy(&first.body).into_owned();
    assert!(!told.contains("From large"), "{told}");
    let said = asks(json!({}))["messages"][0]["content"].to_string();
    assert!(!told.contains(said.trim_matches('"')), "{told}");
}

#[tokio::test]
async fn a_call_that_went_well_is_one_span_within_the_callers() {
    let (provider, collector) = (provider().await, collector().await);
    let host = host(&provider, &collector.url(), |options| options).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = host
        .post("/v1/chat/completions")
        .header("traceparent", parent)
        .json(&asks(json!({"model": "large", "stream": true})));
    let response = request.send().await.unwrap();
    assert!(response.text().await.unwrap().contains("[DONE]"));
    let all = spans(&collector, 1).await;
    let [only] = &all[..] else {
        panic!("{} spans", all.len());
    };
    assert_eq!(only.span["traceId"], parent[3..35]);
    assert_eq!(only.span["parentSpanId"], parent[36..52]);
    assert_eq!(
        (&only.span["name"], &only.span["kind"]),
        (&json!("chat large"), &json!(3))
    );
    assert_eq!(only.attributes["gen_ai.request.stream"], true);
    assert!(only.attributes["gen_ai.response.time_to_first_chunk"].is_number());
    assert_eq!(only.number("gen_ai.usage.output_tokens"), 5);
    assert_eq!(only.attributes["polity.status"], "answered");

    // A caller who does not record its trace wants none recorded.
    let quiet = parent.replace("-01", "-00");
    let request = host
        .post("/v1/chat/completions")
        .header("traceparent", quiet)
        .json(&asks(json!({"model": "large"})));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let metrics = host.get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("polity_spans_total{result=\"dropped\"} 0"));
    // A header that is none is no reason to fail.
    let request = host
        .post("/v1/chat/completions")
        .header("traceparent", "nonsense")
        .json(&asks(json!({"model": "large"})));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(spans(&collector, 2).await.len(), 2);
}

#[tokio::test]
async fn members_of_a_council_are_spans_within_it() {
    let (provider, collector) = (provider().await, collector().await);
    let host = host(&provider, &collector.url(), |options| options).await;
    let response = ask(&host, json!({"model": "council/two"})).await;
    let _ = response.text().await;
    let is_council = |span: &Seen| span.span["name"] == "chat council/two";
    let mut count = 1;
    let all = loop {
        let all = spans(&collector, count).await;
        if all.iter().any(is_council) {
            break all;
        }
        count = all.len() + 1;
    };
    let council = all.iter().find(|span| is_council(span)).unwrap();
    let members: Vec<&Seen> = all
        .iter()
        .filter(|span| span.span["parentSpanId"] == council.id())
        .collect();
    assert!(members.len() >= 2, "{}", members.len());
    assert!(
        all.iter()
            .all(|span| span.span["traceId"] == council.span["traceId"])
    );
}

#[tokio::test]
async fn nobody_waits_for_a_collector_and_the_last_spans_go_out_before_the_end() {
    let provider = provider().await;
    let gate = Gate::new();
    let slow = {
        let gate = gate.clone();
        Upstream::start(move |_| Answer::status(200).pass(&gate)).await
    };
    let mut host = host(&provider, &slow.url(), |options| {
        options
            .environment("OTEL_BSP_MAX_QUEUE_SIZE", "2")
            .environment("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    })
    .await;
    for _ in 0..6 {
        let response = ask(&host, json!({"model": "large"})).await;
        assert_eq!(response.status(), 200);
    }
    // One is on its way and two wait; there is no room for the others.
    slow.arrived(1).await;
    let metrics = host.get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("polity_spans_total{result=\"dropped\"} "));
    let dropped: u64 = dropped.unwrap().parse().unwrap();
    assert!((2..=4).contains(&dropped), "{dropped}");
    gate.open();
    assert!(host.stop().await.success());
    assert_eq!(slow.requests().len() as u64, 6 - dropped);
}

#[tokio::test]
async fn a_collector_that_cannot_be_is_told_of_and_the_company_runs() {
    let provider = provider().await;
    let host = host(&provider, "collector:4317", |options| options).await;
    host.printed("http://127.0.0.1:4318").await;
    let response = ask(&host, json!({"model": "large"})).await;
    assert_eq!(response.status(), 200);
    let metrics = host.get("/metrics").send().await.unwrap();
    assert!(!metrics.text().await.unwrap().contains("polity_spans_total"));
}
