//! Amendments: how the constitution is changed by vote.
//!
//! An amendment is a branch of the repository that the company's folder lies in. Whoever submits it opens a vote: the
//! version that merging would give is read, compared with the one in force, and put before everybody who may vote, each
//! with an item of their own in the inbox. Who may vote and how many have to agree is settled by the charter in force at
//! that moment and not changed afterwards.
//!
//! - A vote is about one commit and one digest. An edit opens another round, and the votes on the one before are void.
//! - Whoever has submitted any round of it cannot vote on it; the inbox's one function of authority says so.
//! - What is merged is, byte for byte, what was agreed on. Where branch or constitution have moved, it is refused and
//!   said how to go on.
//! - How it stands is never stored: it is counted from the inbox items whenever somebody asks.
//!
//! `Voting => Accepted | Rejected; any => Voting (submitted again) | Withdrawn; Accepted => Merged`.

mod error;
mod law_of;
mod merge;
mod place;
mod preview;
mod record;
mod simulate;
mod submit;
mod view;
mod vote;

pub use error::AmendmentError;
pub(crate) use law_of::documents_of;
pub use preview::Preview;
pub use record::{Amendment, Comment, Ending, Proposal, Round};
pub use submit::Submission;
pub use view::{AmendmentState, AmendmentView, VoteView};

/// The kind of inbox item that a vote is.
pub(crate) const ITEM: &str = "amendment";
