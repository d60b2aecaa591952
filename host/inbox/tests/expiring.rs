//! What time does to an item.

mod house;

use house::{HOUR, House, START, ada, new};
use polity_inbox::{Actor, Answer, DecideError, NewItem, OnExpiry, Refusal, State};

#[tokio::test]
async fn what_is_due_is_rejected_and_cannot_be_accepted_late() {
    let house = House::in_memory();
    let (swept, late) = (house.raise("swept").await, house.raise("late").await);
    house.clock.set(START + HOUR - 1);
    assert_eq!(house.inbox.expire_due().await.unwrap(), []);
    house.clock.set(START + HOUR);
    // Nobody has come round yet; the time is over all the same.
    let error = house
        .inbox
        .decide(late.id, &ada(), Answer::Accept, "ok", None)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DecideError::Closed(item) if item.state == State::Expired { at_ms: START + HOUR }),
        "{error}"
    );
    let changed = house.inbox.expire_due().await.unwrap();
    assert_eq!(
        changed.iter().map(|item| item.id).collect::<Vec<_>>(),
        [swept.id]
    );
    assert_eq!(changed[0].approved(), None);
    assert_eq!(house.inbox.expire_due().await.unwrap(), []);
    assert_eq!(
        house.kinds(),
        [
            "inbox.raised",
            "inbox.raised",
            "inbox.expired",
            "inbox.expired"
        ]
    );
    assert_eq!(house.inbox.counts().unwrap().open.len(), 0);
}

#[tokio::test]
async fn an_escalated_item_waits_for_the_next_role_with_a_new_due_time() {
    let house = House::in_memory();
    let on_expiry = OnExpiry::Escalate {
        to_role: "owner".to_owned(),
    };
    let item = house
        .inbox
        .raise(NewItem {
            on_expiry,
            ..new("a")
        })
        .await
        .unwrap()
        .item;
    house.clock.set(START + 2 * HOUR);
    let owner = Actor::new("person:eve", ["owner"]);
    let escalated = house.inbox.expire_due().await.unwrap().remove(0);
    assert_eq!(
        (escalated.role.as_str(), escalated.due_at_ms),
        ("owner", Some(START + 3 * HOUR))
    );
    assert!(escalated.is_open());
    assert_eq!(house.inbox.expire_due().await.unwrap(), []);
    // Still the same question: it is not asked twice, and not by the first role any more.
    assert!(
        !house
            .inbox
            .raise(NewItem {
                due_at_ms: None,
                ..new("a")
            })
            .await
            .unwrap()
            .new
    );
    let error = house
        .inbox
        .decide(item.id, &ada(), Answer::Accept, "ok", None)
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        DecideError::Refused(Refusal::MissingRole { .. })
    ));
    let decided = house
        .inbox
        .decide(item.id, &owner, Answer::Accept, "ok", None)
        .await
        .unwrap();
    assert_eq!(decided.decision().unwrap().role, "owner");
    assert_eq!(
        house.kinds(),
        ["inbox.raised", "inbox.escalated", "inbox.decided"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn expiry_and_a_decision_at_the_same_time_are_one_or_the_other() {
    let house = House::in_memory();
    for round in 0..40_u64 {
        let due_at_ms = Some(house.clock.advance(1) + HOUR);
        let item = house
            .inbox
            .raise(NewItem {
                due_at_ms,
                ..new(&round.to_string())
            })
            .await
            .unwrap()
            .item;
        house.clock.advance(HOUR - 1);
        let deciding = tokio::spawn({
            let (inbox, id) = (house.inbox.clone(), item.id);
            async move { inbox.decide(id, &ada(), Answer::Accept, "ok", None).await }
        });
        house.clock.advance(1);
        let expired = house.inbox.expire_due().await.unwrap();
        let decided = deciding.await.unwrap();
        let now = house.inbox.get(item.id).unwrap().unwrap();
        assert_eq!(now.decision().is_some(), decided.is_ok());
        assert!(expired.is_empty() || decided.is_err(), "both");
        assert!(!now.is_open());
    }
}
