//! What this strategy reads of the observations. Everything else is ignored, so that the host may tell more.

use serde::Deserialize;

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
    pub rows: u64,
    pub row_bytes: u64,
    pub dependencies: Vec<Determines>,
    pub links: Vec<Link>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Determines {
    pub path: String,
    pub keys: u64,
    pub rows_per_key: f64,
    pub dependents: Vec<Dependent>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Dependent {
    pub path: String,
    pub error: f64,
    pub evidence: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Link {
    pub key: String,
    pub target: String,
    pub fields: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Field {
    pub collection: String,
    pub path: String,
    pub filled: u64,
    pub share: f64,
    pub kinds: Vec<KindCount>,
    pub mean_bytes: f64,
    pub shapes: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct KindCount {
    pub kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Past {
    pub subject: String,
    pub rests_until_ms: Option<u64>,
}

impl Field {
    /// The kind of most of its values.
    pub fn kind(&self) -> &str {
        self.kinds
            .iter()
            .find(|known| known.kind != "null")
            .map_or("null", |known| &known.kind)
    }

    /// Whether it says something, rather than counts, dates or refers.
    pub fn is_text(&self) -> bool {
        matches!(self.kind(), "text" | "email" | "url")
    }
}
