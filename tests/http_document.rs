//! The API's document and the API are the same thing.

use polity_tests::{Answer, Host, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

async fn host(upstream: &Upstream) -> Host {
    Host::start(POLITY, |options| {
        options
            .without_bundled()
            .openai(upstream, &["small"])
            .first_party("spending-limit")
            .rule(
                "refunds",
                json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                    "currency": "EUR",
                    "amount": {"pointer": "/amount", "unit": "unit"},
                    "limits": [{"per": "action", "soft_micro": 50_000_000}],
                }}),
            )
    })
    .await
}

async fn upstream() -> Upstream {
    Upstream::start(|_| {
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        });
        Answer::json(200, body.to_string())
    })
    .await
}

async fn document(host: &Host) -> Value {
    host.json(host.anonymous(Method::GET, "/api/openapi.json"))
        .await
}

#[tokio::test]
async fn every_documented_route_is_there() {
    let upstream = upstream().await;
    let host = host(&upstream).await;
    let document = document(&host).await;
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            count += 1;
            let method: Method = method.to_uppercase().parse().unwrap();
            let filled = path
                .replace("{id}", "nothing")
                .replace("{name}", "nothing")
                .replace("{plugin}", "nothing");
            let response = host.request(method.clone(), &filled).send().await.unwrap();
            let status = response.status();
            assert_ne!(status, 405, "{method} {path}");
            // A stream of the ledger or an export need not be read to its end.
            if status == 404 {
                let text = response.text().await.unwrap();
                assert!(
                    !text.contains("/api/openapi.json lists"),
                    "{method} {path}: {text}"
                );
            }
        }
    }
    assert!(count >= 26, "only {count} operations are documented");
}

#[tokio::test]
async fn every_part_of_the_surface_is_documented() {
    let upstream = upstream().await;
    let host = host(&upstream).await;
    let document = document(&host).await;
    for operation in [
        "post /v1/chat/completions",
        "get /v1/models",
        "get /v1/models/{id}",
        "post /api/actions",
        "get /api/decisions",
        "get /api/decisions/{id}",
        "get /api/decisions/{id}/story",
        "post /api/route",
        "post /api/decisions/{id}/feedback",
        "get /api/constitution",
        "post /api/constitution/reload",
        "post /api/constitution/pull",
        "get /api/amendments",
        "post /api/amendments",
        "post /api/amendments/preview",
        "get /api/amendments/{name}",
        "get /api/amendments/{name}/preview",
        "post /api/amendments/{name}/votes",
        "post /api/amendments/{name}/comments",
        "post /api/amendments/{name}/merge",
        "post /api/amendments/{name}/revert",
        "post /api/amendments/{name}/withdraw",
        "get /api/plugins",
        "get /api/plugins/{name}",
        "put /api/plugins/{name}",
        "delete /api/plugins/{name}",
        "put /api/plugins/{name}/grant",
        "post /api/plugins/{name}/rollback",
        "post /api/plugins/check",
        "get /api/inbox",
        "get /api/inbox/{id}",
        "post /api/inbox/{id}/decision",
        "post /api/query",
        "post /api/query/explain",
        "get /api/collections",
        "get /api/collections/{name}",
        "post /api/collections/{name}",
        "get /api/collections/{name}/export",
        "get /api/records/stats",
        "get /api/ledger",
        "post /api/ledger/verify",
        "get /api/ledger/export",
        "get /api/tokens",
        "post /api/tokens",
        "delete /api/tokens/{id}",
        "get /api/openapi.json",
        "get /metrics",
        "get /livez",
        "get /readyz",
    ] {
        let (method, path) = operation.split_once(' ').unwrap();
        assert!(document["paths"][path][method].is_object(), "{operation}");
    }
}

/// Checks an answer against the schema that the document gives for it.
fn conforms(document: &Value, operation: &str, status: &str, body: &Value) {
    let (method, path) = operation.split_once(' ').unwrap();
    let content = &document["paths"][path][method]["responses"][status]["content"];
    let schema = content.as_object().unwrap().values().next().unwrap()["schema"].clone();
    let mut root = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"]});
    for (name, value) in schema.as_object().unwrap() {
        root[name] = value.clone();
    }
    let validator = jsonschema::draft202012::new(&root).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(body)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{operation} {status}: {faults:?}\n{body:#}"
    );
}

/// Fields that an answer has and its schema does not name.
fn unnamed(document: &Value, schema: &str, body: &Value) -> Vec<String> {
    let named = document["components"]["schemas"][schema]["properties"]
        .as_object()
        .unwrap();
    body.as_object()
        .unwrap()
        .keys()
        .filter(|name| !named.contains_key(*name))
        .cloned()
        .collect()
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let upstream = upstream().await;
    let host = host(&upstream).await;
    let document = document(&host).await;
    let completion = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}]});
    let answer = host
        .json(host.post("/v1/chat/completions").json(&completion))
        .await;
    conforms(&document, "post /v1/chat/completions", "200", &answer);
    assert_eq!(
        unnamed(&document, "ChatCompletion", &answer),
        Vec::<String>::new()
    );
    let action = json!({"kind": "refund.approve", "input": {"amount": 70}});
    let decision = host.json(host.post("/api/actions").json(&action)).await;
    conforms(&document, "post /api/actions", "200", &decision);
    assert_eq!(
        unnamed(&document, "Decision", &decision),
        Vec::<String>::new()
    );
    let (id, item) = (
        decision["id"].as_str().unwrap(),
        decision["inbox_items"][0].as_str().unwrap(),
    );

    for (operation, path) in [
        ("get /v1/models", "/v1/models".to_owned()),
        ("get /v1/models/{id}", "/v1/models/small".to_owned()),
        ("get /api/decisions", "/api/decisions".to_owned()),
        ("get /api/decisions/{id}", format!("/api/decisions/{id}")),
        (
            "get /api/decisions/{id}/story",
            format!("/api/decisions/{id}/story"),
        ),
        (
            "get /api/decisions/{id}/replay",
            format!("/api/decisions/{id}/replay"),
        ),
        ("get /api/inbox", "/api/inbox".to_owned()),
        ("get /api/inbox/{id}", format!("/api/inbox/{item}")),
        ("get /api/constitution", "/api/constitution".to_owned()),
        ("get /api/plugins", "/api/plugins".to_owned()),
        ("get /api/plugins/{name}", "/api/plugins/openai".to_owned()),
        ("get /api/ledger", "/api/ledger".to_owned()),
        ("get /api/tokens", "/api/tokens".to_owned()),
        ("get /api/collections", "/api/collections".to_owned()),
        ("get /api/records/stats", "/api/records/stats".to_owned()),
        ("get /readyz", "/readyz".to_owned()),
    ] {
        conforms(&document, operation, "200", &host.read(&path).await);
    }
    let item = host.read(&format!("/api/inbox/{item}")).await;
    assert_eq!(unnamed(&document, "InboxItem", &item), Vec::<String>::new());
    let event = host.read("/api/ledger?limit=1").await["items"][0].clone();
    assert_eq!(
        unnamed(&document, "CloudEvent", &event),
        Vec::<String>::new()
    );
    conforms(
        &document,
        "post /api/ledger/verify",
        "200",
        &host.json(host.post("/api/ledger/verify")).await,
    );

    let refused = host
        .get("/api/decisions/nothing")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    conforms(&document, "get /api/decisions/{id}", "404", &refused);
    let refused = host
        .get("/v1/models/nothing")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    conforms(&document, "get /v1/models/{id}", "404", &refused);
}
