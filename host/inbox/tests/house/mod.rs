//! An inbox on a ledger, with a clock that a test moves.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::path::Path;
use std::sync::Arc;

use polity_inbox::{Actor, AnswerKind, Inbox, Item, NewItem, OnExpiry};
use polity_ledger::{Ledger, ManualClock, Options};
use serde_json::json;

pub(crate) const START: u64 = 1_700_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;

pub(crate) struct House {
    pub(crate) clock: ManualClock,
    pub(crate) ledger: Ledger,
    pub(crate) inbox: Inbox,
}

impl House {
    pub(crate) fn open(folder: &Path, now_ms: u64) -> Self {
        let clock = ManualClock::new(now_ms);
        let ledger = Ledger::open(Options::new(folder, Arc::new(clock.clone()))).unwrap();
        let inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            ledger,
            inbox,
        }
    }

    pub(crate) fn in_memory() -> Self {
        let clock = ManualClock::new(START);
        let ledger = Ledger::in_memory(Arc::new(clock.clone()));
        let inbox = Inbox::new(ledger.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            ledger,
            inbox,
        }
    }

    pub(crate) async fn raise(&self, subject: &str) -> Item {
        self.inbox.raise(new(subject)).await.unwrap().item
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.ledger
            .events(0, 9999)
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .collect()
    }
}

pub(crate) fn new(subject: &str) -> NewItem {
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

pub(crate) fn ada() -> Actor {
    Actor::new("person:ada", ["lead"])
}
