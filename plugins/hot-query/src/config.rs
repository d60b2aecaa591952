//! The settings, and where their defaults come from.

use serde::Deserialize;

/// The settings of the grant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Calls a day from which a query is hot.
    pub calls_per_day: f64,
    /// Share of all rows examined from which a query is heavy.
    pub examined_share: f64,
    /// Calls a day that a heavy query has at least.
    pub heavy_calls_per_day: f64,
    /// What a call has to become cheaper by.
    pub gain: f64,
    /// Share of its collection's bytes that an index may take.
    pub storage_share: f64,
    /// Indexes of a collection.
    pub indexes: usize,
    /// Groups of a rollup, as a share of the rows.
    pub groups_share: f64,
    /// Proposals of one round.
    pub proposals: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calls_per_day: 1_000.0,
            examined_share: 0.05,
            heavy_calls_per_day: 50.0,
            // Azure Database for PostgreSQL asks for 0.2 too; less drowns in the noise of a trial.
            gain: 0.2,
            storage_share: 0.2,
            indexes: 10,
            // Ten rows a group: below that, reading groups saves little over reading rows.
            groups_share: 0.1,
            proposals: 3,
        }
    }
}
