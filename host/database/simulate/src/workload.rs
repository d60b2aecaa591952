//! What a database is asked to do, as `polity db simulate FILE` reads it.

use polity_watch::Shape;
use serde::{Deserialize, Serialize};

/// A load and the machine under it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// How long.
    pub days: u32,
    /// Where randomness starts.
    #[serde(default)]
    pub seed: u64,
    /// What there is.
    pub collections: Vec<CollectionLoad>,
    /// What is asked.
    #[serde(default)]
    pub queries: Vec<QueryLoad>,
    /// What it costs.
    #[serde(default)]
    pub machine: Machine,
}

/// A collection and its writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionLoad {
    /// Its name.
    pub name: String,
    /// Rows, for the whole time: what is written replaces.
    pub rows: u64,
    /// Bytes of a row.
    #[serde(default = "row_bytes")]
    pub row_bytes: u64,
    /// Writes a day.
    #[serde(default)]
    pub writes_per_day: f64,
    /// Its fields.
    pub fields: Vec<FieldLoad>,
}

/// A field of what is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldLoad {
    /// A key of the document.
    pub path: String,
    /// How many different values.
    pub distinct: u64,
    /// `text` or `integer`.
    #[serde(default = "text")]
    pub kind: String,
    /// Share of the documents that have it.
    #[serde(default = "one")]
    pub share: f64,
    /// The first day on which it is written.
    #[serde(default)]
    pub from_day: u32,
    /// The day from which it is not.
    #[serde(default = "never")]
    pub to_day: u32,
}

/// A query and when it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryLoad {
    /// The query without its literals.
    pub shape: Shape,
    /// When and how often.
    pub phases: Vec<Phase>,
    /// What an index on it costs, as a multiple of what the model says: above 1 the model lies.
    #[serde(default = "one")]
    pub index_truth: f64,
}

/// A time with one rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The first day.
    #[serde(default)]
    pub from_day: f64,
    /// The end.
    #[serde(default = "end")]
    pub to_day: f64,
    /// How often a day.
    pub calls_per_day: f64,
    /// Within the phase: this many days on, as many off.
    #[serde(default)]
    pub every_other_days: Option<f64>,
}

/// What things cost, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Machine {
    /// To read a row in a scan.
    pub scan: f64,
    /// To fetch a row by an index.
    pub fetch: f64,
    /// To keep an index or rollup up to date in a write.
    pub upkeep: f64,
    /// To build an index or rollup, for each row.
    pub build: f64,
    /// Noise of latencies: the deviation of their logarithm.
    pub sigma: f64,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            scan: 0.3,
            fetch: 3.6,
            upkeep: 12.0,
            build: 12.0,
            sigma: 0.3,
        }
    }
}

impl Phase {
    pub(crate) fn rate_at(&self, day: f64) -> f64 {
        let within = day >= self.from_day && day < self.to_day;
        let on = self
            .every_other_days
            .is_none_or(|span| (((day - self.from_day) / span.max(1e-3)) as u64).is_multiple_of(2));
        if within && on {
            self.calls_per_day
        } else {
            0.0
        }
    }
}

fn row_bytes() -> u64 {
    200
}

fn text() -> String {
    "text".to_owned()
}

fn one() -> f64 {
    1.0
}

fn never() -> u32 {
    u32::MAX
}

fn end() -> f64 {
    f64::MAX
}
