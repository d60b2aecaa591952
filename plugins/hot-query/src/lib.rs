//! A strategy that proposes indexes and rollups for queries that are asked again and again, and to give up those that
//! cost more than they save.
//!
//! Which queries are worth it follows from what they cost, not from their number alone: a thousand cheap calls a day
//! and fifty that read half of all rows are both. An index is chosen for all queries together (the greedy Extend of
//! Schlosser, Kossmann and Boissier, ICDE 2019), so that one index of two fields wins over two of one. A model of its own
//! sorts the candidates; what the best of them would do, the host's planner is asked.

#![forbid(unsafe_code)]

mod candidates;
mod config;
mod cost;
mod give_up;
mod hot;
mod planner;
mod seen;
mod sums;

pub use config::Config;
pub use hot::propose;
pub use planner::{Host, Nobody, Planner, Told};
pub use seen::Seen;

use polity_sdk::strategy::{Observations, Problem, Proposal, Strategy};

/// The strategy.
pub struct HotQuery;

impl Strategy for HotQuery {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let config: Config = polity_sdk::config()?;
        let known: Seen = polity_sdk::parse(&seen.seen)?;
        Ok(propose(&config, seen.at_ms, &known, &Host))
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_strategy!(HotQuery);
polity_sdk::manifest!("polity.json");
