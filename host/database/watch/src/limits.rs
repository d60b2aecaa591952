//! How much may be remembered.

use serde::{Deserialize, Serialize};

use crate::decay::DAY_MS;

/// Upper bounds of everything that a load could make grow.
///
/// At the defaults a collection with every path in use takes about 5 MiB and its dependencies 4 MiB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Query shapes that are kept.
    pub queries: usize,
    /// Collections with field statistics.
    pub collections: usize,
    /// Paths of one collection.
    pub paths: usize,
    /// Steps from the document down; what lies deeper is counted with its parent.
    pub depth: usize,
    /// Values that are looked at in one document.
    pub values: usize,
    /// Elements that are looked at in one array.
    pub elements: usize,
    /// Bytes of a path; longer ones are not kept.
    pub path_bytes: usize,
    /// Fields of one collection that are looked at for dependencies.
    pub dependency_fields: usize,
    /// Groups that are kept whole for each of them.
    pub dependency_groups: usize,
    /// Collections that are looked at for dependencies.
    pub dependency_collections: usize,
    /// Documents of a collection of which every one goes into the sketches; later only one in `sample_every`.
    pub sample_all_until: u64,
    /// See `sample_all_until`.
    pub sample_every: u64,
    /// In what time half of a rate is forgotten.
    pub half_life_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queries: 500,
            collections: 256,
            paths: 4_096,
            depth: 12,
            values: 20_000,
            elements: 64,
            path_bytes: 512,
            dependency_fields: 40,
            dependency_groups: 128,
            dependency_collections: 32,
            sample_all_until: 2_000,
            sample_every: 8,
            half_life_ms: DAY_MS,
        }
    }
}
