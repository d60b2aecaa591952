//! What a provider allows in a minute and at once, kept here before the provider has to say no.
//!
//! A 429 costs a round trip, and at some providers counts against the limit itself. The limits come from the company's
//! configuration; what a provider says in its headers of what is left narrows them.

mod bucket;
mod headers;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use bucket::Bucket;
pub use headers::RateHeaders;

type Models = HashMap<Arc<str>, Gauge>;

/// What one model allows. Absent is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelLimits {
    /// Requests in a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute, of prompt and answer.
    pub tokens_per_minute: Option<u64>,
    /// Requests at once.
    pub concurrent: Option<u32>,
}

/// Why a request has to wait for a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "used-up")]
pub enum Limited {
    /// Requests in a minute are used up.
    Requests {
        /// When one more may go.
        until_ms: u64,
    },
    /// Tokens in a minute are used up.
    Tokens {
        /// When so many may go.
        until_ms: u64,
    },
    /// The request alone is more than a minute allows, so it never goes here.
    TooLarge {
        /// Tokens that it needs.
        tokens: u64,
        /// Tokens of a minute.
        per_minute: u64,
    },
    /// As many as may be are in progress.
    Concurrent {
        /// How many those are.
        limit: u32,
    },
}

/// What a request holds of a model's limits until it has ended.
#[derive(Debug)]
#[must_use = "a slot that is not given back stays taken"]
pub struct LimitPermit {
    tokens: u64,
}

/// The limits of all models.
#[derive(Debug, Default)]
pub struct Limits {
    plugins: Mutex<HashMap<Arc<str>, Models>>,
}

#[derive(Debug)]
struct Gauge {
    configured: ModelLimits,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    in_progress: u32,
}

impl Limits {
    /// Sets what a model allows. What is in progress and used stays so.
    pub fn set(&self, plugin: &Arc<str>, model: &Arc<str>, limits: ModelLimits, now_ms: u64) {
        let mut plugins = self.plugins.lock();
        let gauge = plugins
            .entry(plugin.clone())
            .or_default()
            .entry(model.clone())
            .or_insert_with(Gauge::new);
        gauge.configured = limits;
        refit(&mut gauge.requests, limits.requests_per_minute, now_ms);
        refit(&mut gauge.tokens, limits.tokens_per_minute, now_ms);
    }

    /// Takes a request and its tokens out of a model's limits, or says what it has to wait for. `None` where the model
    /// has no limits.
    pub fn acquire(
        &self,
        plugin: &str,
        model: &str,
        tokens: u64,
        now_ms: u64,
    ) -> Result<Option<LimitPermit>, Limited> {
        let mut plugins = self.plugins.lock();
        let gauge = plugins.get_mut(plugin).and_then(|it| it.get_mut(model));
        let Some(gauge) = gauge else { return Ok(None) };
        gauge.acquire(tokens, now_ms).map(Some)
    }

    /// Gives the slot back, and counts what was really used. `None` where nothing was sent.
    pub fn release(&self, plugin: &str, model: &str, permit: LimitPermit, used: Option<u64>) {
        let mut plugins = self.plugins.lock();
        let gauge = plugins.get_mut(plugin).and_then(|it| it.get_mut(model));
        let Some(gauge) = gauge else { return };
        gauge.in_progress = gauge.in_progress.saturating_sub(1);
        let used = match used {
            Some(used) => used,
            None => {
                if let Some(requests) = &mut gauge.requests {
                    requests.give_back(1);
                }
                0
            }
        };
        if let Some(tokens) = &mut gauge.tokens {
            match used.checked_sub(permit.tokens) {
                Some(more) => tokens.take(more),
                None => tokens.give_back(permit.tokens - used),
            }
        }
    }

    /// Takes over what a provider said of what is left. A limit that was not configured is learnt.
    pub fn observe(&self, plugin: &Arc<str>, model: &Arc<str>, said: &RateHeaders, now_ms: u64) {
        if !said.says_anything() {
            return;
        }
        let mut plugins = self.plugins.lock();
        let gauge = plugins
            .entry(plugin.clone())
            .or_default()
            .entry(model.clone())
            .or_insert_with(Gauge::new);
        if gauge.configured.requests_per_minute.is_none() && said.requests_limit.is_some() {
            refit(&mut gauge.requests, said.requests_limit, now_ms);
        }
        if gauge.configured.tokens_per_minute.is_none() && said.tokens_limit.is_some() {
            refit(&mut gauge.tokens, said.tokens_limit, now_ms);
        }
        if let (Some(bucket), Some(left)) = (&mut gauge.requests, said.requests_left) {
            bucket.at_most(left, now_ms);
        }
        if let (Some(bucket), Some(left)) = (&mut gauge.tokens, said.tokens_left) {
            bucket.at_most(left, now_ms);
        }
    }

