//! Putting questions: once, whoever asks, and within a transaction of the caller's.

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use house::{HOUR, House, START, ada, new};
use polity_inbox::{Answer, Filter, NewItem, Staged, State};
use polity_ledger::{Commit, CommitError, Event};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_agents_raising_the_same_question_exactly_one_makes_the_item() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), START);
    let start = Arc::new(tokio::sync::Barrier::new(32));
    let attempts: Vec<_> = (0..32)
        .map(|n| {
            let (inbox, start) = (house.inbox.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                let requested_by = format!("agent:{n}");
                inbox
                    .raise(NewItem {
                        requested_by,
                        ..new("same")
                    })
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut raised = Vec::new();
    for attempt in attempts {
        raised.push(attempt.await.unwrap());
    }
    assert_eq!(raised.iter().filter(|raised| raised.new).count(), 1);
    assert_eq!(
        raised
            .iter()
            .map(|raised| raised.item.id)
            .collect::<BTreeSet<_>>()
            .len(),
        1
    );
    assert!(raised.iter().all(|raised| raised.same_proposal));
    assert_eq!(house.inbox.list(&Filter::default()).unwrap().len(), 1);
    assert_eq!(house.kinds(), ["inbox.raised"]);
}

#[tokio::test]
async fn an_open_item_with_another_proposal_is_returned_and_said_to_differ() {
    let house = House::in_memory();
    let first = house.raise("refund/1").await;
    let other = house
        .inbox
        .raise(NewItem {
            proposal: json!({"amount": 900}),
            ..new("refund/1")
        })
        .await
        .unwrap();
    assert_eq!(
        (other.item, other.new, other.same_proposal),
        (first.clone(), false, false)
    );
    // Another kind of question about the same thing is another item.
    let budget = house
        .inbox
        .raise(NewItem {
            kind: "budget".to_owned(),
            ..new("refund/1")
        })
        .await
        .unwrap();
    assert!(budget.new);
    // Once the first is closed it may be asked again.
    house
        .inbox
        .decide(first.id, &ada(), Answer::Reject, "no", None)
        .await
        .unwrap();
    let again = house.inbox.raise(new("refund/1")).await.unwrap();
    assert!(again.new && again.item.id != first.id);
}

#[tokio::test]
async fn a_question_whose_predecessor_is_due_is_asked_anew() {
    let house = House::in_memory();
    let first = house.raise("a").await;
    house.clock.set(START + HOUR);
    let second = house
        .inbox
        .raise(NewItem {
            due_at_ms: None,
            ..new("a")
        })
        .await
        .unwrap();
    assert!(second.new && second.item.id != first.id);
    assert!(matches!(
        house.inbox.get(first.id).unwrap().unwrap().state,
        State::Expired { .. }
    ));
}

#[tokio::test]
async fn a_question_and_the_record_that_asks_it_are_one_transaction() {
    let house = House::in_memory();
    let mut changes = house.inbox.subscribe();
    let staged = house.inbox.stage(new("refund/1")).await.unwrap();
    assert!(staged.is_new() && staged.same_proposal());
    assert_eq!(house.inbox.get(staged.item().id).unwrap(), None);
    let record = |n: u64| Event::new("decision.made", "/test", "decision/1", json!({ "n": n }));
    let commit = staged.add_to(Commit::new()).event(record(1));
    house.ledger.commit(commit).await.unwrap();
    house.inbox.announce(&staged);
    assert_eq!(changes.recv().await.unwrap().id, staged.item().id);
    assert_eq!(house.kinds(), ["inbox.raised", "decision.made"]);
    assert_eq!(
        house.inbox.get(staged.item().id).unwrap().as_ref(),
        Some(staged.item())
    );
    // The same question again is the open item, and nothing is written for it but the record.
    let again = house.inbox.stage(new("refund/1")).await.unwrap();
    assert!(!again.is_new());
    house
        .ledger
        .commit(again.add_to(Commit::new()).event(record(2)))
        .await
        .unwrap();
    assert_eq!(again.item(), staged.item());
    assert_eq!(house.kinds().len(), 3);
    house.ledger.verify(|_| ()).unwrap();
}

#[tokio::test]
async fn a_record_is_not_taken_with_a_question_that_has_been_overtaken() {
    let house = House::in_memory();
    let commit = |staged: &Staged| {
        let record = Event::new("decision.made", "/test", "decision/1", json!({}));
        staged.add_to(Commit::new()).event(record)
    };
    // Somebody else was faster with it.
    let staged = house.inbox.stage(new("refund/1")).await.unwrap();
    let open = house.raise("refund/1").await;
    let refused = house.ledger.commit(commit(&staged)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict { .. }), "{refused}");
    // The open one was closed: what was decided then was not decided for this record.
    let staged = house.inbox.stage(new("refund/1")).await.unwrap();
    assert_eq!(staged.item(), &open);
    house
        .inbox
        .decide(open.id, &ada(), Answer::Accept, "yes", None)
        .await
        .unwrap();
    let refused = house.ledger.commit(commit(&staged)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict { .. }), "{refused}");
    assert_eq!(house.kinds(), ["inbox.raised", "inbox.decided"]);
}
