//! Judging again.

use polity_constitution::OutcomeKind;
use polity_test_guests::RULE;
use serde_json::{Value, json};

use crate::company::{plan, question};

fn limit(hard: u64) -> Value {
    json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
        "amount": {"pointer": "/amount", "unit": "unit"}, "limits": [{"per": "action", "hard_micro": hard}]
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_comes_out_the_same_again() {
    let company = plan()
        .plugin("spending-limit")
        .plugin("pii-guard")
        .plugin("business-hours")
        .plugin("triage")
        .rule("refunds", limit(50_000_000))
        .rule("privacy", json!({"rule": "pii-guard", "guards": ["*"], "config": {"categories": {"email": "redact"}}}))
        .rule("night", json!({"rule": "business-hours", "guards": ["shop.*"], "config": {
            "zone": "Europe/Berlin", "hours": {"mon": ["09:00-10:00"]}
        }}))
        .rule("gone", json!({"rule": "nowhere", "guards": ["site.*"]}))
        .start();
    let mut ids = Vec::new();
    for (kind, input, outcome) in [
        ("refund.approve", json!({"amount": 10}), OutcomeKind::Allow),
        ("refund.approve", json!({"amount": 99}), OutcomeKind::Deny),
        (
            "mail.send",
            json!({"text": "ada@example.com"}),
            OutcomeKind::Amend,
        ),
        ("shop.open", json!({}), OutcomeKind::Escalate),
        ("site.publish", json!({}), OutcomeKind::Deny),
    ] {
        let decision = company.act(kind, input).await;
        assert_eq!(decision.outcome, outcome, "{}", decision.reason);
        ids.push(decision.id);
    }
    let answer = company
        .kernel
        .complete(&company.ada(), question("triage", "hello"), false)
        .await
        .unwrap();
    let polity_kernel::Answer::Whole(completed) = answer else {
        panic!("not a stream")
    };
    ids.push(completed.decision_id);
    // Years later, on another day, after a restart.
    company.clock.advance(1_000 * 86_400_000);
    let company = company.restart();
    for id in ids {
        let replay = company.kernel.replay(id).await.unwrap().unwrap();
        assert!(replay.same, "{replay:?}");
        assert_eq!(replay.now, Some(replay.then));
    }
    assert_eq!(
        company
            .kernel
            .replay(polity_ledger::new_id(0))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_judged_again_under_the_constitution_of_its_day() {
    let company = plan()
        .plugin("spending-limit")
        .rule("refunds", limit(50_000_000))
        .start();
    let decision = company.act("refund.approve", json!({"amount": 99})).await;
    std::fs::write(
        company.path("company/rules/refunds.json"),
        limit(500_000_000).to_string(),
    )
    .unwrap();
    company.kernel.reload().await.unwrap();
    assert_eq!(
        company
            .act("refund.approve", json!({"amount": 99}))
            .await
            .outcome,
        OutcomeKind::Allow
    );
    let replay = company.kernel.replay(decision.id).await.unwrap().unwrap();
    assert!(replay.same, "{replay:?}");
    assert_eq!(replay.now, Some(OutcomeKind::Deny));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_names_the_version_that_it_lacks() {
    let company = plan()
        .file("hostile-rule.wasm", RULE)
        .rule(
            "guard",
            json!({"rule": "hostile-rule", "guards": ["*"], "config": {"do": "nothing"}}),
        )
        .start();
    let decision = company.act("a.b", json!({})).await;
    let second = polity_test_guests::second_version(RULE);
    company
        .kernel
        .runtime()
        .install("hostile-rule", &second, None, None)
        .unwrap();
    let replay = company.kernel.replay(decision.id).await.unwrap().unwrap();
    assert!(!replay.same && replay.now.is_none());
    assert!(
        replay.missing[0].contains("hostile-rule") && replay.missing[0].contains("sha256:"),
        "{replay:?}"
    );
    company
        .kernel
        .runtime()
        .roll_back("hostile-rule", None)
        .unwrap();
    assert!(
        company
            .kernel
            .replay(decision.id)
            .await
            .unwrap()
            .unwrap()
            .same
    );
}
