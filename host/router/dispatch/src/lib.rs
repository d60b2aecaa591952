//! What happens next, once the models that may answer a request are ranked.
//!
//! Models fail in many ways, slowly, halfway, and for money. This crate decides who is asked, for how long, who is asked
//! after that, what it may cost, and what the caller is told. It performs no I/O and has no clock: it is told the time and
//! what happened, and says what to do. So it is tested without a network and replays exactly.
//!
//! | part | what it is |
//! |---|---|
//! | [`Dispatch`] | one request on its way: attempts, retries, fallbacks, hedges, broken streams, one deadline |
//! | [`ClassTable`] | what each class of failure means, as data |
//! | [`Breakers`] | models that fail are left alone, and tried again carefully |
//! | [`Limits`] | what providers allow in a minute, kept before they have to say no |
//! | [`budget`] | what may be spent, by whom, until when |
//! | [`CostReport`] | what was spent, and what was saved |
//! | [`cascade`] | the cheap model first, checks of its answer, stronger models where it fails them |
//! | [`council`] | many models, rounds, votes, and what the minority said |
//! | [`cache`] | answers to requests that were asked before, word for word |
//!
//! A host drives a dispatch like this; each model call runs as the host likes, and tells what comes of it:
//!
//! ```
//! use std::sync::Arc;
//! use polity_dispatch::*;
//!
//! let house = House::new(BreakerPolicy::default(), BudgetRules::default());
//! let candidates = vec![Candidate::new("openai", "small"), Candidate::new("anthropic", "large")];
//! let facts = RequestFacts::new(uuid::Uuid::from_u128(1));
//! let (now, deadline) = (1_795_000_000_000, 1_795_000_030_000);
//! let mut dispatch = Dispatch::new(facts, candidates, deadline, Arc::default(), 42);
//!
//! let Step::Start(first) = dispatch.next(now, &house) else { panic!() };
//! assert_eq!(&*first.model, "small");
//! let failure = Failure::new(ErrorClass::Overloaded, "try again later");
//! dispatch.on_event(first.attempt, Event::Failed(&failure), now, &house);
//!
//! let Step::Start(second) = dispatch.next(now, &house) else { panic!() };
//! assert_eq!(&*second.model, "large");
//! dispatch.on_event(second.attempt, Event::Text("Yes."), now, &house);
//! dispatch.on_event(second.attempt, Event::End(End { finish: Some("stop"), usage: None }), now, &house);
//!
//! let Step::Finished(finished) = dispatch.next(now, &house) else { panic!() };
//! assert_eq!(finished.trail.attempts.len(), 2);
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod allowance;
mod backoff;
mod breaker;
pub mod budget;
pub mod cache;
mod candidate;
pub mod cascade;
mod class_table;
pub mod council;
mod dispatch;
mod facts;
mod failure;
mod gates;
mod group;
mod house;
mod limits;
mod money;
mod policy;
mod report;
mod rng;

pub use allowance::Allowance;
pub use backoff::Backoff;
pub use breaker::{
    BreakerEvent, BreakerOpen, BreakerPermit, BreakerPolicy, BreakerReading, BreakerState,
    Breakers, OpenWhy, Verdict,
};
pub use budget::{BudgetRules, Budgets, Payer};
pub use candidate::{Candidate, Price, Tokens, guess_tokens};
pub use class_table::{Billing, ClassRule, ClassTable, Mark, Reach, Then};
pub use dispatch::{
    AttemptEnd, AttemptId, AttemptRecord, Broken, Cause, Continuation, Dispatch, End, Event,
    Finished, GiveUp, Heard, Reason, Role, Start, Step, StopWhy, Trail, WhyNot,
};
pub use facts::{RequestFacts, Usage};
pub use failure::{ErrorClass, Failure};
pub use gates::{Ask, Blocked, Gates, NoGates, Permit, Settlement};
pub use group::Compare;
pub use house::House;
pub use limits::{LimitPermit, Limited, Limits, ModelLimits, RateHeaders};
pub use policy::{DispatchPolicy, LastResort};
pub use report::{CostReport, CostRow, CostSum, dearest_micro};
pub use rng::Rng;
