//! Rules that fail: whatever they do, nothing is allowed by it.

use polity_constitution::{OutcomeKind, RuleFailure};
use polity_test_guests::RULE;
use serde_json::json;

use crate::company::{Plan, plan};

fn hostile(harm: &str, mode: &str) -> Plan {
    plan()
        .file("hostile-rule.wasm", RULE)
        .file("hostile-rule.grant.toml", b"[trap]\nstrikes = 1000\n")
        .rule(
            "guard",
            json!({"rule": "hostile-rule", "guards": ["*"], "mode": mode, "config": {"do": harm}}),
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_never_allows() {
    for harm in [
        "trap",
        "loop",
        "memory",
        "recursion",
        "problem",
        "bad-patch",
        "long-problem",
    ] {
        let company = hostile(harm, "enforce").start();
        let decision = company.act("thing.buy", json!({})).await;
        assert_eq!(decision.outcome, OutcomeKind::Deny, "{harm}");
        let failure = decision.findings[0].finding.result.clone().unwrap_err();
        let is_expected = match harm {
            "trap" | "recursion" => matches!(failure, RuleFailure::Trap { .. }),
            "loop" => matches!(failure, RuleFailure::OutOfFuel | RuleFailure::Timeout),
            "memory" => matches!(failure, RuleFailure::Limit { .. }),
            "bad-patch" => matches!(failure, RuleFailure::BadPatch { .. }),
            _ => matches!(&failure, RuleFailure::Problem { code, .. } if code == "failed"),
        };
        assert!(is_expected, "{harm}: {failure}");
        assert_eq!(
            company.kernel.decision(decision.id).unwrap(),
            Some(decision)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_asks_a_person_where_the_charter_says_so() {
    let company = hostile("trap", "enforce")
        .charter("/defaults/on_failure", json!("escalate"))
        .start();
    let decision = company.act("thing.buy", json!({})).await;
    assert_eq!(decision.outcome, OutcomeKind::Escalate);
    assert_eq!(decision.inbox_items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_shadow_mode_is_recorded_and_harms_nobody() {
    let company = hostile("trap", "shadow").start();
    let decision = company.act("thing.buy", json!({})).await;
    assert_eq!(decision.outcome, OutcomeKind::Allow);
    assert!(decision.findings[0].finding.result.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_bound_and_was_never_loaded_never_allows() {
    let company = plan()
        .rule("guard", json!({"rule": "nowhere", "guards": ["thing.*"]}))
        .start();
    let decision = company.act("thing.buy", json!({})).await;
    assert_eq!(decision.outcome, OutcomeKind::Deny);
    assert_eq!(
        decision.findings[0].finding.result,
        Err(RuleFailure::Missing)
    );
    assert_eq!(decision.findings[0].digest, None);
    assert!(
        decision.reason.contains("is not loaded"),
        "{}",
        decision.reason
    );
    assert_eq!(
        company.act("other.thing", json!({})).await.outcome,
        OutcomeKind::Allow
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_plugin_that_is_no_rule_never_allows() {
    let company = plan()
        .plugin("triage")
        .rule("guard", json!({"rule": "triage", "guards": ["*"]}))
        .start();
    let decision = company.act("thing.buy", json!({})).await;
    assert_eq!(decision.outcome, OutcomeKind::Deny);
    assert!(
        decision.reason.contains("model-adapter"),
        "{}",
        decision.reason
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_quarantine_goes_on_guarding_and_never_allows() {
    for bound in [true, false] {
        let mut plan = plan().file("hostile-rule.wasm", RULE).file(
            "hostile-rule.grant.toml",
            b"[trap]\nstrikes = 2\n[config]\n",
        );
        if bound {
            plan = plan.rule(
                "guard",
                json!({"rule": "hostile-rule", "guards": ["hostile.*"]}),
            );
        }
        let company = plan.start();
        assert_eq!(
            company
                .act("hostile.deed", json!({"do": "nothing"}))
                .await
                .outcome,
            OutcomeKind::Allow
        );
        for _ in 0..2 {
            assert_eq!(
                company
                    .act("hostile.deed", json!({"do": "trap"}))
                    .await
                    .outcome,
                OutcomeKind::Deny
            );
        }
        // The quarantine happens on the runtime's own thread; asking it to look at the folder comes after.
        let decision = loop {
            let decision = company.act("hostile.deed", json!({"do": "nothing"})).await;
            if decision.outcome == OutcomeKind::Deny {
                break decision;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(
            decision.findings[0].finding.result,
            Err(RuleFailure::Quarantined),
            "{bound}"
        );
        let events = company
            .kernel
            .ledger()
            .events_of("plugin/hostile-rule", 0, 10)
            .unwrap();
        assert!(events.iter().any(|event| event.kind == "plugin.loaded"));
    }
}
