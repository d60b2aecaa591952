//! What goes to people, and comes back.

use polity_constitution::OutcomeKind;
use polity_inbox::{Answer, DecideError};
use polity_kernel::{Decision, HumanState};
use serde_json::{Value, json};

use crate::company::{Company, Plan, action, plan};

fn refunds() -> Plan {
    plan().plugin("spending-limit").rule(
        "refunds",
        json!({
            "rule": "spending-limit", "guards": ["refund.*"], "policy": "Refunds above 50 need a signature.",
            "config": {
                "amount": {"pointer": "/amount", "unit": "unit"}, "escalate_to": "finance", "due_ms": 60_000,
                "limits": [{"per": "action", "soft_micro": 50_000_000}]
            }
        }),
    )
}

async fn ask(company: &Company, amount: u64) -> Decision {
    let decision = company
        .act("refund.approve", json!({"amount": amount}))
        .await;
    assert_eq!(decision.outcome, OutcomeKind::Escalate);
    assert_eq!(
        decision.resolution.as_ref().unwrap().state,
        HumanState::Waiting
    );
    assert!(!decision.may_happen());
    decision
}

async fn answered(answer: Answer) -> (HumanState, Option<Value>, bool) {
    let company = refunds().start();
    let decision = ask(&company, 100).await;
    company
        .kernel
        .decide(
            decision.inbox_items[0],
            &company.bob(),
            answer,
            "because",
            None,
        )
        .await
        .unwrap();
    let decision = company.kernel.decision(decision.id).unwrap().unwrap();
    let may_happen = decision.may_happen();
    let resolution = decision.resolution.unwrap();
    (resolution.state, resolution.input, may_happen)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_action_may_happen_as_it_was_accepted() {
    let accepted = answered(Answer::Accept).await;
    assert_eq!(
        accepted,
        (HumanState::Accepted, Some(json!({"amount": 100})), true)
    );
    let edited = answered(Answer::Edit(json!({"amount": 70}))).await;
    assert_eq!(
        edited,
        (HumanState::Accepted, Some(json!({"amount": 70})), true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_or_merely_answered_action_must_not_happen() {
    assert_eq!(
        answered(Answer::Reject).await,
        (HumanState::Rejected, None, false)
    );
    let words = Answer::Respond("which customer?".into());
    assert_eq!(answered(words).await, (HumanState::Answered, None, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_rejects_whether_or_not_anyone_looks() {
    let company = refunds().start();
    let decision = ask(&company, 100).await;
    company.clock.advance(60_000);
    let state = |id| {
        company
            .kernel
            .decision(id)
            .unwrap()
            .unwrap()
            .resolution
            .unwrap()
            .state
    };
    assert_eq!(state(decision.id), HumanState::Rejected);
    company.kernel.inbox().expire_due().await.unwrap();
    assert_eq!(state(decision.id), HumanState::Rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_item_says_what_is_asked_why_and_by_which_clause() {
    let company = refunds().start();
    let decision = ask(&company, 100).await;
    let item = company
        .kernel
        .inbox()
        .get(decision.inbox_items[0])
        .unwrap()
        .unwrap();
    assert_eq!(
        (item.role.as_str(), item.requested_by.as_str()),
        ("finance", "agent:scout")
    );
    assert_eq!(item.title, "refund.approve, wanted by agent:scout");
    assert_eq!(item.proposal, json!({"amount": 100}));
    assert_eq!(
        item.clause.as_deref(),
        Some("rules/refunds.json: Refunds above 50 need a signature.")
    );
    assert_eq!(item.due_at_ms, Some(company.clock_ms() + 60_000));
    assert_eq!(item.evidence["decision"], json!(decision.id));
    assert_eq!(item.evidence["context"]["actor_roles"], json!(["agent"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_action_of_the_same_actor_is_asked_about_once_while_it_is_open() {
    let company = refunds().start();
    let first = ask(&company, 100).await;
    let again = ask(&company, 100).await;
    assert_ne!(first.id, again.id);
    assert_eq!(first.inbox_items, again.inbox_items);
    assert_ne!(first.inbox_items, ask(&company, 101).await.inbox_items);
    let bobs = company
        .kernel
        .act(
            &company.bob(),
            action("refund.approve", json!({"amount": 100})),
        )
        .await
        .unwrap();
    assert_ne!(first.inbox_items, bobs.inbox_items);
    company
        .kernel
        .decide(
            first.inbox_items[0],
            &company.bob(),
            Answer::Accept,
            "fine",
            None,
        )
        .await
        .unwrap();
    for id in [first.id, again.id] {
        assert!(company.kernel.decision(id).unwrap().unwrap().may_happen());
    }
    assert_ne!(first.inbox_items, ask(&company, 100).await.inbox_items);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_that_was_asked_has_to_accept_the_same_form() {
    let company = refunds()
        .rule(
            "large",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "amount": {"pointer": "/amount", "unit": "unit"}, "escalate_to": "owner",
                "limits": [{"per": "action", "soft_micro": 80_000_000}]
            }}),
        )
        .start();
    let decide = async |decision: &Decision, answers: [Answer; 2]| {
        let people = [company.bob(), company.ada()];
        for ((item, person), answer) in decision.inbox_items.iter().zip(people).zip(answers) {
            let open = company.kernel.decision(decision.id).unwrap().unwrap();
            assert!(!open.may_happen());
            company
                .kernel
                .decide(*item, &person, answer, "because", None)
                .await
                .unwrap();
        }
        company
            .kernel
            .decision(decision.id)
            .unwrap()
            .unwrap()
            .resolution
            .unwrap()
    };
    let both = ask(&company, 100).await;
    let roles: Vec<_> = both.asks.iter().map(|ask| ask.role.as_str()).collect();
    assert_eq!(roles, ["finance", "owner"]);
    assert_eq!(
        decide(&both, [Answer::Accept, Answer::Accept]).await.state,
        HumanState::Accepted
    );
    let differ = ask(&company, 200).await;
    let answers = [Answer::Accept, Answer::Edit(json!({"amount": 90}))];
    let resolution = decide(&differ, answers).await;
    assert_eq!(
        (resolution.state, resolution.input),
        (HumanState::Disagreed, None)
    );
    let one_no = ask(&company, 300).await;
    assert_eq!(
        decide(&one_no, [Answer::Reject, Answer::Accept])
            .await
            .state,
        HumanState::Rejected
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_action_has_to_remain_an_action() {
    let company = refunds().start();
    let item = ask(&company, 100).await.inbox_items[0];
    let refused = company
        .kernel
        .decide(item, &company.bob(), Answer::Edit(json!(5)), "less", None)
        .await;
    assert!(matches!(refused, Err(DecideError::Invalid(_))));
    let agents = company
        .kernel
        .decide(item, &company.scout(), Answer::Accept, "mine", None)
        .await;
    assert!(matches!(agents, Err(DecideError::Refused(_))));
}

impl Company {
    fn clock_ms(&self) -> u64 {
        polity_ledger::Clock::now_ms(&self.clock)
    }
}
