//! What the rules put before people: into the inbox ([`raise`]), and back out of it ([`answer`]).

mod answer;
mod raise;
pub(crate) mod settled;
mod strange;

pub(crate) use answer::unread;
pub use answer::{HumanAnswer, HumanState, ItemAnswer};
pub use polity_inbox::RaiseError;
pub(crate) use raise::EscalateError;
pub(crate) use strange::ask_a_person;

/// The kind of inbox item that an escalated action is.
pub(crate) const ITEM: &str = "approval";
