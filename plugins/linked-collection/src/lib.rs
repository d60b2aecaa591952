//! A strategy that finds records inside records: fields that one key determines, and that are stored again in every row.
//!
//! Dependencies are easy to find and mostly mean nothing: a price determines a weight, a city determines a country.
//! What makes an entity is a key that somebody made to be one, and something said about it. So a dependency must hold,
//! must be no accident, must start from an identifier, and must reach a text; then each field goes to the nearest key.
//! A person decides; this strategy only points.

#![forbid(unsafe_code)]

mod config;
mod entities;
mod names;
mod seen;
mod suggest;

pub use config::Config;
pub use entities::{Entity, entities};
pub use seen::Seen;
pub use suggest::propose;

use polity_sdk::strategy::{Observations, Problem, Proposal, Strategy};

/// The strategy.
pub struct LinkedCollection;

impl Strategy for LinkedCollection {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let config: Config = polity_sdk::config()?;
        let known: Seen = polity_sdk::parse(&seen.seen)?;
        Ok(propose(&config, seen.at_ms, &known))
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_strategy!(LinkedCollection);
polity_sdk::manifest!("polity.json");
