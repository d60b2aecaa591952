//! A company in which somebody does harm, for the tests that look whether anybody else notices.

use std::fs;

use serde_json::{Value, json};

use crate::{Events, Host, Options};

/// Strikes without end, so that a test sees the failure and not the quarantine.
pub const PATIENT: &str = "[trap]\nstrikes = 1000\nwindow_s = 60\n";

/// A company that does honest work beside: refunds are judged by a rule that means well, and whatever is hostile is for
/// the rule called `hostile` alone to judge.
pub fn company(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "currency": "EUR",
                "amount": {"pointer": "/amount", "unit": "unit"},
                "limits": [{"per": "action", "hard_micro": 500_000_000}],
            }}),
        )
        .rule("harm", json!({"rule": "hostile", "guards": ["hostile.*"]}))
}

/// Drops a plugin into the folder of a running host and waits until the ledger says what became of it.
pub async fn drop_in(host: &Host, name: &str, wasm: &[u8], grant: &str) -> Value {
    let mut events = follow(host).await;
    let plugins = host.company.join("plugins");
    if !grant.is_empty() {
        fs::write(plugins.join(format!("{name}.grant.toml")), grant).unwrap();
    }
    let writing = plugins.join(format!("{name}.wasm.part"));
    fs::write(&writing, wasm).unwrap();
    fs::rename(writing, plugins.join(format!("{name}.wasm"))).unwrap();
    told(&mut events, name).await
}

/// The ledger from here on.
pub async fn follow(host: &Host) -> Events {
    let last = host.read("/api/ledger?last=true&limit=1").await;
    let seq = last["items"][0]["sequence"].as_str().unwrap().to_owned();
    let request = host
        .get("/api/ledger")
        .header("accept", "text/event-stream")
        .header("last-event-id", seq);
    Events::of(request.send().await.unwrap())
}

/// The next event about a plugin.
pub async fn told(events: &mut Events, name: &str) -> Value {
    loop {
        let event: Value = serde_json::from_str(&events.next().await.unwrap()).unwrap();
        if event["subject"] == format!("plugin/{name}") {
            return event;
        }
    }
}

/// Submits an action, and gives back what was decided.
pub async fn act(host: &Host, kind: &str, input: Value) -> Value {
    let action = json!({"kind": kind, "input": input});
    host.json(host.post("/api/actions").json(&action)).await
}

/// Honest work is done as if nothing had happened.
pub async fn is_unharmed(host: &Host) {
    for (amount, outcome) in [(40, "allow"), (900, "deny")] {
        let decision = act(host, "refund.approve", json!({ "amount": amount })).await;
        assert_eq!(decision["outcome"], outcome, "{decision}");
    }
}
