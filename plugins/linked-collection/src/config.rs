//! The settings, and where their defaults come from.

use serde::Deserialize;

/// The settings of the grant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Rows a collection has at least. Fewer are read by a person faster than the suggestion.
    pub rows: u64,
    /// Share of rows that may contradict a dependency: typing errors.
    pub error: f64,
    /// How unlikely chance has to be, as −log10.
    pub evidence: f64,
    /// Rows that share a key, on average.
    pub rows_per_key: f64,
    /// Share of the collection's bytes that is saved, for a key without a name of its own.
    pub saving: f64,
    /// Proposals of one round.
    pub proposals: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rows: 200,
            error: 0.01,
            // 40 fields make 1,560 pairs, 256 collections 400,000: at 10^-12 each, one in a million sees an accident.
            evidence: 12.0,
            // Below two, more keys than repetitions are stored, and splitting adds more than it saves.
            rows_per_key: 2.0,
            saving: 0.03,
            proposals: 20,
        }
    }
}
