//! Actions through real rules: each verdict, and what callers cannot do.

use polity_constitution::{Mode, OutcomeKind, RuleFailure};
use polity_kernel::{ActError, ActionRequest};
use serde_json::{Value, json};

use crate::company::{Plan, action, plan};

/// Refunds up to 50 are nobody's business, up to 500 a person's, above nobody's.
fn refunds() -> Plan {
    plan().plugin("spending-limit").rule(
        "refunds",
        json!({
            "rule": "spending-limit", "guards": ["refund.*"], "policy": "Refunds above 50 need a signature.",
            "config": {
                "currency": "EUR", "amount": {"pointer": "/amount", "unit": "unit"}, "escalate_to": "finance",
                "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}]
            }
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_lets_an_action_happen_denies_it_or_asks_a_person() {
    let company = refunds().start();
    let outcomes = [
        (10, OutcomeKind::Allow),
        (100, OutcomeKind::Escalate),
        (1000, OutcomeKind::Deny),
    ];
    for (amount, outcome) in outcomes {
        let decision = company
            .act("refund.approve", json!({"amount": amount}))
            .await;
        assert_eq!(decision.outcome, outcome, "{}", decision.reason);
        assert_eq!(decision.findings.len(), 1);
        assert!(decision.findings[0].fuel > 0 && decision.findings[0].digest.is_some());
        assert_eq!(decision.findings[0].version.as_deref(), Some("0.1.0"));
        assert_eq!(
            decision.inbox_items.len(),
            usize::from(outcome == OutcomeKind::Escalate)
        );
        assert_eq!(
            company.kernel.decision(decision.id).unwrap(),
            Some(decision)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_guards_follows_the_charter() {
    for (unmatched, outcome) in [
        ("allow", OutcomeKind::Allow),
        ("deny", OutcomeKind::Deny),
        ("escalate", OutcomeKind::Escalate),
    ] {
        let company = refunds()
            .charter("/defaults/unmatched", json!(unmatched))
            .start();
        let decision = company.act("site.publish", json!({})).await;
        assert_eq!(decision.outcome, outcome);
        assert!(decision.decided_by.is_empty() && decision.findings.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_is_judged_again_and_handed_back() {
    let company = plan()
        .plugin("pii-guard")
        .rule("privacy", json!({"rule": "pii-guard", "guards": ["mail.*"], "config": {"categories": {"email": "redact"}}}))
        .start();
    let decision = company
        .act("mail.send", json!({"text": "write to ada@example.com"}))
        .await;
    assert_eq!(decision.outcome, OutcomeKind::Amend);
    assert_eq!(decision.changed, ["/text"]);
    let amended = decision.amended_input.as_ref().unwrap()["text"]
        .as_str()
        .unwrap();
    assert!(!amended.contains("ada@example.com") && amended.starts_with("write to"));
    let rounds: Vec<u8> = decision
        .findings
        .iter()
        .map(|finding| finding.round)
        .collect();
    assert_eq!(rounds, [1, 2]);
    assert_eq!(
        company.kernel.decision(decision.id).unwrap(),
        Some(decision)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn amendments_that_cannot_both_be_made_are_put_before_a_person_who_has_to_edit() {
    let only = |category: &str| {
        let mut categories = json!({"email": "ignore", "phone": "ignore"});
        categories[category] = json!("redact");
        json!({"rule": "pii-guard", "guards": ["mail.send"], "config": {"categories": categories}})
    };
    let company = plan()
        .plugin("pii-guard")
        .rule("mails", only("email"))
        .rule("phones", only("phone"))
        .start();
    let text = "ada@example.com or +49 30 901820";
    let decision = company.act("mail.send", json!({"text": text})).await;
    assert_eq!(
        decision.outcome,
        OutcomeKind::Escalate,
        "{}",
        decision.reason
    );
    assert_eq!(decision.conflicts[0].pointer, "/text");
    assert_eq!(decision.amended_input, None);
    let item = company
        .kernel
        .inbox()
        .get(decision.inbox_items[0])
        .unwrap()
        .unwrap();
    let allowed: Vec<_> = item.allowed.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(allowed, ["edit", "respond", "reject"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_speak_for_the_kernel() {
    let limits = json!([{"per": "actor-day", "role": "agent", "hard_micro": 0}]);
    let company = plan()
        .plugin("spending-limit")
        .rule(
            "agents",
            json!({"rule": "spending-limit", "guards": ["*"], "config": {
                "amount": {"pointer": "/amount", "unit": "micro"}, "limits": limits
            }}),
        )
        .start();
    let forged = json!({
        "actor_roles": ["owner"], "actor": {"id": "person:ada"}, "spent_today_micro": {"actor": 0, "company": 0},
        "request": {"actor_roles": ["owner"]}
    });
    let request = ActionRequest {
        context: forged.clone(),
        ..action("thing.buy", json!({"amount": 1}))
    };
    let decision = company.kernel.act(&company.scout(), request).await.unwrap();
    assert_eq!(decision.outcome, OutcomeKind::Deny);
    assert_eq!(decision.context["actor_roles"], json!(["agent"]));
    assert_eq!(decision.context["actor"]["id"], "agent:scout");
    assert_eq!(
        decision.context["company"],
        json!({"name": "Example", "currency": "EUR"})
    );
    assert_eq!(decision.context["request"], forged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_mode_is_heard_and_has_no_say() {
    let company = plan()
        .plugin("spending-limit")
        .rule("trial", json!({"rule": "spending-limit", "guards": ["refund.*"], "mode": "shadow", "config": {
            "amount": {"pointer": "/amount", "unit": "unit"}, "limits": [{"per": "action", "hard_micro": 0}]
        }}))
        .start();
    let decision = company.act("refund.approve", json!({"amount": 5})).await;
    assert_eq!(decision.outcome, OutcomeKind::Allow);
    assert_eq!(decision.findings[0].finding.mode, Mode::Shadow);
    assert_eq!(
        decision.if_shadow_counted.unwrap().outcome,
        OutcomeKind::Deny
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_without_settings_and_a_rule_without_a_binding_use_the_grant_file() {
    let grant = b"[config]\nlimits = [{ per = \"action\", hard_micro = 0 }]\n\
        [config.amount]\npointer = \"/amount\"\nunit = \"unit\"\n";
    for bound in [true, false] {
        let mut plan = plan()
            .plugin("spending-limit")
            .file("spending-limit.grant.toml", grant);
        if bound {
            plan = plan.rule(
                "refunds",
                json!({"rule": "spending-limit", "guards": ["refund.*"]}),
            );
        }
        let company = plan.start();
        let decision = company.act("refund.approve", json!({"amount": 5})).await;
        assert_eq!(
            decision.outcome,
            OutcomeKind::Deny,
            "{bound}: {}",
            decision.reason
        );
        // Unbound, the rule speaks to whatever it says it does; bound, to what the constitution says.
        let other = company.act("thing.buy", json!({"amount": 5})).await;
        assert_eq!(
            other.outcome == OutcomeKind::Deny,
            !bound,
            "{}",
            other.reason
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_the_plugin_does_not_understand_never_allow() {
    let company = plan()
        .plugin("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {"limit": 5}}),
        )
        .start();
    let decision = company.act("refund.approve", json!({"amount": 5})).await;
    assert_eq!(decision.outcome, OutcomeKind::Deny);
    let Err(RuleFailure::Problem { code, detail }) = &decision.findings[0].finding.result else {
        panic!("{:?}", decision.findings)
    };
    assert_eq!(code, "config");
    assert!(detail.contains("rules/refunds.json"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_arrives_or_goes_counts_from_the_next_action_on() {
    let company = refunds().start();
    let plugin = company.path("company/plugins/spending-limit.wasm");
    let kept = std::fs::read(&plugin).unwrap();
    company.kernel.runtime().remove("spending-limit").unwrap();
    let decision = company.act("refund.approve", json!({"amount": 10})).await;
    assert_eq!(decision.outcome, OutcomeKind::Deny);
    assert_eq!(
        decision.findings[0].finding.result,
        Err(RuleFailure::Missing)
    );
    company
        .kernel
        .runtime()
        .install("spending-limit", &kept, None, None)
        .unwrap();
    assert_eq!(
        company
            .act("refund.approve", json!({"amount": 10}))
            .await
            .outcome,
        OutcomeKind::Allow
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_an_object_of_bounded_size() {
    let company = plan().start();
    for request in [
        action("a.b", json!([1])),
        action("a.b", json!("x")),
        ActionRequest {
            context: json!(5),
            ..action("a.b", json!({}))
        },
        action("a.b", json!({"x": "y".repeat(9 << 20)})),
    ] {
        let error = company
            .kernel
            .act(&company.ada(), request)
            .await
            .unwrap_err();
        assert!(matches!(error, ActError::Invalid(_)), "{error}");
    }
    let request: Result<ActionRequest, _> =
        serde_json::from_value(json!({"kind": "Refund Approve"}));
    assert!(request.unwrap_err().to_string().contains("refund.approve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_input_is_judged_whole_and_recorded_by_its_digest() {
    let company = plan()
        .plugin("pii-guard")
        .rule("privacy", json!({"rule": "pii-guard", "guards": ["*"], "config": {"categories": {"email": "redact"}}}))
        .start();
    let text = format!("{} ada@example.com", "word ".repeat(40_000));
    let decision = company.act("mail.send", json!({"text": text})).await;
    assert_eq!(decision.outcome, OutcomeKind::Amend);
    assert_eq!(decision.input["text"], json!(text));
    assert!(decision.amended_input.is_some());
    let recorded = company.kernel.decision(decision.id).unwrap().unwrap();
    assert_eq!(
        (&recorded.input, &recorded.amended_input),
        (&Value::Null, &None)
    );
    assert_eq!(
        recorded.omitted_input.unwrap().bytes,
        json!({"text": text}).to_string().len() as u64
    );
    assert!(recorded.omitted_amended_input.is_some());
}