    /// Requests in progress at a model that has limits.
    pub fn in_progress(&self, plugin: &str, model: &str) -> u32 {
        let plugins = self.plugins.lock();
        let gauge = plugins.get(plugin).and_then(|it| it.get(model));
        gauge.map_or(0, |gauge| gauge.in_progress)
    }
}

impl Limited {
    /// When to ask again; `None` where that would never help.
    pub fn until_ms(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Requests { until_ms } | Self::Tokens { until_ms } => Some(*until_ms),
            Self::TooLarge { .. } => None,
            // Nobody knows; soon enough for a person, seldom enough for a processor.
            Self::Concurrent { .. } => Some(now_ms.saturating_add(25)),
        }
    }
}

impl Gauge {
    fn new() -> Self {
        Self {
            configured: ModelLimits::default(),
            requests: None,
            tokens: None,
            in_progress: 0,
        }
    }

    fn acquire(&mut self, tokens: u64, now_ms: u64) -> Result<LimitPermit, Limited> {
        if let Some(limit) = self.configured.concurrent
            && self.in_progress >= limit
        {
            return Err(Limited::Concurrent { limit });
        }
        if let Some(bucket) = &mut self.requests {
            // A limit of no requests at all is a model that is switched off: it is as if it were always full.
            let until_ms = bucket.ready_at(1, now_ms).unwrap_or(u64::MAX);
            if until_ms > now_ms {
                return Err(Limited::Requests { until_ms });
            }
        }
        if let Some(bucket) = &mut self.tokens {
            match bucket.ready_at(tokens, now_ms) {
                None => {
                    let per_minute = bucket.per_minute();
                    return Err(Limited::TooLarge { tokens, per_minute });
                }
                Some(until_ms) if until_ms > now_ms => return Err(Limited::Tokens { until_ms }),
                Some(_) => bucket.take(tokens),
            }
        }
        if let Some(bucket) = &mut self.requests {
            bucket.take(1);
        }
        self.in_progress = self.in_progress.saturating_add(1);
        Ok(LimitPermit { tokens })
    }
}

fn refit(bucket: &mut Option<Bucket>, per_minute: Option<u64>, now_ms: u64) {
    let is_same = bucket.as_ref().map(Bucket::per_minute) == per_minute;
    if !is_same {
        *bucket = per_minute.map(|per_minute| Bucket::new(per_minute, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limits: ModelLimits) -> (Limits, Arc<str>) {
        let (all, name) = (Limits::default(), Arc::from("m"));
        all.set(&name, &name, limits, 0);
        (all, name)
    }

    #[test]
    fn a_model_without_limits_takes_no_permit() {
        assert!(Limits::default().acquire("p", "m", 5, 0).unwrap().is_none());
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        let (limits, m) = limited(ModelLimits {
            tokens_per_minute: Some(100),
            ..ModelLimits::default()
        });
        let permit = limits.acquire(&m, &m, 90, 0).unwrap().unwrap();
        assert_eq!(
            limits.acquire(&m, &m, 40, 0).unwrap_err(),
            Limited::Tokens { until_ms: 18_000 }
        );
        limits.release(&m, &m, permit, Some(10));
        assert!(limits.acquire(&m, &m, 90, 0).is_ok());
        assert_eq!(
            limits.acquire(&m, &m, 101, 0).unwrap_err(),
            Limited::TooLarge {
                tokens: 101,
                per_minute: 100
            }
        );
    }

    #[test]
    fn no_more_than_allowed_are_in_progress_at_once() {
        let (limits, m) = limited(ModelLimits {
            concurrent: Some(1),
            ..ModelLimits::default()
        });
        let permit = limits.acquire(&m, &m, 0, 0).unwrap().unwrap();
        assert_eq!(
            limits.acquire(&m, &m, 0, 0).unwrap_err(),
            Limited::Concurrent { limit: 1 }
        );
        limits.release(&m, &m, permit, Some(0));
        assert!(limits.acquire(&m, &m, 0, 0).is_ok());
    }

    #[test]
    fn what_a_provider_says_narrows_what_is_left() {
        let (limits, m) = (Limits::default(), Arc::from("m"));
        let said = RateHeaders {
            requests_limit: Some(60),
            requests_left: Some(1),
            ..RateHeaders::default()
        };
        limits.observe(&m, &m, &said, 0);
        let first = limits.acquire(&m, &m, 0, 0).unwrap();
        assert!(first.is_some());
        assert_eq!(
            limits.acquire(&m, &m, 0, 0).unwrap_err(),
            Limited::Requests { until_ms: 1_000 }
        );
    }

    #[test]
    fn a_limit_of_nothing_lets_nothing_through() {
        let (limits, m) = limited(ModelLimits {
            requests_per_minute: Some(0),
            ..ModelLimits::default()
        });
        assert_eq!(
            limits.acquire(&m, &m, 0, 0).unwrap_err().until_ms(0),
            Some(u64::MAX)
        );
    }
}
