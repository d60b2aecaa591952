//! Deciding, on a ledger in a folder.

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use house::{HOUR, House, START, ada, new};
use polity_inbox::{
    Actor, Answer, AnswerKind, DecideError, InboxError, NewItem, RaiseError, Refusal,
};
use polity_ledger::{Hash, canonical};
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn a_decision_is_in_the_item_the_ledger_and_with_whoever_waits() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let waiting = tokio::spawn({
        let (inbox, id) = (house.inbox.clone(), item.id);
        async move { inbox.wait(id, u64::MAX).await.unwrap() }
    });
    tokio::task::yield_now().await;
    house.clock.advance(10);
    let decided = house
        .inbox
        .decide(
            item.id,
            &ada(),
            Answer::Accept,
            " fine ",
            Some(item.proposal_digest),
        )
        .await
        .unwrap();
    let decision = decided.decision().unwrap();
    assert_eq!(
        (
            decision.by.as_str(),
            decision.role.as_str(),
            decision.note.as_str()
        ),
        ("person:ada", "lead", "fine")
    );
    assert_eq!(
        (decision.at_ms, decision.approved_digest),
        (START + 10, Some(item.proposal_digest))
    );
    assert_eq!(decided.approved(), Some(&item.proposal));
    assert_eq!(waiting.await.unwrap(), decided);
    assert_eq!(house.inbox.get(item.id).unwrap(), Some(decided));
    assert_eq!(house.kinds(), ["inbox.raised", "inbox.decided"]);
    let event = house
        .ledger
        .events_of(&format!("inbox/{}", item.id), 0, 9)
        .unwrap()
        .remove(1);
    assert_eq!(event.data["decision"]["by"], "person:ada");
    assert_eq!(event.data["decision"]["answer"], json!({"type": "accept"}));
    assert_eq!(event.data["proposal_digest"], json!(item.proposal_digest));
    assert_eq!(event.data["subject"], "refund/1");
}

#[tokio::test]
async fn an_edit_carries_the_new_proposal_and_its_digest_and_keeps_the_old_one() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let edit = json!({"amount": 3});
    let decided = house
        .inbox
        .decide(item.id, &ada(), Answer::Edit(edit.clone()), "less", None)
        .await
        .unwrap();
    assert_eq!(decided.approved(), Some(&edit));
    assert_eq!(
        (&decided.proposal, decided.proposal_digest),
        (&item.proposal, item.proposal_digest)
    );
    let digest = canonical::digest(&edit);
    assert_eq!(decided.decision().unwrap().approved_digest, Some(digest));
    let event = house.ledger.last(1).unwrap().remove(0);
    assert_eq!(event.data["decision"]["approved_digest"], json!(digest));
    assert_eq!(
        event.data["decision"]["answer"],
        json!({"type": "edit", "args": edit})
    );
}

