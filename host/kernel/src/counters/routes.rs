//! Whom the router chose and why, and what became of it: which calls were made beside the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use polity_dispatch::{AttemptEnd, AttemptRecord, StopWhy};
use polity_router::Outcome;
use serde::Serialize;

use crate::completion::CompletionRecord;

/// Choices of one model for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteCount {
    /// The model, `plugin/model`; empty where nobody was chosen.
    pub model: Arc<str>,
    /// Why: `named`, `only`, `best`, `explored`, `unfamiliar` or `nobody`.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// Calls of one model that were not simply the first, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptCount {
    /// The model, `plugin/model`.
    pub model: Arc<str>,
    /// Why it was called: `first`, `retry`, `fallback`, `hedge` or `continuation`.
    pub role: &'static str,
    /// How that ended: `answered`, the class of the failure, or why it was stopped.
    pub end: &'static str,
    /// How many.
    pub count: u64,
}

/// The counts as they grow.
#[derive(Default)]
pub(super) struct Routes {
    choices: BTreeMap<(Arc<str>, &'static str), u64>,
    attempts: BTreeMap<(Arc<str>, &'static str, &'static str), u64>,
}

impl Routes {
    pub(super) fn completion(&mut self, record: &CompletionRecord) {
        let decision = record.routing.as_ref().map(|routing| &routing.decision);
        let (model, reason) = match decision {
            None => (key(&record.plugin, &record.model), "named"),
            Some(decision) => match &decision.outcome {
                Outcome::Model { model, .. } if decision.explored => (model.clone(), "explored"),
                Outcome::Model { model, .. } if decision.candidates.len() == 1 => {
                    (model.clone(), "named")
                }
                Outcome::Model { model, .. } if decision.eligible().nth(1).is_none() => {
                    (model.clone(), "only")
                }
                Outcome::Model { model, .. } => (model.clone(), "best"),
                Outcome::Person { guess } => (guess.clone(), "unfamiliar"),
                Outcome::Council { .. } | Outcome::Nobody => return,
            },
        };
        *self.choices.entry((model, reason)).or_default() += 1;
        for attempt in &record.attempts {
            let AttemptRecord { plugin, model, .. } = attempt;
            let key = (key(plugin, model), attempt.role.name(), end(&attempt.end));
            *self.attempts.entry(key).or_default() += 1;
        }
    }

    /// Nobody might answer.
    pub(super) fn nobody(&mut self) {
        *self.choices.entry(("".into(), "nobody")).or_default() += 1;
    }

    pub(super) fn choices(&self) -> Vec<RouteCount> {
        self.choices
            .iter()
            .map(|((model, reason), count)| RouteCount {
                model: model.clone(),
                reason,
                count: *count,
            })
            .collect()
    }

    pub(super) fn attempts(&self) -> Vec<AttemptCount> {
        self.attempts
            .iter()
            .map(|((model, role, end), count)| AttemptCount {
                model: model.clone(),
                role,
                end,
                count: *count,
            })
            .collect()
    }
}

fn key(plugin: &str, model: &str) -> Arc<str> {
    format!("{plugin}/{model}").into()
}

fn end(end: &AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Answered => "answered",
        AttemptEnd::Failed { class, .. } => class.name(),
        AttemptEnd::Stopped(StopWhy::Timeout | StopWhy::Deadline) => "timeout",
        AttemptEnd::Stopped(StopWhy::Outrun) => "outrun",
        AttemptEnd::Stopped(StopWhy::Garbage) => "garbage",
        AttemptEnd::Stopped(StopWhy::Cancelled) => "cancelled",
    }
}
