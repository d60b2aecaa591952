//! Questions that are taken back.

mod house;

use house::{House, ada, new};
use polity_inbox::{Answer, DecideError, State};
use polity_ledger::{Commit, CommitError};

#[tokio::test]
async fn a_question_that_was_taken_back_can_be_put_again_and_not_be_answered() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let withdrawal = house
        .inbox
        .withdrawing(item.id, "the customer has gone")
        .unwrap()
        .unwrap();
    let mut changes = house.inbox.subscribe();
    house
        .ledger
        .commit(withdrawal.add_to(Commit::new()))
        .await
        .unwrap();
    house.inbox.announce_withdrawal(&withdrawal);
    assert!(!changes.recv().await.unwrap().is_open());

    let closed = house.inbox.get(item.id).unwrap().unwrap();
    assert!(
        matches!(&closed.state, State::Withdrawn { why, .. } if why == "the customer has gone")
    );
    assert_eq!(closed.approved(), None);
    let refused = house
        .inbox
        .decide(item.id, &ada(), Answer::Accept, "late", None)
        .await;
    assert!(
        matches!(refused, Err(DecideError::Closed(_))),
        "{refused:?}"
    );
    assert_eq!(house.inbox.withdrawing(item.id, "again").unwrap(), None);
    let again = house.inbox.raise(new("refund/1")).await.unwrap();
    assert!(again.new && again.item.id != item.id);
    assert_eq!(
        house.kinds(),
        ["inbox.raised", "inbox.withdrawn", "inbox.raised"]
    );
}

#[tokio::test]
async fn an_answer_that_came_first_stands() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let withdrawal = house
        .inbox
        .withdrawing(item.id, "too late")
        .unwrap()
        .unwrap();
    house
        .inbox
        .decide(item.id, &ada(), Answer::Accept, "fine", None)
        .await
        .unwrap();
    let refused = house.ledger.commit(withdrawal.add_to(Commit::new())).await;
    assert!(
        matches!(refused, Err(CommitError::Conflict { .. })),
        "{refused:?}"
    );
    assert!(
        house
            .inbox
            .get(item.id)
            .unwrap()
            .unwrap()
            .approved()
            .is_some()
    );
}

#[tokio::test]
async fn time_passes_over_a_question_that_was_taken_back() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let withdrawal = house.inbox.withdrawing(item.id, "no").unwrap().unwrap();
    house
        .ledger
        .commit(withdrawal.add_to(Commit::new()))
        .await
        .unwrap();
    house.clock.advance(house::HOUR * 2);
    assert!(house.inbox.expire_due().await.unwrap().is_empty());
    assert_eq!(house.inbox.counts().unwrap().open.len(), 0);
}
