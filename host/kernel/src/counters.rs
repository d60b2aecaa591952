//! Counts for metrics, since the start.

mod inbox;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use polity_constitution::{ActionKind, OutcomeKind};
use polity_dispatch::cache::CacheStats;
use polity_runtime::digest::Digest;
use polity_runtime::registry::Generation;
use polity_runtime::{ExportStats, StatsSnapshot, World};
use serde::Serialize;

use crate::completion::{CompletionRecord, CompletionStatus};
use crate::histogram::Histogram;
use crate::workflows::WorkflowCount;
pub use inbox::InboxCount;
use routes::Routes;
pub use routes::{AttemptCount, RouteCount};

/// Kinds of action that are told apart, by their first word. Callers choose kinds; metrics have to stay few.
const MAX_KINDS: usize = 64;

/// What kinds beyond the limit are counted as.
const OTHER: &str = "other";

/// Answers of a model from which on it is known how long they take.
const LEAST_ANSWERS: u64 = 20;

/// No model is taken to be faster: what is saved below that is not worth a second one.
const LEAST_USUAL_MS: u64 = 250;

/// Counts since the start, and how things stand.
#[derive(Clone, Debug, Serialize)]
pub struct Counters {
    /// Decisions, by the first word of their kind, and by outcome.
    pub decisions: Vec<DecisionCount>,
    /// Completions, by model and by how they ended.
    pub completions: Vec<CompletionCount>,
    /// Whom the router chose, by why.
    pub routes: Vec<RouteCount>,
    /// Calls of completions that took more than one, or failed.
    pub attempts: Vec<AttemptCount>,
    /// Time of decisions of the router, in microseconds.
    pub router_decisions: Histogram,
    /// Requests for models that do not exist.
    pub unknown_models: u64,
    /// Changes of the records' schema that are over.
    pub schema_changes: Vec<SchemaChangeCount>,
    /// What the cache of answers has done.
    pub cache: CacheStats,
    /// Plugins in the folder.
    pub plugins: Vec<PluginCount>,
    /// What waits for people.
    pub inbox: InboxCount,
    /// What runs.
    pub workflows: WorkflowCount,
    /// The newest event of the ledger.
    pub ledger_seq: u64,
    /// Requests in progress.
    pub in_progress: usize,
}

/// Decisions of one kind with one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionCount {
    /// The kind's first word.
    pub kind: String,
    /// The outcome.
    pub outcome: OutcomeKind,
    /// How many.
    pub count: u64,
}

/// Completions of one model with one end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompletionCount {
    /// The model's id.
    pub model: Arc<str>,
    /// The adapter.
    pub plugin: Arc<str>,
    /// What was asked: `chat` or `embeddings`.
    pub operation: &'static str,
    /// How they ended.
    pub status: CompletionStatus,
    /// From the request to the end.
    pub took: Histogram,
    /// From the request to the first piece of a streamed answer.
    pub first_piece: Histogram,
    /// Tokens of prompts.
    pub input_tokens: Histogram,
    /// Tokens of answers; of vectors there are none.
    pub output_tokens: Histogram,
    /// The part of the prompts that came from providers' caches.
    pub cached_tokens: u64,
    /// Cost in micro-units.
    pub cost_micro: u64,
}

/// One plugin.
#[derive(Clone, Debug, Serialize)]
pub struct PluginCount {
    /// Its name.
    pub name: Arc<str>,
    /// Its state: `live`, `pending`, `needs-credential`, `refused` or `quarantined`.
    pub state: &'static str,
    /// The kind of the version that serves, if one does.
    pub world: Option<World>,
    /// The version that serves, if one does.
    pub digest: Option<Digest>,
    /// Its calls in progress.
    pub in_progress: usize,
    /// What it has done.
    pub stats: StatsSnapshot,
    /// The same by function, for those that have been called.
    pub exports: Vec<ExportStats>,
}

/// Changes of the records' schema of one kind with one end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaChangeCount {
    /// What was to be changed, for example `create-index`.
    pub kind: &'static str,
    /// `kept`, `reverted` or `refused`.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

/// What is counted where it happens.
pub(crate) struct Elsewhere {
    pub(crate) inbox: InboxCount,
    pub(crate) workflows: WorkflowCount,
    pub(crate) cache: CacheStats,
    pub(crate) router_decisions: Histogram,
    pub(crate) ledger_seq: u64,
    pub(crate) in_progress: usize,
}

/// The counters as they grow.
#[derive(Default)]
pub(crate) struct Counting(Mutex<Counts>);

