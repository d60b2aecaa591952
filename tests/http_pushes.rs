//! A constitution that changes all the time, under those who ask for its decisions.

mod cli;
mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cli::at;
use house::{house, refunds};
use polity_tests::{git, write};
use serde_json::json;

/// Whoever judges under a version judges by that version, and nobody waits for a push or is turned away by one.
#[tokio::test]
async fn a_hundred_pushes_under_load_lose_and_mix_up_nothing() {
    const PUSHES: u64 = 100;
    let house = Arc::new(house().await);
    let done = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut asking = Vec::new();
    for _ in 0..4 {
        let (house, done, asked) = (house.clone(), done.clone(), asked.clone());
        asking.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let body =
                    json!({"kind": "refund.approve", "input": {"amount": 70, "currency": "EUR"}});
                let decision = house
                    .host
                    .json(house.host.post("/api/actions").json(&body))
                    .await;
                seen.push((
                    decision["constitution"]["digest"].clone(),
                    decision["outcome"].clone(),
                ));
                asked.fetch_add(1, Ordering::Relaxed);
            }
            seen
        }));
    }
    let mut versions = vec![(house.digest().await, "escalate")];
    for push in 0..PUSHES {
        // Each is another constitution: below 70 it is asked about, from there on it is not.
        let (limit, outcome) = if push % 2 == 0 {
            (100 + push, "allow")
        } else {
            (1 + push % 60, "escalate")
        };
        write(&house.host.company, "rules/refunds.json", refunds(limit));
        git(&house.host.company, &["commit", "-q", "-a", "-m", "push"]);
        let reloaded = house
            .host
            .json(house.host.post("/api/constitution/reload"))
            .await;
        versions.push((reloaded["constitution"]["digest"].clone(), outcome));
    }
    done.store(true, Ordering::Relaxed);
    let mut judged = 0;
    for task in asking {
        for (digest, outcome) in task.await.unwrap() {
            let known = versions.iter().find(|(known, _)| *known == digest);
            let (_, expected) = known.unwrap_or_else(|| panic!("{digest} was never in force"));
            assert_eq!(
                outcome, *expected,
                "judged by another version than {digest}"
            );
            judged += 1;
        }
    }
    assert_eq!(judged, asked.load(Ordering::Relaxed));
    assert!(judged > 0);
    at(&house.host, &["ledger", "verify"]).await.with_code(0);
}
