//! How far the dispatch goes for one request.

use serde::{Deserialize, Serialize};

use crate::{Backoff, ClassTable};

/// Numbers of the dispatch, with defaults that suit requests of seconds to minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DispatchPolicy {
    /// What each class of failure means.
    pub classes: ClassTable,
    /// The time before a retry at the same model.
    pub backoff: Backoff,
    /// Attempts of one request, hedges included.
    pub max_attempts: u32,
    /// With less time left than this, nothing new is begun.
    pub min_attempt_ms: u64,
    /// The longest that anybody waits for a sign of a model while another one could be asked.
    pub patience_ms: u64,
    /// The longest silence within a stream.
    pub stall_ms: u64,
    /// Models asked at once in addition to the first, for requests that are latency-critical.
    pub max_hedges: u32,
    /// No hedge is begun sooner than this, however fast the model usually is.
    pub min_hedge_ms: u64,
    /// The most that one hedge may cost, if there is a most.
    pub max_hedge_micro: Option<u64>,
    /// How often an answer may be continued by another model.
    pub max_continuations: u32,
    /// The longest text that is handed on to a model that continues it. What is longer and breaks is reported as broken.
    pub max_continued_bytes: usize,
    /// What to do when only open breakers are left.
    pub last_resort: LastResort,
    /// How long is waited for a breaker to let somebody through by itself, before it is overruled.
    pub breaker_wait_ms: u64,
}

/// What to do when the breakers of all models that are left are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastResort {
    /// Ask one of them all the same, and say so in the outcome. A provider that named a time is asked before it only
    /// where the deadline is sooner.
    #[default]
    Try,
    /// Give up, and say so.
    Refuse,
}

impl Default for DispatchPolicy {
    fn default() -> Self {
        Self {
            classes: ClassTable::default(),
            backoff: Backoff::default(),
            max_attempts: 8,
            min_attempt_ms: 50,
            patience_ms: 60_000,
            stall_ms: 20_000,
            max_hedges: 1,
            min_hedge_ms: 50,
            max_hedge_micro: None,
            max_continuations: 3,
            max_continued_bytes: 256 << 10,
            last_resort: LastResort::Try,
            breaker_wait_ms: 1_000,
        }
    }
}
