//! What this strategy reads of the observations. Everything else is ignored, so that the host may tell more.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The observations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Fields.
    pub fields: Vec<Field>,
    /// What was tried.
    pub history: Vec<Past>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Field {
    pub collection: String,
    pub path: String,
    pub state: String,
    pub schema: Option<Value>,
    pub docs: u64,
    pub filled: u64,
    pub share: f64,
    pub recent_share: f64,
    pub days: u32,
    pub kinds: Vec<KindCount>,
    pub filters: u64,
    pub mean_bytes: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct KindCount {
    pub kind: String,
    pub count: u64,
    pub recent_share: f64,
    pub days: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Past {
    pub subject: String,
    pub rests_until_ms: Option<u64>,
}

impl Seen {
    /// Until when subjects rest that were taken back or refused.
    pub fn resting(&self) -> BTreeMap<&str, u64> {
        (self.history.iter())
            .filter_map(|past| Some((past.subject.as_str(), past.rests_until_ms?)))
            .collect()
    }
}

impl Field {
    /// The name under which the host remembers it.
    pub fn subject(&self) -> String {
        format!("{}.{}", self.collection, self.path)
    }

    /// Whether it is one value at one place: not an element of an array, not any key of a map.
    pub fn is_one_place(&self) -> bool {
        !self.path.contains("[]") && !self.path.split('.').any(|part| part == "*")
    }
}