/// The completions that are counted together: of one model and one adapter, asked for one thing, with one end.
type Completions = (Arc<str>, Arc<str>, &'static str, CompletionStatus);

#[derive(Default)]
struct Counts {
    decisions: BTreeMap<(String, OutcomeKind), u64>,
    completions: BTreeMap<Completions, CompletionCount>,
    routes: Routes,
    unknown_models: u64,
    schema_changes: BTreeMap<(&'static str, &'static str), u64>,
}

impl Counting {
    pub(crate) fn decision(&self, kind: &ActionKind, outcome: OutcomeKind) {
        let word = kind.as_str().split('.').next().unwrap_or(OTHER);
        let decisions = &mut self.0.lock().decisions;
        let is_room = decisions.len() < MAX_KINDS * 4;
        let key = (word.to_owned(), outcome);
        let key = if is_room || decisions.contains_key(&key) {
            key
        } else {
            (OTHER.to_owned(), outcome)
        };
        *decisions.entry(key).or_default() += 1;
    }

    pub(crate) fn completion(&self, record: &CompletionRecord) {
        let mut counts = self.0.lock();
        counts.routes.completion(record);
        let operation = record.operation();
        let key = (
            record.model.clone(),
            record.plugin.clone(),
            operation,
            record.status,
        );
        let count = counts
            .completions
            .entry(key)
            .or_insert_with(|| CompletionCount {
                model: record.model.clone(),
                plugin: record.plugin.clone(),
                operation,
                status: record.status,
                took: Histogram::of_times(),
                first_piece: Histogram::of_times(),
                input_tokens: Histogram::of_tokens(),
                output_tokens: Histogram::of_tokens(),
                cached_tokens: 0,
                cost_micro: 0,
            });
        count.took.observe(record.took_us);
        if let Some(first_us) = record.first_piece_us {
            count.first_piece.observe(first_us);
        }
        // Whoever failed before anything was read used nothing; that is no use of zero tokens.
        if record.input_tokens > 0 || record.status == CompletionStatus::Answered {
            count.input_tokens.observe(record.input_tokens);
            if !record.embeddings {
                count.output_tokens.observe(record.output_tokens);
            }
        }
        count.cached_tokens += record.cached_tokens;
        count.cost_micro = count.cost_micro.saturating_add(record.cost_micro);
    }

    /// The time within which nearly all answers of a model came, or of a stream the first piece; none where too few have
    /// come to say.
    pub(crate) fn usual_ms(
        &self,
        plugin: &Arc<str>,
        model: &Arc<str>,
        stream: bool,
    ) -> Option<u64> {
        let key = (
            model.clone(),
            plugin.clone(),
            "chat",
            CompletionStatus::Answered,
        );
        let counts = self.0.lock();
        let count = counts.completions.get(&key)?;
        let took = match stream {
            true => &count.first_piece,
            false => &count.took,
        };
        (took.count >= LEAST_ANSWERS).then(|| took.within(95).div_ceil(1000).max(LEAST_USUAL_MS))
    }

    /// A request that no model might answer.
    pub(crate) fn nobody(&self) {
        self.0.lock().routes.nobody();
    }

    /// A change of the records' schema is over.
    pub(crate) fn schema_change(&self, kind: &'static str, outcome: &'static str) {
        *self
            .0
            .lock()
            .schema_changes
            .entry((kind, outcome))
            .or_default() += 1;
    }

    pub(crate) fn unknown_model(&self) {
        self.0.lock().unknown_models += 1;
    }

    pub(crate) fn read(&self, plugins: &Generation, elsewhere: Elsewhere) -> Counters {
        let Elsewhere {
            inbox,
            workflows,
            cache,
            router_decisions,
            ledger_seq,
            in_progress,
        } = elsewhere;
        let counts = self.0.lock();
        let decisions = counts
            .decisions
            .iter()
            .map(|((kind, outcome), count)| DecisionCount {
                kind: kind.clone(),
                outcome: *outcome,
                count: *count,
            });
        Counters {
            decisions: decisions.collect(),
            completions: counts.completions.values().cloned().collect(),
            routes: counts.routes.choices(),
            attempts: counts.routes.attempts(),
            router_decisions,
            unknown_models: counts.unknown_models,
            schema_changes: counts
                .schema_changes
                .iter()
                .map(|((kind, outcome), count)| SchemaChangeCount {
                    kind,
                    outcome,
                    count: *count,
                })
                .collect(),
            cache,
            plugins: plugins
                .entries()
                .map(|entry| PluginCount::of(entry))
                .collect(),
            inbox,
            workflows,
            ledger_seq,
            in_progress,
        }
    }
}

impl PluginCount {
    fn of(entry: &polity_runtime::registry::Entry) -> Self {
        let serving = entry.serving.as_ref();
        Self {
            name: entry.name.clone(),
            state: entry.state.name(),
            world: serving.map(|plugin| plugin.identity().world),
            digest: serving.map(|plugin| plugin.identity().digest),
            in_progress: serving.map_or(0, |plugin| plugin.in_progress()),
            stats: serving.map(|plugin| plugin.stats()).unwrap_or_default(),
            exports: serving
                .map(|plugin| plugin.export_stats())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_callers_make_up_do_not_grow_the_metrics_without_end() {
        let counting = Counting::default();
        for index in 0..10_000 {
            counting.decision(
                &format!("kind{index}.x").parse().unwrap(),
                OutcomeKind::Allow,
            );
        }
        counting.decision(&"kind0.y".parse().unwrap(), OutcomeKind::Allow);
        let counts = counting.0.lock();
        assert!(counts.decisions.len() <= MAX_KINDS * 4 + 1);
        assert_eq!(
            counts.decisions[&("kind0".to_owned(), OutcomeKind::Allow)],
            2
        );
        assert_eq!(counts.decisions.values().sum::<u64>(), 10_001);
    }
}
