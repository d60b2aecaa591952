//! What this strategy reads of the observations. Everything else is ignored, so that the host may tell more.

use serde::Deserialize;
use serde_json::Value;

/// The observations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Collections.
    pub collections: Vec<Collection>,
    /// Fields.
    pub fields: Vec<Field>,
    /// What was tried.
    pub history: Vec<Past>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Collection {
    pub collection: String,
    pub first_ms: u64,
    pub written: u64,
    pub indexes: Vec<Index>,
    pub rollups: Vec<Rollup>,
    pub links: Vec<Link>,
    pub protected: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Index {
    pub fields: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rollup {
    pub group_by: Vec<String>,
    pub aggregates: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Link {
    pub key: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Field {
    pub collection: String,
    pub path: String,
    pub state: String,
    pub schema: Option<Value>,
    pub recent_share: f64,
    pub first_ms: u64,
    pub last_filled_ms: Option<u64>,
    pub reads: u64,
    pub last_read_ms: Option<u64>,
    pub longest_read_gap_ms: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Past {
    pub subject: String,
    pub kind: String,
    pub outcome: String,
    pub at_ms: u64,
    pub rests_until_ms: Option<u64>,
}
