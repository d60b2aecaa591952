//! Circuit breakers: a model that fails is left alone for a while, and then tried with a few requests.
//!
//! One breaker for each (plugin, model). It opens when too large a share of the calls in a sliding window failed, when a
//! provider says how long it wants to be left alone, and when an account is empty. A stream counts when it ends, not when
//! it begins. Every change of state is an event for the ledger.

mod state;
mod window;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use state::{Breaker, Change};
pub use state::{BreakerPermit, BreakerState, Verdict};

type Models = HashMap<Arc<str>, Arc<Breaker>>;

/// When breakers open and close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerPolicy {
    /// How far back calls count.
    pub window_ms: u64,
    /// Fewer calls than this never open it: one failure of one call is not a rate.
    pub min_calls: u32,
    /// So many failures of a thousand calls open it.
    pub failure_permille: u32,
    /// How long it stays open the first time.
    pub open_ms: u64,
    /// The longest that it stays open by itself, however often it has opened in a row.
    pub max_open_ms: u64,
    /// The longest that a provider's own word keeps it open.
    pub max_hint_ms: u64,
    /// How long an empty account keeps it open the first time, where nobody says when it is filled.
    pub spend_cap_ms: u64,
    /// How long nobody overrules it after one who did has failed; twice as long each time.
    pub forced_pause_ms: u64,
    /// Calls let through at once when it is half open; at least one.
    pub probes: u32,
    /// How soon a caller who was not let through as a probe should ask again.
    pub probe_interval_ms: u64,
    /// When a probe of which nothing was heard is taken for lost.
    pub probe_overdue_ms: u64,
    /// Probes that have to succeed before it closes.
    pub successes_to_close: u32,
}

/// Why a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenWhy {
    /// Too many calls failed.
    FailureRate,
    /// The provider asked for it, with a time.
    Asked,
    /// The account is empty.
    SpendCap,
    /// The key is refused, or the model is gone.
    Unusable,
}

/// A breaker that is open, for whoever wanted to go through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerOpen {
    /// When it may be asked again.
    pub until_ms: u64,
    /// Why it is open.
    pub why: OpenWhy,
}

/// A change of state, for the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerEvent {
    /// The adapter.
    pub plugin: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// Before.
    pub from: BreakerState,
    /// After.
    pub to: BreakerState,
    /// When.
    pub at_ms: u64,
    /// Why it opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<OpenWhy>,
    /// Until when it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_ms: Option<u64>,
    /// Calls in the window when it opened.
    pub calls: u32,
    /// Failures among them.
    pub failures: u32,
}

/// A breaker as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReading {
    /// The adapter.
    pub plugin: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// Where it stands.
    pub state: BreakerState,
    /// Until when and why, where it is not closed.
    pub open: Option<BreakerOpen>,
    /// Calls in the window.
    pub calls: u32,
    /// Failures among them.
    pub failures: u32,
}

/// The breakers of all models.
#[derive(Debug, Default)]
pub struct Breakers {
    policy: BreakerPolicy,
    // Two levels, so that a look-up borrows both names.
    plugins: RwLock<HashMap<Arc<str>, Models>>,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            window_ms: 60_000,
            min_calls: 10,
            failure_permille: 500,
            open_ms: 5_000,
            max_open_ms: 5 * 60_000,
            max_hint_ms: 24 * 60 * 60_000,
            spend_cap_ms: 60_000,
            forced_pause_ms: 250,
            probes: 2,
            probe_interval_ms: 250,
            probe_overdue_ms: 2 * 60_000,
            successes_to_close: 2,
        }
    }
}

