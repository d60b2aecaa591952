//! What this strategy reads of the observations. Everything else is ignored, so that the host may tell more.

use serde::Deserialize;

/// The observations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Collections.
    pub collections: Vec<Collection>,
    /// Query shapes.
    pub queries: Vec<Query>,
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
    pub writes_per_day: f64,
    pub indexes: Vec<Index>,
    pub rollups: Vec<Rollup>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Index {
    pub name: String,
    pub fields: Vec<String>,
    pub origin: String,
    pub since_ms: Option<u64>,
    #[serde(rename = "use")]
    pub used: Option<Use>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rollup {
    pub name: String,
    pub group_by: Vec<String>,
    pub aggregates: Vec<String>,
    pub origin: String,
    pub since_ms: Option<u64>,
    #[serde(rename = "use")]
    pub used: Option<Use>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Use {
    pub uses_per_day: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    pub id: String,
    pub collection: String,
    pub predicates: Vec<Predicate>,
    pub order: Vec<Order>,
    pub group_by: Vec<String>,
    pub aggregates: Vec<String>,
    pub inexact: bool,
    pub calls_per_day: f64,
    pub examined_per_call: f64,
    pub returned_per_call: f64,
    pub us_per_call: f64,
    pub examined_share: f64,
    pub last_ms: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Predicate {
    pub path: String,
    pub op: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Order {
    pub path: String,
    pub descending: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Field {
    pub collection: String,
    pub path: String,
    pub distinct: u64,
    pub sampled: u64,
    pub mean_bytes: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Past {
    pub subject: String,
    pub rests_until_ms: Option<u64>,
}

impl Seen {
    /// How many different values a field has; `None` if it was never seen.
    pub fn distinct(&self, collection: &str, path: &str) -> Option<f64> {
        let field = self.field(collection, path)?;
        // Where the sampled values are nearly all different, so are those that were not sampled.
        let rows = self.rows(collection);
        let nearly_all = field.sampled > 0 && field.distinct as f64 > 0.9 * field.sampled as f64;
        Some(
            if nearly_all {
                rows
            } else {
                field.distinct as f64
            }
            .max(1.0),
        )
    }

    /// Bytes of a value.
    pub fn bytes(&self, collection: &str, path: &str) -> f64 {
        self.field(collection, path)
            .map_or(8.0, |field| field.mean_bytes)
    }

    /// Rows of a collection.
    pub fn rows(&self, collection: &str) -> f64 {
        self.collection(collection)
            .map_or(0.0, |known| known.rows as f64)
    }

    /// A collection.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections
            .iter()
            .find(|known| known.collection == name)
    }

    /// Whether something was taken back or refused and may not be proposed yet.
    pub fn rests(&self, subject: &str, at_ms: u64) -> bool {
        (self.history.iter()).any(|past| {
            past.subject == subject && past.rests_until_ms.is_some_and(|until| at_ms < until)
        })
    }

    fn field(&self, collection: &str, path: &str) -> Option<&Field> {
        (self.fields.iter()).find(|field| field.collection == collection && field.path == path)
    }
}
