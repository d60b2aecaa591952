//! What the tests of our own API share: a company with one rule, and what every problem looks like.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use polity_tests::{Host, Options};
use reqwest::{Method, Response};
use serde_json::{Value, json};

pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Refunds up to 50 are made, up to 500 a person decides, above there are none.
pub(crate) fn refunds(options: Options) -> Options {
    options
        .without_bundled()
        .amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
                {"id": "joan", "name": "Joan Example", "roles": ["owner"]},
                {"id": "grace", "name": "Grace Example", "roles": ["member"]},
                {"id": "eve", "name": "Eve Example", "roles": ["auditor"]},
            ]),
        )
        .first_party("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "currency": "EUR",
                "amount": {"pointer": "/amount", "unit": "unit"},
                "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}],
            }}),
        )
}

pub(crate) async fn host() -> Host {
    Host::start(POLITY, refunds).await
}

pub(crate) async fn act(host: &Host, amount: u32) -> Value {
    let action = json!({"kind": "refund.approve", "input": {"amount": amount}});
    host.json(host.post("/api/actions").json(&action)).await
}

/// Status and code of an answer that is a problem.
pub(crate) async fn problem(response: Response) -> (u16, String, Value) {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(
        body["title"].is_string() && body["detail"].is_string(),
        "{body}"
    );
    let code = body["type"]
        .as_str()
        .unwrap()
        .strip_prefix("https://polity.dev/problems/")
        .unwrap()
        .to_owned();
    (status, code, body)
}

pub(crate) async fn as_holder_of(host: &Host, method: Method, path: &str, token: &str) -> Response {
    host.anonymous(method, path)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}
