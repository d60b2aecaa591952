//! Waiting, listening and listing.

mod house;

use house::{HOUR, House, START, ada, new};
use polity_inbox::{Answer, Filter, InboxError, NewItem, State, Which};
use uuid::Uuid;

#[tokio::test]
async fn waiting_ends_at_the_given_time_with_the_item_as_it_is() {
    let house = House::in_memory();
    let item = house.raise("a").await;
    assert_eq!(house.inbox.wait(item.id, START).await.unwrap(), item);
    assert_eq!(
        house.inbox.wait(Uuid::nil(), u64::MAX).await,
        Err(InboxError::NotFound(Uuid::nil()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_who_waits_is_told_also_of_an_expiry_and_after_much_other_business() {
    let house = House::in_memory();
    let item = house.raise("a").await;
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (inbox, id) = (house.inbox.clone(), item.id);
            tokio::spawn(async move { inbox.wait(id, u64::MAX).await.unwrap() })
        })
        .collect();
    for n in 0..400 {
        house.raise(&format!("other/{n}")).await;
    }
    house.clock.set(START + HOUR);
    house.inbox.expire_due().await.unwrap();
    for waiting in waiting {
        assert!(matches!(
            waiting.await.unwrap().state,
            State::Expired { .. }
        ));
    }
}

#[tokio::test]
async fn listeners_hear_of_each_change_in_order() {
    let house = House::in_memory();
    let mut changes = house.inbox.subscribe();
    let item = house.raise("a").await;
    house.raise("a").await;
    let decided = house
        .inbox
        .decide(item.id, &ada(), Answer::Reject, "no", None)
        .await
        .unwrap();
    assert_eq!(*changes.recv().await.unwrap(), item);
    assert_eq!(*changes.recv().await.unwrap(), decided);
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn lists_are_filtered_and_ordered_by_what_is_due() {
    let house = House::in_memory();
    let mut ids = Vec::new();
    for (subject, kind, role, due) in [
        ("a", "approval", "lead", Some(START + 9 * HOUR)),
        ("b", "budget", "owner", None),
        ("c", "approval", "owner", Some(START + HOUR)),
        ("d", "schema", "lead", Some(START + 5 * HOUR)),
    ] {
        house.clock.advance(1);
        let (kind, role) = (kind.to_owned(), role.to_owned());
        ids.push(
            house
                .inbox
                .raise(NewItem {
                    kind,
                    role,
                    due_at_ms: due,
                    ..new(subject)
                })
                .await
                .unwrap()
                .item
                .id,
        );
    }
    let subjects = |filter: Filter| {
        let items = house.inbox.list(&filter).unwrap();
        items
            .into_iter()
            .map(|item| item.subject)
            .collect::<Vec<_>>()
            .join("")
    };
    assert_eq!(subjects(Filter::default()), "cdab");
    assert_eq!(
        subjects(Filter {
            limit: Some(2),
            ..Filter::default()
        }),
        "cd"
    );
    assert_eq!(
        subjects(Filter {
            role: Some("owner".to_owned()),
            ..Filter::default()
        }),
        "cb"
    );
    assert_eq!(
        subjects(Filter {
            kind: Some("approval".to_owned()),
            ..Filter::default()
        }),
        "ca"
    );
    assert_eq!(
        subjects(Filter {
            subject: Some("d".to_owned()),
            ..Filter::default()
        }),
        "d"
    );
    assert_eq!(
        subjects(Filter {
            decidable_by: Some(ada()),
            ..Filter::default()
        }),
        "da"
    );
    house
        .inbox
        .decide(ids[3], &ada(), Answer::Accept, "ok", None)
        .await
        .unwrap();
    house
        .inbox
        .decide(ids[0], &ada(), Answer::Reject, "no", None)
        .await
        .unwrap();
    assert_eq!(
        subjects(Filter {
            which: Which::Closed,
            ..Filter::default()
        }),
        "da"
    );
    assert_eq!(
        subjects(Filter {
            which: Which::All,
            ..Filter::default()
        }),
        "dcba"
    );
    assert_eq!(
        subjects(Filter {
            which: Which::All,
            limit: Some(1),
            ..Filter::default()
        }),
        "d"
    );
    assert_eq!(subjects(Filter::default()), "cb");
}

#[tokio::test]
async fn lists_and_counts_are_complete_over_many_pages() {
    let house = House::in_memory();
    for n in 0..450 {
        house.clock.advance(1);
        let kind = if n % 3 == 0 { "budget" } else { "approval" }.to_owned();
        house
            .inbox
            .raise(NewItem {
                kind,
                due_at_ms: Some(START + HOUR + n),
                ..new(&n.to_string())
            })
            .await
            .unwrap();
    }
    house.clock.set(START + 5_000);
    let counts = house.inbox.counts().unwrap();
    assert_eq!(
        counts.open.into_iter().collect::<Vec<_>>(),
        [("approval".to_owned(), 300), ("budget".to_owned(), 150)]
    );
    assert_eq!(
        (counts.oldest_raised_at_ms, counts.oldest_age_ms),
        (Some(START + 1), 4_999)
    );
    assert_eq!(house.inbox.list(&Filter::default()).unwrap().len(), 450);
    house.clock.set(START + HOUR + 448);
    assert_eq!(house.inbox.expire_due().await.unwrap().len(), 449);
    assert_eq!(
        house
            .inbox
            .list(&Filter {
                which: Which::Closed,
                ..Filter::default()
            })
            .unwrap()
            .len(),
        449
    );
    assert_eq!(
        house.inbox.list(&Filter::default()).unwrap()[0].subject,
        "449"
    );
}
