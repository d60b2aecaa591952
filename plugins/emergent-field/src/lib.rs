//! A strategy that declares fields which have emerged from incoming data, widens those whose data has outgrown them,
//! and points out one field under two spellings.
//!
//! What arrives once may be a mistake, and what arrives a thousand times in an hour may be one mistake in a loop. What
//! has been there on three different days, thirty times and of one kind, is how somebody writes now.

#![forbid(unsafe_code)]

mod config;
mod emerge;
mod kinds;
mod seen;
mod spelling;
mod widen;

pub use config::Config;
pub use emerge::propose;
pub use seen::Seen;

use polity_sdk::strategy::{Observations, Problem, Proposal, Strategy};

/// The strategy.
pub struct EmergentField;

impl Strategy for EmergentField {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let config: Config = polity_sdk::config()?;
        let known: Seen = polity_sdk::parse(&seen.seen)?;
        Ok(propose(&config, seen.at_ms, &known))
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_strategy!(EmergentField);
polity_sdk::manifest!("polity.json");
