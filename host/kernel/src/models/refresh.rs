//! The lists that adapters gave when they were asked, and when they are to be asked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Info, Plugin};
use serde::Serialize;

/// How long a list is good for.
const TTL_MS: u64 = 30_000;

/// How long an adapter that could not answer is left alone. Shorter: a server that was down may be up again.
const NEGATIVE_TTL_MS: u64 = 5_000;

/// The longest that is waited for a provider's list; somebody is waiting for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Models that are taken from one adapter.
const MAX_MODELS: usize = 10_000;

/// An adapter that could not say which models it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdapterProblem {
    /// The adapter.
    pub plugin: String,
    /// Stable, for programs.
    pub code: String,
    /// One sentence.
    pub detail: String,
}

/// What each version of an adapter answered. A new version, or one with a new grant, has not been asked yet.
#[derive(Default)]
pub(super) struct Lists(HashMap<usize, List>);

struct List {
    /// Keeps the address in use that the list is filed under.
    adapter: Arc<Plugin>,
    models: Vec<Info>,
    problem: Option<AdapterProblem>,
    asked_at_ms: u64,
}

pub(super) type Answer = Result<Vec<Info>, CallError>;

/// Asks adapters for their models, all at once.
pub(super) async fn ask(adapters: Vec<Arc<Plugin>>) -> Vec<(Arc<Plugin>, Answer)> {
    join_all(adapters.into_iter().map(|adapter| async move {
        let answer = match tokio::time::timeout(PATIENCE, adapter.models()).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Timeout(
                u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
            )),
        };
        (adapter, answer)
    }))
    .await
}

impl Lists {
    /// The adapters whose list is too old, or that have not been asked.
    pub(super) fn stale(&self, adapters: &[Arc<Plugin>], now_ms: u64) -> Vec<Arc<Plugin>> {
        let is_stale = |adapter: &&Arc<Plugin>| match self.0.get(&key(adapter)) {
            Some(list) => {
                let ttl = if list.problem.is_some() {
                    NEGATIVE_TTL_MS
                } else {
                    TTL_MS
                };
                // A clock that was set back makes a list stale too.
                !(list.asked_at_ms..list.asked_at_ms + ttl).contains(&now_ms)
            }
            None => true,
        };
        adapters.iter().filter(is_stale).cloned().collect()
    }

    /// What is known of an adapter's models: its last answer, or what it said at load.
    pub(super) fn of(&self, adapter: &Arc<Plugin>) -> Vec<Info> {
        match self.0.get(&key(adapter)) {
            Some(list) => list.models.clone(),
            None => adapter.description().models.clone(),
        }
    }

    /// Whether an adapter has been asked.
    pub(super) fn knows(&self, adapter: &Arc<Plugin>) -> bool {
        self.0.contains_key(&key(adapter))
    }

    /// Keeps an answer. After a failure the last good list stays: a provider that does not answer for a moment has not
    /// lost its models.
    pub(super) fn keep(&mut self, adapter: &Arc<Plugin>, answer: Answer, now_ms: u64) {
        let before = self.of(adapter);
        let (mut models, problem) = match answer {
            Ok(models) => (models, None),
            Err(error) => {
                let problem = AdapterProblem {
                    plugin: adapter.name().to_string(),
                    code: error.code().to_owned(),
                    detail: error.to_string(),
                };
                tracing::warn!(
                    plugin = problem.plugin,
                    code = problem.code,
                    "{}",
                    problem.detail
                );
                (before, Some(problem))
            }
        };
        models.truncate(MAX_MODELS);
        let list = List {
            adapter: adapter.clone(),
            models,
            problem,
            asked_at_ms: now_ms,
        };
        self.0.insert(key(adapter), list);
    }

    /// Lets go of adapters that serve no more.
    pub(super) fn forget_others(&mut self, serving: &[Arc<Plugin>]) {
        self.0.retain(|_, list| {
            serving
                .iter()
                .any(|adapter| Arc::ptr_eq(adapter, &list.adapter))
        });
    }

    pub(super) fn problems(&self) -> Vec<AdapterProblem> {
        let mut problems: Vec<_> = self
            .0
            .values()
            .filter_map(|list| list.problem.clone())
            .collect();
        problems.sort_by(|a, b| a.plugin.cmp(&b.plugin));
        problems
    }
}

fn key(adapter: &Arc<Plugin>) -> usize {
    Arc::as_ptr(adapter).addr()
}
