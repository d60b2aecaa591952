//! Whatever happens in whatever order: nothing is approved but by a person who had the role in time and did not ask.

use std::collections::HashMap;
use std::sync::Arc;

use polity_inbox::{Actor, Answer, AnswerKind, Filter, Inbox, NewItem, OnExpiry, State, Which};
use polity_ledger::{Hash, Ledger, ManualClock};
use proptest::prelude::*;
use serde_json::json;

const START: u64 = 1_700_000_000_000;
const ACTORS: [(&str, &[&str]); 6] = [
    ("person:ada", &["lead"]),
    ("person:bob", &["lead", "owner"]),
    ("person:eve", &["owner"]),
    ("person:zoe", &[]),
    ("agent:helper", &["lead", "owner"]),
    ("schedule:nightly", &["lead", "owner"]),
];

#[derive(Debug, Clone)]
enum Step {
    Raise {
        subject: u8,
        requester: usize,
        due_in: Option<u64>,
        escalates: bool,
        amount: u8,
    },
    Decide {
        item: prop::sample::Index,
        actor: usize,
        answer: u8,
        saw_another: bool,
    },
    Advance(u64),
    ExpireDue,
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let raise = (
        0..3_u8,
        0..ACTORS.len(),
        prop::option::of(1..40_u64),
        any::<bool>(),
        0..2_u8,
    )
        .prop_map(
            |(subject, requester, due_in, escalates, amount)| Step::Raise {
                subject,
                requester,
                due_in,
                escalates,
                amount,
            },
        );
    let decide = (
        any::<prop::sample::Index>(),
        0..ACTORS.len(),
        0..4_u8,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(item, actor, answer, saw_another)| Step::Decide {
            item,
            actor,
            answer,
            saw_another,
        });
    prop_oneof![
        3 => raise,
        4 => decide,
        3 => (1..30_u64).prop_map(Step::Advance),
        2 => Just(Step::ExpireDue),
        1 => Just(Step::Restart),
    ]
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = ManualClock::new(START);
    let ledger = Ledger::in_memory(Arc::new(clock.clone()));
    let mut inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone()));
    let mut ids = Vec::new();
    // What the test itself saw being approved: who, and when.
    let mut approvals = HashMap::new();
    for step in steps {
        let now = polity_ledger::Clock::now_ms(&clock);
        match step {
            Step::Raise {
                subject,
                requester,
                due_in,
                escalates,
                amount,
            } => {
                let to_role = "owner".to_owned();
                let raised = inbox
                    .raise(NewItem {
                        kind: "approval".to_owned(),
                        subject: format!("s/{subject}"),
                        title: "t".to_owned(),
                        question: "q".to_owned(),
                        proposal: json!({ "amount": amount }),
                        clause: None,
                        evidence: json!(null),
                        role: "lead".to_owned(),
                        requested_by: ACTORS[requester].0.to_owned(),
                        cost_at_stake: None,
                        due_at_ms: due_in.map(|due| now + due),
                        on_expiry: if escalates {
                            OnExpiry::Escalate { to_role }
                        } else {
                            OnExpiry::Reject
                        },
                        allowed: AnswerKind::all(),
                    })
                    .await
                    .unwrap();
                prop_assert_eq!(raised.new, !ids.contains(&raised.item.id));
                prop_assert!(!raised.item.is_due(now), "an item that is over is not open");
                if raised.new {
                    ids.push(raised.item.id);
                }
            }
            Step::Decide {
                item,
                actor,
                answer,
                saw_another,
            } => {
                if ids.is_empty() {
                    continue;
                }
                let id = *item.get(&ids);
                let before = inbox.get(id).unwrap().unwrap();
                let (name, roles) = ACTORS[actor];
                let answer = match answer {
                    0 => Answer::Accept,
                    1 => Answer::Edit(json!({ "amount": 1 })),
                    2 => Answer::Respond("well".to_owned()),
                    _ => Answer::Reject,
                };
                let seen = if saw_another {
                    Hash::of(b"another")
                } else {
                    before.proposal_digest
                };
                let actor = Actor::new(name, roles.iter().copied());
                let decided = inbox.decide(id, &actor, answer, "note", Some(seen)).await;
                // The role that decides now, if time has not ended it.
                let escalated = OnExpiry::Escalate {
                    to_role: "owner".to_owned(),
                };
                let role = match (before.is_open(), before.is_due(now)) {
                    (false, _) => None,
                    (true, false) => Some(before.role.as_str()),
                    (true, true) => (before.on_expiry == escalated).then_some("owner"),
                };
                let may = role.is_some_and(|role| roles.contains(&role))
                    && name.starts_with("person:")
                    && before.requested_by != name
                    && !saw_another;
                prop_assert_eq!(decided.is_ok(), may, "{:?} by {}", decided, name);
                if let Ok(item) = decided
                    && item.approved().is_some()
                {
                    approvals.insert(id, (name, now));
                }
            }
            Step::Advance(by) => {
                clock.advance(by);
            }
            Step::ExpireDue => {
                for item in inbox.expire_due().await.unwrap() {
                    prop_assert!(item.approved().is_none() && item.decision().is_none());
                }
                prop_assert_eq!(inbox.expire_due().await.unwrap(), vec![]);
                for item in inbox.list(&Filter::default()).unwrap() {
                    prop_assert!(!item.is_due(now));
                }
            }
            Step::Restart => inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone())),
        }
        check(&inbox, &ledger, &approvals)?;
    }
    Ok(())
}

