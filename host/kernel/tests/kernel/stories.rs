//! Stories, as people read them.

use polity_inbox::Answer as Answered;
use polity_kernel::{Answer, Kernel};
use polity_test_guests::RULE;
use polity_tests::{Answer as Scripted, Upstream};
use serde_json::json;
use uuid::Uuid;

use crate::company::{action, openai_answer, plan, question};

/// A story without what differs from run to run and from build to build: ids, digests, hashes, times taken, fuel.
fn story(kernel: &Kernel, id: Uuid) -> String {
    let story = kernel.story(id).unwrap().unwrap().to_string();
    let mut words = String::new();
    for line in story.lines() {
        let mut masked: Vec<String> = Vec::new();
        let tokens: Vec<&str> = line.split(' ').collect();
        for (at, token) in tokens.iter().enumerate() {
            let bare = token.trim_matches(|c: char| "(),:…".contains(c));
            let follows = |word: &str| {
                tokens
                    .get(at + 1)
                    .is_some_and(|next| next.trim_matches(|c| "(),".contains(c)) == word)
            };
            let mask = if Uuid::parse_str(bare).is_ok() {
                "ID"
            } else if bare.starts_with("sha256:") {
                "sha256:DIGEST"
            } else if bare.len() == 12 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                "HASH"
            } else if bare.parse::<f64>().is_ok()
                && ["fuel", "µs", "ms", "s"].into_iter().any(follows)
            {
                "N"
            } else if ["µs", "ms", "s"].contains(&bare) {
                "TIME"
            } else {
                masked.push((*token).to_owned());
                continue;
            };
            masked.push(token.replace(bare, mask));
        }
        words.push_str(&masked.join(" "));
        words.push('\n');
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalated_action_is_told_from_the_question_to_the_signature() {
    let company = plan()
        .plugin("spending-limit")
        .rule("refunds", json!({
            "rule": "spending-limit", "guards": ["refund.*"], "policy": "Refunds above 50 need a signature.",
            "config": {
                "currency": "EUR", "amount": {"pointer": "/amount", "unit": "unit"}, "escalate_to": "finance",
                "limits": [{"per": "action", "soft_micro": 50_000_000}]
            }
        }))
        .start();
    let mut request = action("refund.approve", json!({"amount": 120, "order": 4711}));
    request.context = json!({"customer": "gold"});
    let decision = company.kernel.act(&company.scout(), request).await.unwrap();
    insta::assert_snapshot!("waiting", story(&company.kernel, decision.id));
    let edit = Answered::Edit(json!({"amount": 100, "order": 4711}));
    company
        .kernel
        .decide(
            decision.inbox_items[0],
            &company.bob(),
            edit,
            "A hundred will do.",
            None,
        )
        .await
        .unwrap();
    insta::assert_snapshot!("edited", story(&company.kernel, decision.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_rule_is_told_as_one_that_did_not_allow() {
    let company = plan()
        .file("hostile-rule.wasm", RULE)
        .rule(
            "guard",
            json!({"rule": "hostile-rule", "guards": ["*"], "config": {"do": "problem"}}),
        )
        .rule(
            "later",
            json!({"rule": "nowhere", "guards": ["*"], "mode": "shadow"}),
        )
        .start();
    let decision = company
        .act(
            "thing.buy",
            json!({"what": "a \u{1b}[31mred\u{202e} thing"}),
        )
        .await;
    insta::assert_snapshot!("failed", story(&company.kernel, decision.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_is_told_with_model_tokens_cost_and_times() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("Hello.", 20, 3))).await;
    let company = plan()
        .openai(&upstream)
        .plugin("pii-guard")
        .rule("privacy", json!({"rule": "pii-guard", "guards": ["model.*"], "config": {"categories": {"email": "redact"}}}))
        .start();
    let request = question("openai/paid", "Greet ada@example.com.");
    let Answer::Whole(completed) = company
        .kernel
        .complete(&company.ada(), request, false)
        .await
        .unwrap()
    else {
        panic!("a whole answer was asked for")
    };
    insta::assert_snapshot!("completion", story(&company.kernel, completed.decision_id));
}
