//! The interpreter: explicit state over data.
//!
//! An [`Instance`] is a value. A step takes an instance and a fact (an effect has completed, a timer fired, an event
//! arrived) and returns the next instance with what is to be journaled and what is to be done. It reads no clock and no
//! file, and it replays no code: whoever stores the instance can continue it, with this build or a later one.

mod apply;
mod arguments;
mod effect;
mod entry;
mod fault;
mod flow;
mod instance;
mod listen;
mod listening;
mod machine;
mod pause;
mod recover;
mod retry;
mod start;

pub use entry::{Entry, EntryKind};
pub use fault::{Fault, FaultKind};
pub use instance::{Instance, Outcome, Phase};
pub use listening::{Correlator, Triggered};
pub use machine::{EffectId, EffectRequest, Event, Ignored, StepError, Transition};
pub use recover::Recovery;
