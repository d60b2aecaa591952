//! What is known of one query shape.

use serde::{Deserialize, Serialize};

use crate::decay::{DAY_MS, Decayed};
use crate::execution::Execution;
use crate::histogram::Histogram;
use crate::shape::Shape;

const HOUR_MS: u64 = DAY_MS / 24;

/// Use of one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueryUse {
    pub(crate) shape: Shape,
    pub(crate) total: u64,
    pub(crate) calls: Decayed,
    pub(crate) examined: Decayed,
    pub(crate) returned: Decayed,
    pub(crate) us: Decayed,
    pub(crate) latency: Histogram,
    /// By hour of the day, UTC: a nightly report is not a hot query at noon.
    pub(crate) hours: Vec<Decayed>,
    pub(crate) first_ms: u64,
    pub(crate) last_ms: u64,
}

impl QueryUse {
    pub(crate) fn new(shape: &Shape, at_ms: u64) -> Self {
        Self {
            shape: shape.clone().normalised(),
            total: 0,
            calls: Decayed::default(),
            examined: Decayed::default(),
            returned: Decayed::default(),
            us: Decayed::default(),
            latency: Histogram::default(),
            hours: vec![Decayed::default(); 24],
            first_ms: at_ms,
            last_ms: at_ms,
        }
    }

    pub(crate) fn ran(&mut self, run: &Execution<'_>, at_ms: u64, half_life_ms: u64) {
        self.total = self.total.saturating_add(1);
        self.calls.add(1.0, at_ms, half_life_ms);
        self.examined
            .add(run.rows_examined as f64, at_ms, half_life_ms);
        self.returned
            .add(run.rows_returned as f64, at_ms, half_life_ms);
        self.us.add(run.us as f64, at_ms, half_life_ms);
        self.latency.record(run.us);
        // Percentiles forget too, by calls: a thousand new ones outweigh all that came before.
        if self.total.is_multiple_of(1_000) {
            self.latency.halve();
        }
        let hour = (at_ms / HOUR_MS % 24) as usize;
        if let Some(hour) = self.hours.get_mut(hour) {
            // An hour comes once a day: it forgets over a week.
            hour.add(1.0, at_ms, 7 * DAY_MS);
        }
        self.last_ms = self.last_ms.max(at_ms);
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.hours.len() == 24 && self.latency.is_sound()
    }
}
