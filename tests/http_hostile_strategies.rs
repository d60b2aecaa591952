//! Strategies that mean harm, or know no better: they are stopped, and the records go on.

use std::time::{Duration, Instant};

use polity_tests::{Host, Options};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Longest wait for something that a host does by itself, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(300);

fn hostile(harm: &'static str) -> impl FnOnce(Options) -> Options {
    move |options| {
        options
            .without_bundled()
            .plugin("hostile", polity_test_guests::STRATEGY)
            // Less fuel than it could have: what loops ends sooner.
            .grant(
                "hostile",
                &format!("[config]\ndo = \"{harm}\"\n\n[limits]\nfuel = 100000000\n"),
            )
            .amend_charter(
                "records",
                json!({"evolution": {"settle_ms": 0, "round_ms": 100, "trial_ms": 1_000}}),
            )
    }
}

async fn use_it(host: &Host) {
    let documents: Vec<Value> = (0..10)
        .map(|n| json!({"customer": "secret-customer", "country": "secret-country", "note": "x", "quantity": n}))
        .collect();
    host.json(host.post("/api/collections/lines").json(&documents))
        .await;
    let body = json!({"sql": "SELECT count(*) FROM lines WHERE customer = 'secret-customer'"});
    let answer = host.json(host.post("/api/query").json(&body)).await;
    assert!(answer["rows"][0][0].as_u64().unwrap() >= 10);
}

/// Uses the records until it is as wanted.
async fn until(host: &Host, path: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        use_it(host).await;
        let now = host.read(path).await["items"].as_array().unwrap().clone();
        if is_so(&now) {
            return now;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{path} in time: {now:#?}\n{}",
            host.log()
        );
    }
}

/// How long it is not listened to.
fn muted(strategies: &[Value]) -> bool {
    strategies
        .first()
        .is_some_and(|strategy| strategy["mutes"].as_u64() > Some(0))
}

#[tokio::test]
async fn a_strategy_that_traps_loops_hoards_or_asks_for_ever_is_put_away() {
    for harm in ["trap", "loop", "memory", "ask"] {
        let host = Host::start(POLITY, hostile(harm)).await;
        // Three faults within a minute are a quarantine; the records answer all the while.
        let begun = Instant::now();
        loop {
            use_it(&host).await;
            let plugin = host.read("/api/plugins/hostile").await;
            if plugin["state"] == "quarantined" {
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{harm}: {plugin:#?}\n{}",
                host.log()
            );
        }
        assert_eq!(host.read("/api/mutations").await["items"], json!([]));
    }
}

#[tokio::test]
async fn a_strategy_that_speaks_nonsense_or_has_nothing_to_say_is_muted() {
    for (harm, complaint) in [
        ("nonsense", "nowhere"),
        ("giant", "2000 proposals"),
        ("problem", "nothing to say"),
    ] {
        let host = Host::start(POLITY, hostile(harm)).await;
        let strategies = until(&host, "/api/strategies", muted).await;
        let said = strategies[0]["complaint"].as_str().unwrap();
        assert!(said.contains(complaint), "{harm}: {said}");
        assert_eq!(
            host.read("/api/mutations").await["items"],
            json!([]),
            "{harm}"
        );
        let collection = host.read("/api/collections/lines").await;
        assert_eq!(collection["indexes"], json!([]));
    }
}

#[tokio::test]
async fn what_is_of_no_use_is_taken_back_and_asked_for_in_vain_from_then_on() {
    let host = Host::start(POLITY, hostile("useless")).await;
    let is_over = |now: &[Value]| now.iter().any(|mutation| mutation["state"] == "reverted");
    let mutations = until(&host, "/api/mutations", is_over).await;
    assert!(
        mutations[0]["words"]
            .as_str()
            .unwrap()
            .contains("hardly any query")
    );
    let strategies = until(&host, "/api/strategies", muted).await;
    assert_eq!(strategies[0]["reverted"], 1);
    assert!(
        strategies[0]["complaint"]
            .as_str()
            .unwrap()
            .contains("rests")
    );
    let mutations = host.read("/api/mutations").await;
    assert_eq!(
        mutations["items"].as_array().unwrap().len(),
        1,
        "it was built once"
    );
    let collection = host.read("/api/collections/lines").await;
    assert_eq!(collection["indexes"], json!([]));
}

#[tokio::test]
async fn a_strategy_sees_aggregates_and_no_value() {
    let host = Host::start(POLITY, hostile("tell")).await;
    let mutations = until(&host, "/api/mutations", |now| !now.is_empty()).await;
    let evidence = mutations[0]["evidence"].to_string();
    assert!(evidence.contains("writes_per_day"), "{evidence}");
    assert!(!evidence.contains("secret"), "{evidence}");
}

#[tokio::test]
async fn a_strategy_that_asks_what_would_be_is_told_aggregates_and_what_it_got_wrong() {
    let host = Host::start(POLITY, hostile("ask-around")).await;
    let mutations = until(&host, "/api/mutations", |now| !now.is_empty()).await;
    let evidence = &mutations[0]["evidence"];
    let codes = json!(["unknown", "unknown", "too-many", "unknown"]);
    assert_eq!(evidence["codes"], codes);
    assert_eq!(evidence["is_same"], true);
    // It may have asked before anybody else had; the size of an index is known all the same.
    assert!(evidence["bytes"].as_i64() > Some(0), "{evidence}");
    let effects = evidence["effects"].as_array().unwrap();
    assert!(
        effects
            .iter()
            .all(|effect| effect["now"].as_f64() > Some(0.0))
    );
    assert!(!evidence.to_string().contains("secret"), "{evidence}");
}
