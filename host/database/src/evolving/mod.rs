//! A database that changes its own schema: what is watched goes to strategies, what they argue for to the rules and the
//! people, and what is let happen is built hidden, tried on live queries, and kept or taken back.
//!
//! The life of a mutation is [`polity_evolve`]'s; here are the hands and the clockwork. [`Overseer`] is the port: the
//! house around a database says who the strategies are, who judges, and where the journal lies. A thread of its own does
//! the work, woken by use: a database that nobody asks costs nothing. No query ever waits for it.

mod builds;
mod evolver;
mod links;
mod listener;
mod machine;
mod overseer;
mod reading;
mod rehearsal;
mod round;
mod story;
mod surgeon;
mod translate;
mod trials;
mod verify;
mod what_if;
mod worker;

pub use evolver::{Evolver, RevertRefused, Stalled};
pub use overseer::{Answered, Observations, Overseer, Settings};
pub use reading::{MutationView, StrategyView};
pub use rehearsal::{Conversation, Rehearsal, Rehearsed};
pub use what_if::{Asked, CannotTell, Effect, Estimate, WhatIf, Work};

pub(crate) use links::Links;
pub(crate) use listener::Listener;
pub(crate) use machine::Site;
pub(crate) use round::stats;
pub(crate) use trials::Trials;
