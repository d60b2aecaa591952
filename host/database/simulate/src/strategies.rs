//! The four strategies, called as libraries: the same logic that runs as a plugin, on the same JSON.

use polity_evolve::Proposal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::convert::proposal;

/// Which strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Indexes and rollups.
    HotQuery,
    /// Fields that appear.
    EmergentField,
    /// Fields that fall silent.
    StaleField,
    /// Records inside records.
    LinkedCollection,
}

impl Which {
    /// All of them.
    pub const ALL: [Which; 4] = [
        Which::HotQuery,
        Which::EmergentField,
        Which::StaleField,
        Which::LinkedCollection,
    ];

    /// The plugin's name.
    pub fn name(self) -> &'static str {
        match self {
            Which::HotQuery => "hot-query",
            Which::EmergentField => "emergent-field",
            Which::StaleField => "stale-field",
            Which::LinkedCollection => "linked-collection",
        }
    }
}

/// What a strategy proposes on what is seen, with the settings it has by default.
///
/// # Errors
/// What is seen is not what the strategy reads: host and strategy disagree.
pub fn propose(which: Which, at_ms: u64, seen: &Value) -> Result<Vec<Proposal>, serde_json::Error> {
    let proposals = match which {
        Which::HotQuery => hot_query::propose(
            &hot_query::Config::default(),
            at_ms,
            &Deserialize::deserialize(seen)?,
            // A simulated engine has no planner; the strategy's own model has to do.
            &hot_query::Nobody,
        ),
        Which::EmergentField => emergent_field::propose(
            &emergent_field::Config::default(),
            at_ms,
            &Deserialize::deserialize(seen)?,
        ),
        Which::StaleField => stale_field::propose(
            &stale_field::Config::default(),
            at_ms,
            &Deserialize::deserialize(seen)?,
        ),
        Which::LinkedCollection => linked_collection::propose(
            &linked_collection::Config::default(),
            at_ms,
            &Deserialize::deserialize(seen)?,
        ),
    };
    Ok(proposals.into_iter().map(proposal).collect())
}
