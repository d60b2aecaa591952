//! What a plugin version has done so far: counters for metrics and for the operator.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::failure::CallError;

/// Counters of one plugin version.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    calls: AtomicU64,
    problems: AtomicU64,
    failures: AtomicU64,
    busy_ns: AtomicU64,
    fuel: AtomicU64,
    log_dropped: AtomicU64,
    /// By [`Export`].
    exports: [Ended; Export::ALL.len()],
}

/// How calls of one function ended.
#[derive(Debug, Default)]
struct Ended {
    calls: AtomicU64,
    problems: AtomicU64,
    failures: AtomicU64,
}

/// One function of the contract; each kind of plugin has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// A rule judges.
    Evaluate,
    /// A strategy proposes.
    Propose,
    /// An adapter lists its models.
    Models,
    /// An adapter answers.
    Complete,
    /// An adapter embeds.
    Embed,
    /// A connector acts.
    Call,
}

/// A reading of the counters of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExportStats {
    /// The function.
    pub export: Export,
    /// Calls that ended, in whatever way.
    pub calls: u64,
    /// Calls that the guest answered with a problem.
    pub problems: u64,
    /// Calls that trapped, timed out or ran out of something.
    pub failures: u64,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatsSnapshot {
    /// Calls that ended, in whatever way.
    pub calls: u64,
    /// Calls that the guest answered with a problem.
    pub problems: u64,
    /// Calls that trapped, timed out or ran out of something.
    pub failures: u64,
    /// Time from a call's start to its end, summed, in nanoseconds; waiting counts.
    pub busy_ns: u64,
    /// Fuel burnt, for plugins that are counted in fuel.
    pub fuel: u64,
    /// Log messages past the budget.
    pub log_dropped: u64,
}

impl Export {
    /// Every one of them.
    pub const ALL: [Self; 6] = [
        Self::Evaluate,
        Self::Propose,
        Self::Models,
        Self::Complete,
        Self::Embed,
        Self::Call,
    ];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Propose => "propose",
            Self::Models => "models",
            Self::Complete => "complete",
            Self::Embed => "embed",
            Self::Call => "call",
        }
    }
}

impl Stats {
    pub(crate) fn record<T>(
        &self,
        export: Export,
        took: Duration,
        fuel: u64,
        log_dropped: u32,
        result: &Result<T, CallError>,
    ) {
        let ended = &self.exports[export as usize];
        self.calls.fetch_add(1, Ordering::Relaxed);
        ended.calls.fetch_add(1, Ordering::Relaxed);
        self.busy_ns.fetch_add(
            u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
        self.log_dropped
            .fetch_add(log_dropped.into(), Ordering::Relaxed);
        let counters = match result {
            Ok(_) => return,
            Err(CallError::Problem(_) | CallError::Cancelled) => [&self.problems, &ended.problems],
            Err(_) => [&self.failures, &ended.failures],
        };
        for counter in counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The functions that have been called.
    pub(crate) fn exports(&self) -> impl Iterator<Item = ExportStats> {
        Export::ALL
            .into_iter()
            .zip(&self.exports)
            .filter_map(|(export, ended)| {
                let calls = ended.calls.load(Ordering::Relaxed);
                (calls > 0).then(|| ExportStats {
                    export,
                    calls,
                    problems: ended.problems.load(Ordering::Relaxed),
                    failures: ended.failures.load(Ordering::Relaxed),
                })
            })
    }

    /// Mean time of a call so far, in nanoseconds.
    pub(crate) fn mean_ns(&self) -> u64 {
        self.busy_ns
            .load(Ordering::Relaxed)
            .checked_div(self.calls.load(Ordering::Relaxed))
            .unwrap_or(0)
    }

    pub(crate) fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            calls: self.calls.load(Ordering::Relaxed),
            problems: self.problems.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            busy_ns: self.busy_ns.load(Ordering::Relaxed),
            fuel: self.fuel.load(Ordering::Relaxed),
            log_dropped: self.log_dropped.load(Ordering::Relaxed),
        }
    }
}