fn check(
    inbox: &Inbox,
    ledger: &Ledger,
    approvals: &HashMap<uuid::Uuid, (&'static str, u64)>,
) -> Result<(), TestCaseError> {
    let items = inbox
        .list(&Filter {
            which: Which::All,
            ..Filter::default()
        })
        .unwrap();
    let mut open = HashMap::<&str, u64>::new();
    for item in &items {
        let history = ledger
            .events_of(&format!("inbox/{}", item.id), 0, 99)
            .unwrap();
        let decided: Vec<_> = history
            .iter()
            .filter(|event| event.kind == "inbox.decided")
            .collect();
        prop_assert_eq!(item.approved().is_some(), approvals.contains_key(&item.id));
        match &item.state {
            State::Open => {
                *open.entry(&item.subject).or_default() += 1;
                prop_assert!(decided.is_empty());
            }
            State::Expired { .. } | State::Withdrawn { .. } => {
                prop_assert!(decided.is_empty() && item.approved().is_none());
            }
            State::Decided(decision) => {
                prop_assert_eq!(decided.len(), 1);
                prop_assert_eq!(&decided[0].data["decision"]["by"], decision.by.as_str());
                prop_assert!(
                    decision.by.starts_with("person:") && decision.by != item.requested_by
                );
                prop_assert!(
                    item.due_at_ms.is_none_or(|due| decision.at_ms < due),
                    "decided after its time"
                );
                let (_, roles) = ACTORS
                    .iter()
                    .find(|(name, _)| *name == decision.by)
                    .unwrap();
                prop_assert!(roles.contains(&item.role.as_str()) && decision.role == item.role);
                if let Some(approval) = approvals.get(&item.id) {
                    prop_assert_eq!((decision.by.as_str(), decision.at_ms), *approval);
                }
            }
        }
    }
    prop_assert!(
        open.values().all(|count| *count == 1),
        "one open item for each subject: {:?}",
        open
    );
    let listed = inbox.list(&Filter::default()).unwrap().len() as u64;
    prop_assert_eq!(listed, open.values().sum::<u64>());
    prop_assert_eq!(inbox.counts().unwrap().open.values().sum::<u64>(), listed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_is_approved_but_by_a_person_with_authority_and_in_time(
        steps in prop::collection::vec(any_step(), 1..50)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps))?;
    }
}
