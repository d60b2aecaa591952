//! The settings, and where their defaults come from.

use serde::Deserialize;

/// The settings of the grant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days without a read, at least. A month: what is closed monthly is read monthly.
    pub days: u64,
    /// How many times the longest silence so far has to pass.
    pub gaps: u64,
    /// Share of new documents that fill it, from which it is alive.
    pub share: f64,
    /// Proposals of one round.
    pub proposals: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            days: 30,
            gaps: 3,
            share: 0.01,
            proposals: 20,
        }
    }
}
