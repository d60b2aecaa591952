//! Raising, deciding, waiting and listing, on a ledger in a folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use polity_inbox::{
    Actor, Answer, AnswerKind, DecideError, Filter, Inbox, InboxError, Item, NewItem, OnExpiry,
    RaiseError, Refusal, State, Which,
};
use polity_ledger::{Hash, Ledger, ManualClock, Options, canonical};
use serde_json::json;
use uuid::Uuid;

const START: u64 = 1_700_000_000_000;
const HOUR: u64 = 3_600_000;

struct House {
    clock: ManualClock,
    ledger: Ledger,
    inbox: Inbox,
}

impl House {
    fn open(folder: &Path, now_ms: u64) -> Self {
        let clock = ManualClock::new(now_ms);
        let ledger = Ledger::open(Options::new(folder, Arc::new(clock.clone()))).unwrap();
        let inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            ledger,
            inbox,
        }
    }

    fn in_memory() -> Self {
        let clock = ManualClock::new(START);
        let ledger = Ledger::in_memory(Arc::new(clock.clone()));
        let inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            ledger,
            inbox,
        }
    }

    async fn raise(&self, subject: &str) -> Item {
        self.inbox.raise(new(subject)).await.unwrap().item
    }

    fn kinds(&self) -> Vec<String> {
        self.ledger
            .events(0, 9999)
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .collect()
    }
}

fn new(subject: &str) -> NewItem {
    NewItem {
        kind: "approval".to_owned(),
        subject: subject.to_owned(),
        title: format!("About {subject}"),
        question: "Shall we?".to_owned(),
        proposal: json!({"amount": 5, "to": subject}),
        clause: Some("refunds/3".to_owned()),
        evidence: json!([{"days": 34}]),
        role: "lead".to_owned(),
        requested_by: "agent:support".to_owned(),
        cost_at_stake: Some(5_000_000),
        due_at_ms: Some(START + HOUR),
        on_expiry: OnExpiry::Reject,
        allowed: AnswerKind::all(),
    }
}

fn ada() -> Actor {
    Actor::new("person:ada", ["lead"])
}

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
