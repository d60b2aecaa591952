//! Budgets, with many asking at once.

use std::sync::Arc;

use polity_kernel::{CompleteError, CompletionStatus, Scope};
use polity_tests::{Answer as Scripted, Gate, Upstream};
use serde_json::json;

use crate::company::{openai_answer, plan, question};

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_cannot_overspend_a_budget() {
    let gate = Gate::new();
    let script = gate.clone();
    // Each reserves 200 for 100 tokens of answer and a few for its prompt, and costs 50 in the end.
    let upstream = Upstream::start(move |_| {
        Scripted::status(200)
            .header("content-type", "application/json")
            .pass(&script)
            .send(openai_answer("ok", 10, 20))
    })
    .await;
    let company = plan()
        .openai(&upstream)
        .charter(
            "/budgets",
            json!({"company_daily_micro": 1_000, "actor_daily_micro": null}),
        )
        .start();
    let company = Arc::new(company);
    let ask = |company: &Arc<crate::company::Company>| {
        let company = company.clone();
        tokio::spawn(async move {
            let actor = company.scout();
            company
                .kernel
                .complete(&actor, question("paid", "x"), false)
                .await
                .map(drop)
        })
    };
    let tasks: Vec<_> = (0..20).map(|_| ask(&company)).collect();
    upstream.arrived(4).await;
    let mut over = 0;
    let mut tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    // All but those that are being answered come back at once.
    while over < 16 {
        for task in &mut tasks {
            if task
                .as_ref()
                .is_some_and(tokio::task::JoinHandle::is_finished)
            {
                let error = task.take().unwrap().await.unwrap().unwrap_err();
                let CompleteError::OverBudget {
                    over: budget,
                    decision_id,
                } = error
                else {
                    panic!("{error}")
                };
                assert_eq!(
                    (&budget.scope, budget.limit_micro, budget.spent_micro),
                    (&Scope::Company, 1_000, 0)
                );
                assert!(budget.reserved_micro + budget.needed_micro > 1_000);
                let decision = company.kernel.decision(decision_id).unwrap().unwrap();
                assert_eq!(
                    decision.completion.unwrap().status,
                    CompletionStatus::OverBudget
                );
                over += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    gate.open();
    for task in tasks.into_iter().flatten() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(upstream.requests().len(), 4);
    // What was reserved and not spent is there again.
    ask(&company).await.unwrap().unwrap();
    assert_eq!(upstream.requests().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_survives_a_restart_and_is_forgotten_at_midnight() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("ok", 400, 200))).await;
    let company = plan()
        .openai(&upstream)
        .charter("/budgets", json!({"actors": {"agent:scout": 900}}))
        .start();
    company
        .kernel
        .complete(&company.scout(), question("paid", "x"), false)
        .await
        .unwrap();
    let company = company.restart();
    let (ada, scout) = (company.ada(), company.scout());
    let ask = async |actor| {
        company
            .kernel
            .complete(actor, question("paid", "x"), false)
            .await
            .map(drop)
    };
    let Err(CompleteError::OverBudget { over, .. }) = ask(&scout).await else {
        panic!("800 of 900 are spent")
    };
    assert_eq!(
        (over.scope, over.spent_micro),
        (Scope::Actor("agent:scout".into()), 800)
    );
    ask(&ada).await.unwrap();
    company.clock.advance(86_400_000);
    ask(&scout).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_model_is_there_when_the_money_is_gone() {
    let company = plan()
        .plugin("triage")
        .charter(
            "/budgets",
            json!({"company_daily_micro": 0, "actor_daily_micro": 0}),
        )
        .start();
    company
        .kernel
        .complete(&company.scout(), question("triage", "hello"), false)
        .await
        .unwrap();
}
