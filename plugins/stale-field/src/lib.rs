//! A strategy that puts fields out of sight which nobody reads or writes any more, and takes back those that somebody
//! asks for again.
//!
//! Archiving loses nothing: the bytes stay in their rows and the field answers when it is named. So the rule may be
//! simple; what it must not do is hide a field that is used once a quarter. Hence the wait is three times the longest
//! silence there has been, and it doubles each time the field is archived again.

#![forbid(unsafe_code)]

mod config;
mod seen;
mod stale;

pub use config::Config;
pub use seen::Seen;
pub use stale::propose;

use polity_sdk::strategy::{Observations, Problem, Proposal, Strategy};

/// The strategy.
pub struct StaleField;

impl Strategy for StaleField {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let config: Config = polity_sdk::config()?;
        let known: Seen = polity_sdk::parse(&seen.seen)?;
        Ok(propose(&config, seen.at_ms, &known))
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_strategy!(StaleField);
polity_sdk::manifest!("polity.json");