#[tokio::test]
async fn a_response_or_a_rejection_approves_nothing() {
    let house = House::in_memory();
    for (subject, answer) in [
        ("a", Answer::Respond("which order?".to_owned())),
        ("b", Answer::Reject),
    ] {
        let item = house.raise(subject).await;
        let decided = house
            .inbox
            .decide(item.id, &ada(), answer, "because", None)
            .await
            .unwrap();
        assert_eq!(decided.approved(), None);
        assert_eq!(decided.decision().unwrap().approved_digest, None);
        assert!(!decided.is_open());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_people_deciding_at_once_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), START);
    for round in 0..5 {
        let item = house.raise(&format!("race/{round}")).await;
        let start = Arc::new(tokio::sync::Barrier::new(32));
        let attempts: Vec<_> = (0..32)
            .map(|n| {
                let (inbox, id, start) = (house.inbox.clone(), item.id, start.clone());
                tokio::spawn(async move {
                    let actor = Actor::new(format!("person:p{n}"), ["lead"]);
                    let answer = if n % 2 == 0 {
                        Answer::Accept
                    } else {
                        Answer::Reject
                    };
                    start.wait().await;
                    inbox.decide(id, &actor, answer, "mine", None).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(item) => winners.push(item),
                Err(DecideError::Closed(item)) => assert!(item.decision().is_some()),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(house.inbox.get(item.id).unwrap().as_ref(), winners.first());
    }
    assert_eq!(
        house
            .kinds()
            .iter()
            .filter(|kind| *kind == "inbox.decided")
            .count(),
        5
    );
    house.ledger.verify(|_| ()).unwrap();
}

#[tokio::test]
async fn nobody_decides_without_authority_and_the_item_stays_open() {
    let house = House::in_memory();
    let asked = NewItem {
        requested_by: "person:ada".to_owned(),
        ..new("raise/ada")
    };
    let item = house.inbox.raise(asked).await.unwrap().item;
    for (actor, is_right) in [
        (
            ada(),
            (|refusal| matches!(refusal, Refusal::SelfApproval { .. })) as fn(&Refusal) -> bool,
        ),
        (Actor::new("agent:helper", ["lead"]), |refusal| {
            matches!(refusal, Refusal::NotAPerson { .. })
        }),
        (Actor::new("plugin:triage", ["lead"]), |refusal| {
            matches!(refusal, Refusal::NotAPerson { .. })
        }),
        (Actor::new("schedule:nightly", ["lead"]), |refusal| {
            matches!(refusal, Refusal::NotAPerson { .. })
        }),
        (Actor::new("person:bob", ["clerk"]), |refusal| {
            matches!(refusal, Refusal::MissingRole { .. })
        }),
    ] {
        for answer in [
            Answer::Accept,
            Answer::Edit(json!(1)),
            Answer::Respond("x".to_owned()),
            Answer::Reject,
        ] {
            match house
                .inbox
                .decide(item.id, &actor, answer, "note", None)
                .await
            {
                Err(DecideError::Refused(refusal)) if is_right(&refusal) => {}
                other => panic!("{actor:?}: {other:?}"),
            }
        }
    }
    assert_eq!(house.inbox.get(item.id).unwrap(), Some(item));
    assert_eq!(house.kinds(), ["inbox.raised"]);
}

#[tokio::test]
async fn a_decision_on_another_proposal_than_the_one_seen_is_refused() {
    let house = House::in_memory();
    let item = house.raise("refund/1").await;
    let seen = Hash::of(b"something else");
    let error = house
        .inbox
        .decide(item.id, &ada(), Answer::Accept, "ok", Some(seen))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        DecideError::ProposalChanged {
            seen,
            now: item.proposal_digest
        }
    );
    assert!(house.inbox.get(item.id).unwrap().unwrap().is_open());
}

#[tokio::test]
async fn an_answer_needs_a_note_and_the_item_s_leave() {
    let house = House::in_memory();
    let allowed = BTreeSet::from([AnswerKind::Accept, AnswerKind::Reject]);
    let item = house
        .inbox
        .raise(NewItem {
            allowed,
            ..new("a")
        })
        .await
        .unwrap()
        .item;
    for (answer, note, words) in [
        (Answer::Accept, "  ", "say in a sentence why"),
        (Answer::Edit(json!(1)), "x", "it allows accept, reject"),
        (
            Answer::Respond("x".to_owned()),
            "x",
            "it allows accept, reject",
        ),
    ] {
        let error = house
            .inbox
            .decide(item.id, &ada(), answer, note, None)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, DecideError::Invalid(reason) if reason.contains(words)),
            "{error}"
        );
    }
    let other = house.raise("b").await;
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for answer in [Answer::Respond(" ".to_owned()), Answer::Edit(deep)] {
        let error = house
            .inbox
            .decide(other.id, &ada(), answer, "x", None)
            .await
            .unwrap_err();
        assert!(matches!(error, DecideError::Invalid(_)), "{error}");
    }
    let unknown = house
        .inbox
        .decide(Uuid::nil(), &ada(), Answer::Accept, "x", None)
        .await
        .unwrap_err();
    assert_eq!(
        unknown,
        DecideError::Inbox(InboxError::NotFound(Uuid::nil()))
    );
    let invalid = house
        .inbox
        .raise(NewItem {
            title: String::new(),
            ..new("c")
        })
        .await
        .unwrap_err();
    assert!(matches!(invalid, RaiseError::Invalid(_)));
}

#[tokio::test]
async fn a_closed_item_says_how_it_was_closed() {
    let house = House::in_memory();
    let item = house.raise("a").await;
    house
        .inbox
        .decide(item.id, &ada(), Answer::Reject, "too dear", None)
        .await
        .unwrap();
    let bob = Actor::new("person:bob", ["lead"]);
    let error = house
        .inbox
        .decide(item.id, &bob, Answer::Accept, "yes", None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "this item is closed: person:ada rejected it (too dear)"
    );
}

#[tokio::test]
async fn open_and_decided_items_survive_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let (open, decided) = {
        let house = House::open(folder.path(), START);
        let (open, decided) = (house.raise("open").await, house.raise("decided").await);
        (
            open,
            house
                .inbox
                .decide(decided.id, &ada(), Answer::Accept, "ok", None)
                .await
                .unwrap(),
        )
    };
    let house = House::open(folder.path(), START + 1);
    assert_eq!(house.inbox.get(open.id).unwrap().as_ref(), Some(&open));
    assert_eq!(
        house.inbox.get(decided.id).unwrap().as_ref(),
        Some(&decided)
    );
    assert!(!house.inbox.raise(new("open")).await.unwrap().new);
    house.clock.set(START + HOUR);
    assert_eq!(house.inbox.expire_due().await.unwrap()[0].id, open.id);
}
