//! Tables and questions over HTTP: answers are on record, and where rules guard the asking, they are heard first.

use polity_tests::{Host, Options};
use reqwest::Method;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

fn company(options: Options) -> Options {
    let table = json!({
        "name": "refund",
        "title": "Whether a refund is paid",
        "questions": ["What happens when a customer disputes a refund?"],
        "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
        "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask"]}],
        "rules": [
            {"inputEntries": ["<= 50"], "outputEntries": ["pay"]},
            {"inputEntries": ["> 50"], "outputEntries": ["ask"]},
        ],
    });
    options
        .without_bundled()
        .file("decisions/refund.json", table.to_string())
}

async fn decide(host: &Host, table: &str, input: Value) -> (u16, Value) {
    let response = host
        .request(Method::POST, &format!("/api/decide/{table}"))
        .json(&json!({ "input": input }))
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn a_table_answers_and_the_answer_is_on_record() {
    let host = Host::start(POLITY, company).await;
    let (status, answer) = decide(&host, "refund", json!({"amount": 50})).await;
    assert_eq!((status, &answer["value"]), (200, &json!("pay")), "{answer}");
    assert_eq!(answer["trace"]["rows"][0]["number"], 1);
    let ledger = host.read("/api/ledger?last=true&limit=1").await;
    let event = &ledger["items"][0];
    assert!(
        event["type"]
            .as_str()
            .unwrap()
            .ends_with("decision.evaluated"),
        "{event}"
    );
    assert_eq!(event["data"]["value"], "pay");
    assert_eq!(event["data"]["constitution"]["digest"], answer["version"]);

    let (status, problem) = decide(&host, "refund", json!({})).await;
    assert_eq!(status, 400, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("\"amount\" is missing")
    );
    let (status, problem) = decide(&host, "refunt", json!({})).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("refund"));
}

#[tokio::test]
async fn a_rule_that_guards_the_asking_is_heard_first() {
    let host = Host::start(POLITY, |options| {
        company(options).first_party("spending-limit").rule(
            "asking",
            json!({"rule": "spending-limit", "guards": ["decision.evaluate"], "config": {
                "currency": "EUR",
                "amount": {"pointer": "/input/amount", "unit": "unit"},
                "limits": [{"per": "action", "hard_micro": 40_000_000}],
            }}),
        )
    })
    .await;
    let (status, answer) = decide(&host, "refund", json!({"amount": 30})).await;
    assert_eq!((status, &answer["value"]), (200, &json!("pay")), "{answer}");
    assert!(answer["decision"].is_string());
    let (status, problem) = decide(&host, "refund", json!({"amount": 45})).await;
    assert_eq!(status, 403, "{problem}");
}

#[tokio::test]
async fn a_question_finds_its_protocol() {
    let host = Host::start(POLITY, company).await;
    let answer = host
        .read("/api/ask?q=What%20happens%20when%20a%20customer%20disputes%20a%20refund%3F")
        .await;
    assert_eq!(answer["protocol"]["name"], "refund", "{answer}");
    assert!(answer["mermaid"].as_str().unwrap().starts_with("flowchart"));
    assert!(answer["svg"].as_str().unwrap().starts_with("<svg"));
    let answer = host.read("/api/ask?q=parrots").await;
    assert_eq!(
        (&answer["protocol"], &answer["nearest"]),
        (&Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn a_question_that_nothing_covers_can_be_put_before_a_person_once() {
    let host = Host::start(POLITY, company).await;
    let ask = |question: &str| host.post("/api/ask").json(&json!({ "question": question }));
    let opened = host.json(ask("May we sell a parrot?")).await;
    assert_eq!(
        (&opened["role"], &opened["new"]),
        (&json!("owner"), &json!(true))
    );
    let again = host.json(ask("may we  sell a PARROT?")).await;
    assert_eq!(again["item"], opened["item"]);
    assert_eq!(again["new"], false);
    let items = host.read("/api/inbox?kind=uncovered").await;
    assert_eq!(items["items"].as_array().unwrap().len(), 1);
    assert_eq!(items["items"][0]["requested_by"], "person:ada");

    let covered = ask("What happens when a customer disputes a refund?");
    let refused = covered.send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 409);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("decisions/refund.json")
    );
    let empty = ask(" ").send().await.unwrap();
    assert_eq!(empty.status().as_u16(), 400);
}
