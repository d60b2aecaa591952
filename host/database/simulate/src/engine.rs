//! An engine that is a cost model.

use std::collections::BTreeMap;

use polity_evolve::{
    Batch, Built, Inverse, Journal, Judge, Life, Mutation, Quote, Saved, Surgery, SurgeryError,
    Verdict,
};
use polity_watch::{Op, Shape};
use uuid::Uuid;

use crate::workload::{CollectionLoad, Machine, QueryLoad, Workload};

const SEEK: f64 = 5.0;
const GROUP: f64 = 0.5;

/// What a run costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) us: f64,
    pub(crate) examined: f64,
    pub(crate) used: Option<String>,
}

/// The simulated engine.
pub(crate) struct Engine<'a> {
    pub(crate) workload: &'a Workload,
    /// Indexes and rollups that answer queries.
    visible: BTreeMap<String, Mutation>,
    /// What is built or to be given up, and on trial.
    pub(crate) trial: Option<(Uuid, Mutation)>,
    pub(crate) builds: u32,
    pub(crate) build_us: f64,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(workload: &'a Workload) -> Self {
        Self {
            workload,
            visible: BTreeMap::new(),
            trial: None,
            builds: 0,
            build_us: 0.0,
        }
    }

    pub(crate) fn quote(workload: &Workload, now_ms: u64, mutation: &Mutation) -> Quote {
        let known = collection(workload, mutation.collection());
        Quote {
            build_us: known.map_or(0, |known| build_us(&workload.machine, known) as u64),
            collection_age_ms: now_ms,
            collection_bytes: known.map_or(0, |known| known.rows * known.row_bytes),
        }
    }

    /// A run with the schema as it is, and, if the trial makes a difference to it, one with the trial's mutation.
    pub(crate) fn cost(&self, query: &QueryLoad) -> (Cost, Option<Cost>) {
        let now = self.cheapest(query, self.visible.values());
        let Some((_, mutation)) = &self.trial else {
            return (now, None);
        };
        let subject = mutation.subject();
        let then = if mutation.is_drop() {
            self.cheapest(
                query,
                self.visible
                    .iter()
                    .filter(|(name, _)| **name != subject)
                    .map(|(_, m)| m),
            )
        } else {
            self.cheapest(query, self.visible.values().chain([mutation]))
        };
        // Affected are the queries whose plan is another one.
        let affected = then.used != now.used;
        (now, affected.then_some(then))
    }

    /// A run without any index.
    pub(crate) fn scan(&self, query: &QueryLoad) -> Cost {
        let rows = collection(self.workload, &query.shape.collection).map_or(0, |known| known.rows);
        Cost {
            us: SEEK + rows as f64 * self.workload.machine.scan,
            examined: rows as f64,
            used: None,
        }
    }

    /// What a write to a collection costs more because of what there is, and because of the trial alone.
    pub(crate) fn upkeep(&self, collection: &str) -> (f64, f64) {
        let of = |mutation: &Mutation| {
            if mutation.collection() == collection {
                self.workload.machine.upkeep
            } else {
                0.0
            }
        };
        let trial = self
            .trial
            .as_ref()
            .filter(|(_, mutation)| !mutation.is_drop())
            .map_or(0.0, |(_, m)| of(m));
        (self.visible.values().map(of).sum::<f64>() + trial, trial)
    }

    /// Plans by what the model says, and pays what is true.
    fn cheapest<'m>(&self, query: &QueryLoad, with: impl Iterator<Item = &'m Mutation>) -> Cost {
        let mut best = self.scan(query);
        let mut truth = best.us;
        for mutation in with {
            if let Some((us, examined)) = self.through(&query.shape, mutation)
                && us < best.us
            {
                truth = us * query.index_truth;
                best = Cost {
                    us,
                    examined,
                    used: Some(mutation.subject()),
                };
            }
        }
        Cost { us: truth, ..best }
    }

    fn through(&self, shape: &Shape, mutation: &Mutation) -> Option<(f64, f64)> {
        let known = collection(self.workload, &shape.collection)?;
        let distinct = |path: &str| {
            let field = known.fields.iter().find(|field| field.path == path);
            field.map_or(1.0, |field| field.distinct.min(known.rows).max(1) as f64)
        };
        let machine = &self.workload.machine;
        match mutation {
            Mutation::CreateIndex(index) if index.collection == shape.collection => {
                let mut left = known.rows as f64;
                let mut used = 0;
                for path in &index.fields {
                    let Some(predicate) = shape.predicates.iter().find(|p| p.path == *path) else {
                        break;
                    };
                    used += 1;
                    match predicate.op {
                        Op::Equal | Op::In | Op::IsNull => left /= distinct(path),
                        Op::Range | Op::Prefix => {
                            left /= 3.0;
                            break;
                        }
                        Op::Other => return None,
                    }
                }
                (used > 0).then(|| (SEEK + left.max(1.0) * machine.fetch, left.max(1.0)))
            }
            Mutation::CreateRollup(rollup) if rollup.collection == shape.collection => {
                let answers = rollup.group_by == shape.group_by
                    && shape
                        .aggregates
                        .iter()
                        .all(|text| rollup.aggregates.contains(text));
                let groups: f64 = rollup.group_by.iter().map(|path| distinct(path)).product();
                answers.then_some((SEEK + groups * GROUP, groups))
            }
            _ => None,
        }
    }
}

pub(crate) fn collection<'w>(workload: &'w Workload, name: &str) -> Option<&'w CollectionLoad> {
    workload.collections.iter().find(|known| known.name == name)
}

fn build_us(machine: &Machine, known: &CollectionLoad) -> f64 {
    machine.build * known.rows as f64
}

impl Surgery for Engine<'_> {
    fn build(&mut self, _: Uuid, mutation: &Mutation) -> Result<Option<Built>, SurgeryError> {
        let known = collection(self.workload, mutation.collection());
        if !matches!(
            mutation,
            Mutation::CreateIndex(_) | Mutation::CreateRollup(_)
        ) {
            return Ok(Some(Built::default()));
        }
        let us = known.map_or(0.0, |known| build_us(&self.workload.machine, known));
        self.builds += 1;
        self.build_us += us;
        Ok(Some(Built {
            bytes: known.map_or(0, |known| known.rows * 24),
            build_us: us as u64,
        }))
    }

    fn interleave(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        self.trial = Some((id, mutation.clone()));
        Ok(())
    }

    fn verify(&mut self, _: Uuid, _: &Mutation) -> Result<(), SurgeryError> {
        Ok(())
    }

    fn activate(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        self.trial = None;
        match mutation {
            Mutation::CreateIndex(_) | Mutation::CreateRollup(_) => {
                self.visible.insert(mutation.subject(), mutation.clone());
            }
            Mutation::DropIndex(_) | Mutation::DropRollup(_) => {
                self.visible.remove(&mutation.subject());
            }
            _ => {}
        }
        Ok(())
    }

    fn undo(&mut self, _: Uuid, _: &Mutation, _: &Inverse) -> Result<(), SurgeryError> {
        self.trial = None;
        Ok(())
    }
}

/// Rules that allow everything, and people who never answer.
pub(crate) struct Permissive;

impl Judge for Permissive {
    fn judge(&mut self, _: &Life) -> Option<Verdict> {
        Some(Verdict::Allow)
    }

    fn ask(&mut self, _: &Life) {}
}

/// A disk in memory.
#[derive(Default)]
pub(crate) struct Disk(pub(crate) Saved);

impl Journal for Disk {
    fn store(&mut self, batch: &Batch) -> Result<(), String> {
        self.0.store(batch);
        Ok(())
    }
}
