//! What is the matter with models at this moment. The router keeps no breaker, budget or probe; it is told.

use std::collections::HashMap;
use std::sync::Arc;

/// Models that are not simply available, by key. A model that is not here is.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// By key, `plugin/id`.
    pub models: HashMap<Arc<str>, Standing>,
}

/// What is the matter with one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its breaker is open; until when, in milliseconds since the epoch, if that is known.
    pub breaker_open: Option<Option<u64>>,
    /// Its provider refuses more requests; until when, if that is known.
    pub rate_limited: Option<Option<u64>>,
    /// What may still be spent on it, in micro-units.
    pub budget_left: Option<u64>,
    /// Its last probe failed; why.
    pub unhealthy: Option<String>,
    /// Expected milliseconds until the whole answer, where something outside measures it.
    pub latency_ms: Option<u64>,
}

impl Live {
    /// Everything is available.
    pub fn all_available() -> Self {
        Self::default()
    }

    pub(crate) fn of(&self, key: &str) -> Option<&Standing> {
        // Nothing is the matter nearly always; a hash for each model would be the most expensive part of that.
        if self.models.is_empty() {
            None
        } else {
            self.models.get(key)
        }
    }
}
