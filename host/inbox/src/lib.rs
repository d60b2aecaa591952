//! What waits for a person, and who may decide it.
//!
//! Where the rules of a company end, a person decides; and where nobody can find the question, nobody decides. So
//! every question of every part of the system is an [`Item`] in one place: durable, asked once while it is open,
//! with the proposal, the clause that stopped it and the evidence, a time it is due, and answers that go back to
//! whoever asked.
//!
//! A question that belongs to a record of the caller's own is put in the record's transaction: [`Inbox::stage`].
//!
//! # Promises
//!
//! - One function, [`authority`], says who may decide: a person, with the item's role, who did not ask for it.
//! - An item is decided once. Item, index and the event `inbox.decided` are one ledger commit, made only if nobody
//!   was faster.
//! - Time never approves. An item that is due is rejected, or goes to another role with a new time; and it is so from
//!   that moment on, whether or not [`Inbox::expire_due`] has come round.
//! - A decision is about the proposal that the person saw: its digest is in the decision, and a decision made on
//!   another digest is refused. An edit carries the new proposal and its digest; the old one stays in the item.
//! - A second item of the same kind and subject is not made while the first is open. [`Raised::same_proposal`] says
//!   whether the open one proposes the same.
//!
//! ```
//! # use std::sync::Arc;
//! # use polity_inbox::{Actor, Answer, AnswerKind, Inbox, NewItem, OnExpiry};
//! # use polity_ledger::{Ledger, ManualClock};
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! let clock = Arc::new(ManualClock::new(1_700_000_000_000));
//! let inbox = Inbox::new(Ledger::in_memory(clock.clone()), clock);
//! let item = inbox
//!     .raise(NewItem {
//!         kind: "approval".to_owned(),
//!         subject: "refund/4711".to_owned(),
//!         title: "Refund of 250 for order 4711".to_owned(),
//!         question: "The customer is past the 30 days. Refund anyway?".to_owned(),
//!         proposal: serde_json::json!({"refund": 250_000_000}),
//!         clause: Some("refunds/3".to_owned()),
//!         evidence: serde_json::json!([{"days": 34}]),
//!         role: "support-lead".to_owned(),
//!         requested_by: "agent:support".to_owned(),
//!         cost_at_stake: Some(250_000_000),
//!         due_at_ms: Some(1_700_000_000_000 + 86_400_000),
//!         on_expiry: OnExpiry::Reject,
//!         allowed: AnswerKind::all(),
//!     })
//!     .await
//!     .unwrap()
//!     .item;
//! let ada = Actor::new("person:ada", ["support-lead"]);
//! let digest = Some(item.proposal_digest);
//! let decided = inbox.decide(item.id, &ada, Answer::Accept, "a good customer", digest).await.unwrap();
//! assert_eq!(decided.approved(), Some(&serde_json::json!({"refund": 250_000_000})));
//! # });
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod authority;
mod error;
mod expiry;
mod inbox;
mod item;
mod key;
mod list;
mod stage;
mod wait;
mod withdraw;

pub use answer::{Answer, AnswerKind};
pub use authority::{Actor, Refusal, authority};
pub use error::{DecideError, InboxError, RaiseError};
pub use inbox::{Inbox, Raised};
pub use item::{Decision, Escalation, Item, NewItem, OnExpiry, State};
pub use list::{Counts, Filter, Which};
pub use stage::Staged;
pub use withdraw::Withdrawal;
