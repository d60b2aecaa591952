//! What is on trial: live queries run with and without it, and what each cost is told.
//!
//! Everybody gets the right rows either way. A query that the mutation makes no difference to is left alone, and where
//! nothing is on trial the price of asking is one read of an atomic.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use polity_engine::{Engine, EngineError, QueryOptions, Summary, Value};
use polity_evolve::{Canary, Mutation, Sample};
use rustc_hash::FxHashMap;
use uuid::Uuid;

/// Queries of which it is remembered whether a trial affects them.
const MOST_TEMPLATES: usize = 1_024;
/// Samples that wait to be taken; the oldest of more say the same as the newest.
const MOST_SAMPLES: usize = 4_096;

/// Mutations on trial.
#[derive(Default)]
pub(crate) struct Trials {
    many: AtomicUsize,
    trials: Mutex<Vec<Trial>>,
    samples: Mutex<Vec<(Uuid, Sample)>>,
}

struct Trial {
    id: Uuid,
    name: String,
    collection: String,
    is_drop: bool,
    dealer: Canary,
    affected: FxHashMap<u64, bool>,
    writes: u64,
}

/// One run that a trial has a say in.
struct Dealt {
    id: Uuid,
    template: u64,
    with: bool,
    name: String,
    is_masked: bool,
}

impl Trials {
    /// Begins to deal.
    pub(super) fn begin(&self, id: Uuid, mutation: &Mutation) {
        let (high, low) = id.as_u64_pair();
        let trial = Trial {
            id,
            name: mutation.subject(),
            collection: mutation.collection().to_owned(),
            is_drop: mutation.is_drop(),
            dealer: Canary::new(mutation.trial(), high ^ low),
            affected: FxHashMap::default(),
            writes: 0,
        };
        let mut trials = self.trials.lock();
        trials.retain(|known| known.id != id);
        trials.push(trial);
        self.many.store(trials.len(), Ordering::Release);
    }

    /// Deals no more.
    pub(super) fn end(&self, id: Uuid) {
        let mut trials = self.trials.lock();
        trials.retain(|known| known.id != id);
        self.many.store(trials.len(), Ordering::Release);
        drop(trials);
        self.samples.lock().retain(|(known, _)| *known != id);
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.trials.lock().clear();
        self.samples.lock().clear();
        self.many.store(0, Ordering::Release);
    }

    /// A document of a collection was written.
    pub(super) fn wrote(&self, collection: &str) {
        if self.is_idle() {
            return;
        }
        for trial in &mut *self.trials.lock() {
            trial.writes += u64::from(!trial.is_drop && trial.collection == collection);
        }
    }

    /// Writes since the last time that this was asked, by trial.
    pub(super) fn take_writes(&self) -> Vec<(Uuid, u64)> {
        let mut trials = self.trials.lock();
        let taken = trials
            .iter_mut()
            .map(|trial| (trial.id, std::mem::take(&mut trial.writes)));
        taken.filter(|(_, writes)| *writes > 0).collect()
    }

    pub(super) fn take_samples(&self) -> Vec<(Uuid, Sample)> {
        std::mem::take(&mut *self.samples.lock())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.many.load(Ordering::Acquire) == 0
    }

    /// Runs a statement as the trials have it. Returns whether there is a new sample.
    pub(crate) fn run(
        &self,
        engine: &Engine,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
        sink: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> (Result<Summary, EngineError>, bool) {
        let Some(dealt) = self.deal(engine, sql) else {
            return (engine.stream(sql, parameters, options, sink), false);
        };
        let mut options = options.clone();
        let named = match dealt.is_masked {
            true => &mut options.masked,
            false => &mut options.unmasked,
        };
        named.push(dealt.name.clone());
        // A reader that is slow says nothing of the plan.
        let mut waited = Duration::ZERO;
        let mut timed = |row: &[Value]| {
            let begun = Instant::now();
            let flow = sink(row);
            waited += begun.elapsed();
            flow
        };
        let answer = engine.stream(sql, parameters, &options, &mut timed);
        if let Ok(summary) = &answer {
            let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            let sample = Sample {
                template: dealt.template,
                with: dealt.with,
                cost: summary.micros.saturating_sub(waited),
            };
            let mut samples = self.samples.lock();
            if samples.len() < MOST_SAMPLES {
                samples.push((dealt.id, sample));
            }
        }
        let is_sampled = answer.is_ok();
        (answer, is_sampled)
    }

    /// A query is dealt into one trial at most: two that change at once would measure each other.
    fn deal(&self, engine: &Engine, sql: &str) -> Option<Dealt> {
        if self.is_idle() || !is_select(sql) {
            return None;
        }
        let template = engine.fingerprint(sql);
        for trial in &mut *self.trials.lock() {
            if !trial.affects(engine, sql, template) {
                continue;
            }
            let with = trial.dealer.deal(template);
            return Some(Dealt {
                id: trial.id,
                template,
                with,
                name: trial.name.clone(),
                // With a new index, and without one that is given up, the name is hidden on the other side.
                is_masked: with == trial.is_drop,
            });
        }
        None
    }
}

impl Trial {
    /// Whether the plan is another one with the mutation.
    fn affects(&mut self, engine: &Engine, sql: &str, template: u64) -> bool {
        if let Some(known) = self.affected.get(&template) {
            return *known;
        }
        let options = QueryOptions {
            unmasked: vec![self.name.clone()],
            ..QueryOptions::default()
        };
        // What is refused is no sample, and may be none of its kind: it is looked at again.
        let Ok(uses) = engine.uses(sql, &options) else {
            return false;
        };
        let affected = uses.contains(&self.name);
        if self.affected.len() < MOST_TEMPLATES {
            self.affected.insert(template, affected);
        }
        affected
    }
}

fn is_select(sql: &str) -> bool {
    let word = sql.trim_start().get(..6);
    word.is_some_and(|word| word.eq_ignore_ascii_case("select"))
}
