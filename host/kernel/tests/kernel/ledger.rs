//! What the ledger has, and what survives.

use std::time::Duration;

use polity_constitution::OutcomeKind;
use polity_kernel::{ActError, CompleteError, DecisionFilter, ReloadError, Reloaded};
use serde_json::json;

use crate::company::{action, plan, question};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_in_the_ledger_in_the_order_in_which_it_happened() {
    let company = plan().plugin("triage").plugin("pii-guard").start();
    let first = company.act("thing.buy", json!({"n": 1})).await;
    let second = company.act("thing.buy", json!({"n": 2})).await;
    company
        .kernel
        .complete(
            &company.ada(),
            question("triage", "my invoice is wrong"),
            false,
        )
        .await
        .unwrap();
    company.kernel.drain(Duration::from_secs(60)).await.unwrap();
    let events = company.kernel.ledger().events(0, 100).unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "plugin.loaded")
            .count(),
        2
    );
    let others: Vec<&str> = kinds
        .into_iter()
        .filter(|kind| *kind != "plugin.loaded")
        .collect();
    assert_eq!(
        others,
        [
            "host.started",
            "constitution.loaded",
            "decision.made",
            "decision.made",
            "completion.made",
            "host.drained"
        ]
    );
    let ids: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "decision.made")
        .map(|event| event.id)
        .collect();
    assert_eq!(ids, [first.id, second.id]);
    assert_eq!(
        first.ledger.unwrap().hash,
        events
            .iter()
            .find(|event| event.id == first.id)
            .unwrap()
            .hash
    );
    company.kernel.ledger().verify(|_| ()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_survives_a_restart() {
    let company = plan().plugin("pii-guard").start();
    let decision = company
        .act("mail.send", json!({"text": "ada@example.com"}))
        .await;
    let company = company.restart();
    assert_eq!(
        company.kernel.decision(decision.id).unwrap(),
        Some(decision)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_going_takes_nothing_new() {
    let company = plan().plugin("triage").start();
    let drained = company.kernel.drain(Duration::from_secs(60)).await.unwrap();
    assert_eq!(drained.in_progress, 0);
    assert!(company.kernel.is_draining());
    let act = company
        .kernel
        .act(&company.ada(), action("a.b", json!({})))
        .await;
    assert!(matches!(act, Err(ActError::Draining(_))));
    let complete = company
        .kernel
        .complete(&company.ada(), question("triage", "x"), false)
        .await;
    assert!(matches!(complete, Err(CompleteError::Draining(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_found_by_kind_actor_and_outcome_newest_first() {
    let company = plan()
        .plugin("triage")
        .rule("guard", json!({"rule": "nowhere", "guards": ["bad.*"]}))
        .start();
    for index in 0..3 {
        company.act("good.deed", json!({"n": index})).await;
        company.act("bad.deed", json!({"n": index})).await;
    }
    company
        .kernel
        .complete(&company.ada(), question("triage", "hello"), false)
        .await
        .unwrap();
    let found = |filter: DecisionFilter| company.kernel.decisions(&filter).unwrap();
    let all = found(DecisionFilter::default());
    assert_eq!(all.len(), 7);
    assert_eq!(all[0].kind, "model.complete");
    assert!(
        all.windows(2)
            .all(|pair| pair[0].ledger.unwrap().seq > pair[1].ledger.unwrap().seq)
    );
    let denied = found(DecisionFilter {
        outcome: Some(OutcomeKind::Deny),
        limit: 2,
        ..DecisionFilter::default()
    });
    assert_eq!(
        denied
            .iter()
            .map(|decision| decision.input["n"].clone())
            .collect::<Vec<_>>(),
        [json!(2), json!(1)]
    );
    let before_seq = Some(denied[1].ledger.unwrap().seq);
    let next = found(DecisionFilter {
        outcome: Some(OutcomeKind::Deny),
        before_seq,
        ..DecisionFilter::default()
    });
    assert_eq!(next.len(), 1);
    assert_eq!(
        found(DecisionFilter {
            kind: Some("good.*".parse().unwrap()),
            ..DecisionFilter::default()
        })
        .len(),
        3
    );
    assert_eq!(
        found(DecisionFilter {
            actor: Some("person:ada".into()),
            ..DecisionFilter::default()
        })
        .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_constitution_counts_from_the_next_action_on_and_a_bad_one_never() {
    let company = plan().start();
    assert!(matches!(
        company.kernel.reload().await,
        Ok(Reloaded::Unchanged)
    ));
    let rule = company.path("company/rules/guard.json");
    std::fs::write(
        &rule,
        json!({"rule": "nowhere", "guards": ["*"]}).to_string(),
    )
    .unwrap();
    assert_eq!(
        company.act("a.b", json!({})).await.outcome,
        OutcomeKind::Allow
    );
    assert!(matches!(
        company.kernel.reload().await,
        Ok(Reloaded::Changed { .. })
    ));
    let denied = company.act("a.b", json!({})).await;
    assert_eq!(denied.outcome, OutcomeKind::Deny);
    std::fs::write(&rule, "{").unwrap();
    assert!(matches!(
        company.kernel.reload().await,
        Err(ReloadError::Problems(_))
    ));
    assert_eq!(
        company.act("a.b", json!({})).await.constitution,
        denied.constitution
    );
    let ledger = company.kernel.ledger();
    let subject = format!("constitution/{}", denied.constitution.digest);
    let kinds: Vec<String> = ledger
        .events_of(&subject, 0, 10)
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["constitution.loaded", "constitution.refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_tell_what_happened_and_how_things_stand() {
    let company = plan()
        .plugin("triage")
        .charter("/defaults/unmatched", json!("escalate"))
        .start();
    company.act("thing.buy", json!({})).await;
    let unknown = company
        .kernel
        .complete(&company.ada(), question("triaje", "x"), false)
        .await;
    assert!(unknown.is_err());
    let counters = company.kernel.counters().unwrap();
    assert_eq!(
        (
            counters.decisions[0].kind.as_str(),
            counters.decisions[0].count
        ),
        ("thing", 1)
    );
    assert_eq!(counters.unknown_models, 1);
    assert_eq!(counters.inbox.open["approval"], 1);
    assert_eq!(counters.inbox.open.values().sum::<u64>(), 1);
    assert_eq!(
        (&*counters.plugins[0].name, counters.plugins[0].state),
        ("triage", "live")
    );
    assert!(counters.ledger_seq > 3 && counters.in_progress == 0);
}
