//! What takes a plugin out of service, and what must not: others' silence, and callers who send a lot.

mod support;

use std::future::Future;
use std::net::TcpListener;

use polity_runtime::failure::CallError;
use polity_runtime::registry::Change;
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, complete, evaluate};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Why a plugin was taken out of service first.
fn reason(host: &Host, name: &str) -> String {
    match host.wait_for("quarantined", name).change {
        Change::Quarantined { reason, .. } => reason,
        other => unreachable!("the event was waited for by its name: {other:?}"),
    }
}

#[test]
fn whoever_sends_a_rule_a_lot_cannot_take_it_out_of_service() {
    let host = Host::empty();
    let rule = host.install("rule", guests::RULE, "[limits]\nfuel = 1000000\n");
    let padding = "x".repeat(464 << 10);
    for _ in 0..5 {
        let failed = evaluate(&rule, json!({ "do": "loop", "padding": padding })).unwrap_err();
        let CallError::OutOfFuel(fuel) = failed else {
            panic!("{failed:?}")
        };
        assert!(fuel > 3_000_000, "more to read is more fuel: {fuel}");
    }
    for _ in 0..2 {
        assert_eq!(
            evaluate(&rule, json!({ "do": "loop" })).map(drop),
            Err(CallError::OutOfFuel(1_000_000))
        );
    }
    // A crash is a fault whatever was read; with the two before it is the third.
    assert!(evaluate(&rule, json!({ "do": "trap", "padding": padding })).is_err());
    let reason = reason(&host, "rule");
    assert!(reason.contains("trapped"), "{reason}");
}

#[test]
fn a_prompt_of_megabytes_is_read_to_its_end() {
    let host = Host::empty();
    let wasm = polity_plugins::find("pii-guard").unwrap().wasm;
    let rule = host.install("pii-guard", wasm, "");
    let prompt = "the quick brown fox jumps over 13 lazy dogs, ".repeat(40_000);
    let verdict = evaluate(&rule, json!({ "messages": [{ "content": prompt }] }));
    assert!(verdict.is_ok(), "{:?}", verdict.map(|it| it.verdict));
}

#[test]
fn a_provider_that_hangs_does_not_take_its_adapter_out_of_service() {
    // It accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let host = Host::empty();
    let grant = format!(
        "[[http]]\nhost = \"127.0.0.1:{port}\"\nplain = true\nprivate = true\n[limits]\nwall_ms = 50\n"
    );
    let plugin = host.install("adapter", guests::ADAPTER, &grant);
    let url = format!("http://127.0.0.1:{port}/");
    for _ in 0..5 {
        let called = block_on(complete(&plugin, "hostile-wait", &url));
        assert_eq!(called, Err(CallError::Timeout(50)));
    }
    for _ in 0..3 {
        assert!(block_on(complete(&plugin, "hostile-trap", "")).is_err());
    }
    let reason = reason(&host, "adapter");
    assert!(reason.contains("trapped"), "{reason}");
}

#[test]
fn an_adapter_that_computes_for_ever_is_taken_out_of_service() {
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, "[limits]\ncpu_ms = 50\n");
    for _ in 0..3 {
        let called = block_on(complete(&plugin, "hostile-loop", ""));
        assert!(matches!(called, Err(CallError::Timeout(_))), "{called:?}");
    }
    host.wait_for("quarantined", "adapter");
}
