//! What every request goes through: names, sizes, slow and rude clients, and the end of the host.

use polity_tests::{Answer, Events, Gate, Host, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

async fn host() -> Host {
    Host::start(POLITY, |options| options.without_bundled()).await
}

/// A host with one plugin.
async fn ready_host() -> Host {
    Host::start(POLITY, |options| {
        options.without_bundled().first_party("spending-limit")
    })
    .await
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
}

async fn raw(host: &Host, request: String) -> String {
    let mut connection = host.connect().await;
    connection.send(request).await;
    connection.read_to_end().await
}

#[tokio::test]
async fn a_page_of_another_site_cannot_reach_the_host_through_its_name() {
    let host = Host::start(POLITY, |options| {
        options
            .without_bundled()
            .argument("--host-name")
            .argument("polity.test")
    })
    .await;
    for name in ["localhost", "127.0.0.1:7654", "[::1]", "polity.test"] {
        assert!(
            raw(&host, get("/livez", name))
                .await
                .starts_with("HTTP/1.1 200 "),
            "{name}"
        );
    }
    for path in [
        "/livez",
        "/",
        "/api/plugins",
        "/v1/models",
        "/assets/x/console.css",
    ] {
        let answer = raw(&host, get(path, "rebound.example")).await;
        assert!(
            answer.starts_with("HTTP/1.1 421 ") && answer.contains("rebound.example"),
            "{path}: {answer}"
        );
    }
    let nameless = raw(
        &host,
        "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(),
    )
    .await;
    assert!(nameless.starts_with("HTTP/1.1 421 "), "{nameless}");
}

#[tokio::test]
async fn every_answer_has_an_id_and_a_callers_own_is_kept() {
    let host = host().await;
    let response = host.get("/api/plugins").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"].len(), 36);
    let response = host
        .get("/nowhere")
        .header("x-request-id", "run-7")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-request-id"], "run-7");
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_before_it_is_sent() {
    let host = host().await;
    for (path, kind, limit) in [
        ("/api/actions", "application/json", 1 << 20),
        ("/v1/chat/completions", "application/json", 32 << 20),
        ("/api/plugins/big", "application/wasm", 64 << 20),
    ] {
        let method = if path.starts_with("/api/plugins") {
            "PUT"
        } else {
            "POST"
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            host.token,
            limit + 1
        );
        let mut connection = host.connect().await;
        connection.send(head).await;
        let answer = connection.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused_too() {
    let host = host().await;
    let mut connection = host.connect().await;
    let head = format!(
        "POST /api/actions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        host.token
    );
    connection.send(head).await;
    let piece = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    for _ in 0..17 {
        connection.send(&piece).await;
    }
    let answer = connection.read_until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_answered_and_the_host_goes_on() {
    let host = host().await;
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\r\n\r\n",
        "GET\r\n\r\n",
        "BREW / HTCPCP/1.0\r\n\r\n",
    ] {
        raw(&host, garbage.to_owned()).await;
    }
    let huge = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let mut connection = host.connect().await;
    connection
        .send(huge.as_bytes().get(..500_000).unwrap())
        .await;
    let refused = connection.read_to_end().await;
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 431 "),
        "{refused}"
    );
    assert_eq!(
        host.anonymous(Method::GET, "/livez")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_host_without_a_plugin_is_ready() {
    let host = host().await;
    assert_eq!(host.read("/api/plugins").await["items"], json!([]));
    let ready = host.anonymous(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
}

#[tokio::test]
async fn health_is_told_to_everybody_and_metrics_to_those_who_may() {
    let host = ready_host().await;
    assert_eq!(
        host.anonymous(Method::GET, "/livez")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "ok\n"
    );
    let ready: Value = host.json(host.anonymous(Method::GET, "/readyz")).await;
    assert_eq!(
        ready,
        json!({"ready": true, "accepting": true, "ledger": true})
    );
    assert_eq!(
        host.anonymous(Method::GET, "/metrics")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let member = host.token_for("person:grace").await;
    let refused = host
        .anonymous(Method::GET, "/metrics")
        .bearer_auth(member)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let upstream = Upstream::start(|_| {
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
        });
        Answer::json(200, body.to_string())
    })
    .await;
    let host = Host::start(POLITY, |options| {
        options.without_bundled().openai(&upstream, &["small"])
    })
    .await;
    host.json(
        host.post("/api/actions")
            .json(&json!({"kind": "refund.approve", "input": {}})),
    )
    .await;
    let body = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}]});
    host.json(host.post("/v1/chat/completions").json(&body))
        .await;

    let response = host.get("/metrics").send().await.unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let page = response.text().await.unwrap();
    for line in [
        "polity_build_info{version=\"",
        "polity_decisions_total{kind=\"refund\",outcome=\"allow\"} 1",
        "polity_decisions_total{kind=\"model\",outcome=\"allow\"} 1",
        "polity_completions_total{model=\"small\",plugin=\"openai\",operation=\"chat\",status=\"answered\"} 1",
        "gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"small\",error_type=\"\",le=\"+Inf\"} 1",
        "gen_ai_client_token_usage_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"small\",gen_ai_token_type=\"input\",status=\"answered\"} 1000",
        "# TYPE gen_ai_client_token_usage histogram",
        "gen_ai_token_type=\"input\",status=\"answered\",le=\"256\"} 0\n",
        "gen_ai_token_type=\"input\",status=\"answered\",le=\"1024\"} 1\n",
        "gen_ai_token_type=\"input\",status=\"answered\",le=\"67108864\"} 1\n",
        "error_type=\"\",le=\"0.01\"}",
        "error_type=\"\",le=\"81.92\"} 1\n",
        "polity_cost_total{model=\"small\",plugin=\"openai\",operation=\"chat\",status=\"answered\",currency=\"EUR\"} 0.002",
        "polity_plugin_calls_total{plugin=\"openai\",export=\"complete\",outcome=\"ok\"} 1",
        "polity_plugin_calls_total{plugin=\"openai\",export=\"complete\",outcome=\"failure\"} 0",
        "polity_inbox_pending{kind=\"approval\"} 0",
        "polity_inbox_pending{kind=\"schema\"} 0",
        "# TYPE polity_schema_changes_total counter",
        "# TYPE polity_router_decision_duration_seconds histogram",
        "polity_router_decision_duration_seconds_bucket{le=\"0.000002\"}",
        "polity_router_decision_duration_seconds_bucket{le=\"0.016384\"}",
        "polity_ledger_events_total ",
        "polity_http_responses_total{class=\"2xx\"} ",
        "process_resident_memory_bytes ",
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
    // Every sample belongs to a family that was introduced, and no family is introduced twice.
    let families: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let mut unique = families.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), families.len());
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part))
            .unwrap_or(name);
        assert!(
            families.contains(&name) || families.contains(&base),
            "{line}"
        );
        assert!(
            line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_host_that_ends_finishes_its_answers_and_sends_newcomers_away() {
    let gate = Gate::new();
    let piece = |content: &str| {
        json!({"choices": [{"index": 0, "delta": {"content": content}}]}).to_string()
    };
    let answer = Answer::status(200)
        .header("content-type", "text/event-stream")
        .event(&piece("Before"))
        .pass(&gate)
        .event(&piece(" and after"))
        .event(
            &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string(),
        )
        .event("[DONE]");
    let upstream = Upstream::start(move |_| answer.clone()).await;
    let mut host = Host::start(POLITY, |options| {
        options.without_bundled().openai(&upstream, &["small"])
    })
    .await;
    let body = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}], "stream": true});
    let mut events = Events::of(
        host.post("/v1/chat/completions")
            .json(&body)
            .send()
            .await
            .unwrap(),
    );
    events.next().await.unwrap();
    assert!(events.next().await.unwrap().contains("Before"));

    host.terminate().await;
    host.printed("Draining").await;
    // Newcomers are told, each in its own form, and the probes tell the truth.
    loop {
        // A connection that was kept alive may be closed under a request; a new one is not.
        let Ok(ready) = host.anonymous(Method::GET, "/readyz").send().await else {
            continue;
        };
        if ready.status() == 503 {
            assert_eq!(ready.json::<Value>().await.unwrap()["accepting"], false);
            break;
        }
    }
    assert_eq!(
        host.anonymous(Method::GET, "/livez")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let refused = host
        .post("/v1/chat/completions")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            refused.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "5")
    );
    assert_eq!(
        refused.json::<Value>().await.unwrap()["error"]["code"],
        "draining"
    );
    let refused = host.get("/api/plugins").send().await.unwrap();
    assert_eq!(
        refused.json::<Value>().await.unwrap()["type"],
        "https://polity.dev/problems/draining"
    );

    gate.open();
    let rest = events.rest().await;
    assert!(rest[0].contains(" and after"), "{rest:?}");
    assert_eq!(rest.last().unwrap(), "[DONE]");
    assert!(host.ended().await.success());
}
