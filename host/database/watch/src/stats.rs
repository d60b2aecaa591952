//! What is shown of a watch: aggregates for people, `polity db stats` and strategies.

use serde::{Deserialize, Serialize};

use crate::dependency::Determines;
use crate::kind::Kind;
use crate::shape::{Fingerprint, Shape};

/// Everything known at a time. Lists are in a fixed order: queries and accesses the heaviest first, the others by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Collections.
    pub collections: Vec<CollectionStats>,
    /// The heaviest query shapes.
    pub queries: Vec<QueryStats>,
    /// Fields of all collections.
    pub fields: Vec<FieldStats>,
    /// Indexes and rollups that answered queries.
    pub accesses: Vec<AccessStats>,
}

/// One collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionStats {
    /// Its name.
    pub collection: String,
    /// Rows now.
    pub rows: u64,
    /// Bytes of a row, about.
    pub row_bytes: u64,
    /// Documents written since it is watched.
    pub written: u64,
    /// Writes a day, of late.
    pub writes_per_day: f64,
    /// Reads a day, of late.
    pub reads_per_day: f64,
    /// Since when it is watched.
    pub first_ms: u64,
    /// Values that no path was kept for: too deep, too many, too rare.
    pub untracked: u64,
    /// Which fields determine which.
    pub dependencies: Vec<Determines>,
}

/// One query shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryStats {
    /// The identity of the shape.
    pub id: Fingerprint,
    /// The query without its literals.
    #[serde(flatten)]
    pub shape: Shape,
    /// Calls since it is known.
    pub calls: u64,
    /// Calls a day, of late.
    pub calls_per_day: f64,
    /// Rows looked at in a call, of late.
    pub examined_per_call: f64,
    /// Rows returned by a call, of late.
    pub returned_per_call: f64,
    /// Microseconds of a call, of late.
    pub us_per_call: f64,
    /// The share of all rows examined, of late.
    pub examined_share: f64,
    /// Median microseconds.
    pub p50_us: u64,
    /// 99th percentile of microseconds.
    pub p99_us: u64,
    /// Calls by hour of the day, UTC, as shares.
    pub hours: Vec<f64>,
    /// First call.
    pub first_ms: u64,
    /// Last call.
    pub last_ms: u64,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldStats {
    /// Which collection.
    pub collection: String,
    /// Dotted path; `[]` stands for the elements of an array, `*` for the keys of a map.
    pub path: String,
    /// Documents that have it.
    pub docs: u64,
    /// Documents that have it and not null.
    pub filled: u64,
    /// The share of documents that had it filled since its first.
    pub share: f64,
    /// The same, of late.
    pub recent_share: f64,
    /// Days on which it was filled.
    pub days: u32,
    /// What it holds, the most frequent first.
    pub kinds: Vec<KindCount>,
    /// Different values, about.
    pub distinct: u64,
    /// Values among which they were counted.
    pub sampled: u64,
    /// Bytes of a filled value, about.
    pub mean_bytes: f64,
    /// Forms of texts, the most frequent first: `A-9` for `AB-1234`.
    pub shapes: Vec<String>,
    /// Elements of an array, on average.
    pub mean_elements: f64,
    /// Elements of the longest array.
    pub most_elements: u64,
    /// First seen.
    pub first_ms: u64,
    /// Last filled.
    pub last_filled_ms: Option<u64>,
    /// Queries that named it.
    pub reads: u64,
    /// Queries that compared it.
    pub filters: u64,
    /// When a query last named it.
    pub last_read_ms: Option<u64>,
    /// The longest time between two reads.
    pub longest_read_gap_ms: u64,
}

/// How often a field is of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// Values.
    pub count: u64,
    /// The share of this kind in all values of late.
    pub recent_share: f64,
    /// Days on which there was one.
    pub days: u32,
}

/// One index or rollup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessStats {
    /// Its name.
    pub name: String,
    /// How often it answered.
    pub uses: u64,
    /// How often a day, of late.
    pub uses_per_day: f64,
    /// When it last did.
    pub last_ms: u64,
}