impl Breakers {
    /// All closed.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            plugins: RwLock::default(),
        }
    }

    /// What they work by.
    pub fn policy(&self) -> &BreakerPolicy {
        &self.policy
    }

    /// Lets a call to a model through, or says why not and until when. `force` goes through an open breaker, for a model
    /// that is the last one there is.
    pub fn admit(
        &self,
        plugin: &Arc<str>,
        model: &Arc<str>,
        now_ms: u64,
        force: bool,
    ) -> (Result<BreakerPermit, BreakerOpen>, Option<BreakerEvent>) {
        let breaker = self.of(plugin, model);
        let (answer, change) = breaker.admit(&self.policy, now_ms, force);
        let answer = answer.map_err(|(until_ms, why)| BreakerOpen { until_ms, why });
        let event = change.map(|change| event(plugin, model, change, now_ms));
        (answer, event)
    }

    /// Takes back what [`Breakers::admit`] gave, with what became of it.
    pub fn record(
        &self,
        plugin: &Arc<str>,
        model: &Arc<str>,
        permit: BreakerPermit,
        verdict: Verdict,
        now_ms: u64,
    ) -> Option<BreakerEvent> {
        let breaker = self.of(plugin, model);
        let change = breaker.record(&self.policy, &permit, verdict, now_ms)?;
        Some(event(plugin, model, change, now_ms))
    }

    /// Until when no call to the model is let through, if that is so. Takes nothing: for ranking.
    pub fn open_until(&self, plugin: &str, model: &str, now_ms: u64) -> Option<BreakerOpen> {
        let (until_ms, why) = self.get(plugin, model)?.open_until(now_ms)?;
        Some(BreakerOpen { until_ms, why })
    }

    /// Every breaker that has been used, by plugin and model.
    pub fn read(&self, now_ms: u64) -> Vec<BreakerReading> {
        let plugins = self.plugins.read();
        let mut readings: Vec<_> = plugins
            .iter()
            .flat_map(|(plugin, models)| models.iter().map(move |(model, it)| (plugin, model, it)))
            .map(|(plugin, model, breaker)| {
                let (state, open, calls, failures) = breaker.read(&self.policy, now_ms);
                BreakerReading {
                    plugin: plugin.clone(),
                    model: model.clone(),
                    state,
                    open: open.map(|(until_ms, why)| BreakerOpen { until_ms, why }),
                    calls,
                    failures,
                }
            })
            .collect();
        readings.sort_by(|a, b| (&a.plugin, &a.model).cmp(&(&b.plugin, &b.model)));
        readings
    }

    /// Takes over from an earlier run what is open beyond now, so that an empty account or a provider that asked to be
    /// left alone is not called by every restart.
    pub fn restore(&self, readings: &[BreakerReading], now_ms: u64) {
        for reading in readings {
            let latest = now_ms.saturating_add(self.policy.max_hint_ms);
            if let Some(BreakerOpen { until_ms, why }) = reading.open
                && reading.state == BreakerState::Open
                && until_ms > now_ms
            {
                let breaker = self.of(&reading.plugin, &reading.model);
                breaker.reopen(until_ms.min(latest), why);
            }
        }
    }

    /// Forgets the models that are no longer in the catalogue.
    pub fn retain(&self, is_known: impl Fn(&str, &str) -> bool) {
        let mut plugins = self.plugins.write();
        for (plugin, models) in plugins.iter_mut() {
            models.retain(|model, _| is_known(plugin, model));
        }
        plugins.retain(|_, models| !models.is_empty());
    }

    fn get(&self, plugin: &str, model: &str) -> Option<Arc<Breaker>> {
        self.plugins.read().get(plugin)?.get(model).cloned()
    }

    fn of(&self, plugin: &Arc<str>, model: &Arc<str>) -> Arc<Breaker> {
        if let Some(breaker) = self.get(plugin, model) {
            return breaker;
        }
        let mut plugins = self.plugins.write();
        let models = plugins.entry(plugin.clone()).or_default();
        let breaker = models.entry(model.clone());
        breaker.or_insert_with(|| Arc::new(Breaker::new())).clone()
    }
}

fn event(plugin: &Arc<str>, model: &Arc<str>, change: Change, at_ms: u64) -> BreakerEvent {
    BreakerEvent {
        plugin: plugin.clone(),
        model: model.clone(),
        from: change.from,
        to: change.to,
        at_ms,
        why: change.why,
        until_ms: change.until_ms,
        calls: change.calls,
        failures: change.failures,
    }
}

impl fmt::Display for OpenWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailureRate => "too many of its calls failed",
            Self::Asked => "its provider asked to be left alone",
            Self::SpendCap => "the account at its provider is empty",
            Self::Unusable => "its key is refused or the model is gone",
        })
    }
}

#[cfg(test)]
mod tests;
