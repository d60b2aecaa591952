//! What happened, in order, tamper-evident; and the state that must survive with it.
//!
//! A company that decides by machine has to be able to say afterwards what was decided, and to show that nobody
//! changed the record. So there is one append-only sequence of [`Event`]s, each carrying the hash of the one before
//! it, and one key-value state that is written *in the same commit* as the event that caused it: after a crash there
//! is never a decision without its event, nor an event without its effect.
//!
//! ```
//! # use std::sync::Arc;
//! # use polity_ledger::{Commit, Event, Ledger, ManualClock};
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let ledger = Ledger::in_memory(Arc::new(ManualClock::new(1_700_000_000_000)));
//! let receipt = ledger
//!     .commit(
//!         Commit::new()
//!             .expect_absent("plugin/triage")
//!             .put("plugin/triage", b"0.1.0")
//!             .event(Event::new("plugin.loaded", "/runtime", "plugin/triage", serde_json::json!({"version": "0.1.0"}))),
//!     )
//!     .await
//!     .unwrap();
//! assert_eq!(receipt.last_seq, Some(1));
//! assert_eq!(ledger.get("plugin/triage").unwrap().as_deref(), Some(b"0.1.0".as_slice()));
//! assert_eq!(ledger.verify(|_| ()).unwrap().events, 1);
//! # });
//! ```
//!
//! # Promises
//!
//! - [`Ledger::commit`] returns when the commit is on the disk; many commits share one flush.
//! - [`Ledger::commit_relaxed`] never waits for the disk; a crash may take the last half second of such commits,
//!   always a tail of the sequence, never one out of the middle.
//! - A commit is whole or absent, and commits have one total order: `seq` counts from 1 without a gap.
//! - A read sees every commit that returned before the read began.
//! - After a storage failure nothing more is accepted ([`CommitError::Stopped`]); reads go on where they can.
//!
//! # What is hashed
//!
//! The text of an event is its CloudEvents 1.0 JSON in canonical form ([`canonical`], RFC 8785), with the extension
//! attributes `sequence` and `previoushash`. Its hash is the SHA-256 of exactly these bytes; on the disk most texts
//! are kept as what they add to an earlier one. [`Ledger::export`] writes the same bytes with `,"hash":"…"` put before the last brace, so a stranger can check an
//! export with any JSON canonicaliser, or with none: cut the hash off and hash what remains.
//!
//! The chain shows a change of any past event. It cannot show that the newest events and the head were removed
//! together: compare [`Ledger::head`] with one that was noted elsewhere. Against damage, though not against a forger,
//! the file `witness` beside the database is such a note: a folder that opens with less than it says is refused.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod canonical;
mod chain;
mod clock;
mod commit;
mod event;
mod export;
mod hash;
mod id;
mod layout;
mod ledger;
mod news;
mod queue;
mod row;
pub mod store;
mod verify;
mod witness;
mod writer;

pub use clock::{Clock, ManualClock, SystemClock};
pub use commit::{Commit, CommitError, Receipt};
pub use event::{Event, StoredEvent};
pub use hash::Hash;
pub use id::new_id;
pub use ledger::{Ledger, Options, ReadError, Stats};
pub use store::OpenError;
pub use verify::{Broken, Verified, Why};
