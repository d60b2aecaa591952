//! The constitution's folder of a running host: what is pushed there is in force, what is wrong there is told.

use std::fs;

use polity_tests::{Events, Host, Options};
use reqwest::Method;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// A company in which refunds up to a limit are allowed and those above it denied.
fn company(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("spending-limit")
        .rule("refunds", refunds(50_000_000))
}

fn refunds(hard_micro: u64) -> Value {
    json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
        "currency": "EUR",
        "amount": {"pointer": "/amount", "unit": "unit"},
        "limits": [{"per": "action", "hard_micro": hard_micro}],
    }})
}

/// What becomes of a refund of 70.
async fn outcome(host: &Host) -> Value {
    let action = json!({"kind": "refund.approve", "input": {"amount": 70}});
    host.json(host.post("/api/actions").json(&action)).await["outcome"].clone()
}

/// The events about the constitution from now on.
async fn news(host: &Host) -> Events {
    let head = host.read("/api/ledger?last=true&limit=1").await;
    let seq = head["items"][0]["sequence"].as_str().unwrap().to_owned();
    let response = host
        .get("/api/ledger")
        .header("accept", "text/event-stream")
        .header("last-event-id", seq)
        .send()
        .await
        .unwrap();
    Events::of(response)
}

/// What is on record is in force a moment later. A reload waits for its turn, and finds that there is nothing to do.
async fn in_force(host: &Host) {
    let reloaded = host.json(host.post("/api/constitution/reload")).await;
    assert_eq!(reloaded["changed"], false);
}

/// The next event of the kind; none about the constitution may come before it.
async fn next(news: &mut Events, kind: &str) -> Value {
    loop {
        let event: Value = serde_json::from_str(&news.next().await.unwrap()).unwrap();
        let found = event["type"].as_str().unwrap();
        if found.contains("constitution.") {
            assert!(found.ends_with(kind), "{event}");
            return event;
        }
    }
}

#[tokio::test]
async fn a_push_is_in_force_without_a_word_to_the_host() {
    let host = Host::start(POLITY, company).await;
    assert_eq!(outcome(&host).await, "deny");
    let before = host.read("/api/constitution").await;
    assert_eq!(before["bindings"][0]["name"], "refunds");
    assert_eq!(before["refused"], Value::Null);

    let mut news = news(&host).await;
    let file = host.company.join("rules/refunds.json");
    fs::write(&file, refunds(90_000_000).to_string()).unwrap();
    next(&mut news, "loaded").await;
    in_force(&host).await;
    assert_eq!(outcome(&host).await, "allow");
    assert_ne!(
        host.read("/api/constitution").await["digest"],
        before["digest"]
    );

    // A whole folder that is switched is seen, and so is what happens in the new one.
    let next_rules = host.company.join("rules.next");
    fs::create_dir(&next_rules).unwrap();
    fs::write(
        next_rules.join("refunds.json"),
        refunds(60_000_000).to_string(),
    )
    .unwrap();
    fs::rename(host.company.join("rules"), host.company.join("rules.old")).unwrap();
    fs::rename(&next_rules, host.company.join("rules")).unwrap();
    next(&mut news, "loaded").await;
    in_force(&host).await;
    assert_eq!(outcome(&host).await, "deny");
    fs::write(&file, refunds(90_000_000).to_string()).unwrap();
    next(&mut news, "loaded").await;
    in_force(&host).await;
    assert_eq!(outcome(&host).await, "allow");
}

#[tokio::test]
async fn a_bad_push_is_told_and_the_constitution_before_it_stays_in_force() {
    let host = Host::start(POLITY, company).await;
    let before = host.read("/api/constitution").await;
    let mut news = news(&host).await;
    let file = host.company.join("rules/refunds.json");
    fs::write(
        &file,
        "{\"rule\": \"spending-limit\", \"guard\": [\"refund.*\"]}",
    )
    .unwrap();
    let refused = next(&mut news, "refused").await;
    assert_eq!(refused["data"]["kept"]["digest"], before["digest"]);
    host.printed("rules/refunds.json:1").await;

    assert_eq!(outcome(&host).await, "deny");
    let now = host.read("/api/constitution").await;
    assert_eq!(now["digest"], before["digest"]);
    let problem = &now["refused"]["problems"][0];
    assert_eq!(problem["file"], "rules/refunds.json");
    assert!(
        problem["fix"].as_str().unwrap().contains("guards"),
        "{problem}"
    );

    fs::write(&file, refunds(90_000_000).to_string()).unwrap();
    next(&mut news, "loaded").await;
    in_force(&host).await;
    assert_eq!(host.read("/api/constitution").await["refused"], Value::Null);
    assert_eq!(outcome(&host).await, "allow");
}

#[tokio::test]
async fn an_owner_has_the_folder_read_at_once_and_learns_what_came_of_it() {
    let host = Host::start(POLITY, company).await;
    let reload = || host.post("/api/constitution/reload");
    assert_eq!(host.json(reload()).await["changed"], false);

    fs::write(host.company.join("rules/refunds.json"), "{").unwrap();
    let response = reload().send().await.unwrap();
    assert_eq!(response.status(), 409);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["problems"][0]["file"], "rules/refunds.json");

    let member = host.token_for("person:grace").await;
    let path = "/api/constitution/reload";
    let refused = host
        .anonymous(Method::POST, path)
        .bearer_auth(&member)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(
        host.anonymous(Method::POST, path)
            .send()
            .await
            .unwrap()
            .status(),
        401
    );

    fs::remove_file(host.company.join("rules/refunds.json")).unwrap();
    let reloaded = host.json(reload()).await;
    assert_eq!(reloaded["constitution"]["bindings"], json!([]));
    assert_eq!(reloaded["constitution"]["refused"], Value::Null);
    assert_eq!(outcome(&host).await, "allow");
}
