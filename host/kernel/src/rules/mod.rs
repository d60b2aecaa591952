//! From an action to a ruling: which rules speak to it, what each says, and what follows from all of them together.

mod bench;
mod book;
mod docket;
mod facts;
mod hearing;
mod ruling;

pub(crate) use bench::{Judge, Seat};
pub(crate) use book::{Book, Books};
pub(crate) use facts::Facts;
pub(crate) use hearing::{Hearing, failure_of, hear, verdict_of};
pub(crate) use ruling::Measure;
pub(crate) use ruling::{Question, Ruling, accept, rule};
