//! The clockwork: an hour of load, a round of strategies, a tick.

use polity_evolve::{Effect, Evolution, Outcome, Policy, Sample, Why, drive, seen};
use polity_watch::{Execution, Fingerprint, Watch};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::engine::{Disk, Engine, Permissive};
use crate::noise::Noise;
use crate::report::{Happened, Report};
use crate::strategies::{Which, propose};
use crate::workload::{CollectionLoad, Workload};

const HOUR_MS: u64 = 3_600_000;
/// Documents that a collection is filled with; more would say the same.
const FILL: u64 = 2_000;

struct Run<'a> {
    workload: &'a Workload,
    watch: Watch,
    evolution: Evolution,
    engine: Engine<'a>,
    disk: Disk,
    noise: Noise,
    now_ms: u64,
    ids: u64,
    report: Report,
}

/// Runs a load from its first day to its last.
pub fn run(workload: &Workload) -> Report {
    let mut run = Run {
        workload,
        watch: Watch::default(),
        evolution: Evolution::new(Policy::default()),
        engine: Engine::new(workload),
        disk: Disk::default(),
        noise: Noise::new(workload.seed),
        now_ms: 0,
        ids: 0,
        report: Report {
            days: workload.days,
            ..Report::default()
        },
    };
    let fingerprints: Vec<Fingerprint> = workload
        .queries
        .iter()
        .map(|query| query.shape.fingerprint())
        .collect();
    for collection in &workload.collections {
        for _ in 0..collection.rows.min(FILL) {
            let document = document(collection, 0, &mut run.noise);
            run.watch.wrote(&collection.name, &document, 0);
        }
        run.watch.sized(&collection.name, collection.rows, 0);
    }
    // Fractions of a call and of a write that an hour is owed.
    let mut owed = vec![0.0; workload.queries.len() + workload.collections.len()];
    for hour in 0..u64::from(workload.days) * 24 {
        run.hour(hour, &fingerprints, &mut owed);
        if run.report.broken.is_some() {
            break;
        }
    }
    run.finish()
}

impl Run<'_> {
    fn hour(&mut self, hour: u64, fingerprints: &[Fingerprint], owed: &mut [f64]) {
        let day = hour as f64 / 24.0;
        let mut work: Vec<usize> = Vec::new();
        for (at, owed) in owed.iter_mut().enumerate() {
            let rate = match self.workload.queries.get(at) {
                Some(query) => query.phases.iter().map(|phase| phase.rate_at(day)).sum(),
                None => self.workload.collections[at - self.workload.queries.len()].writes_per_day,
            };
            *owed += rate / 24.0;
            let due = owed.max(0.0).floor();
            *owed -= due;
            work.extend(std::iter::repeat_n(at, due as usize));
        }
        // Calls of an hour come in no order.
        for at in (1..work.len()).rev() {
            let other = self.noise.below(at as u64 + 1) as usize;
            work.swap(at, other);
        }
        let count = work.len().max(1) as u64;
        for (n, at) in work.into_iter().enumerate() {
            self.now_ms = hour * HOUR_MS + n as u64 * HOUR_MS / count;
            match fingerprints.get(at) {
                Some(fingerprint) => self.query(at, *fingerprint),
                None => self.write(at - fingerprints.len(), day as u32),
            }
        }
        self.now_ms = (hour + 1) * HOUR_MS;
        self.round();
        let effects = self.evolution.tick(self.now_ms, 0);
        self.carry_out(effects);
    }

    fn query(&mut self, at: usize, fingerprint: Fingerprint) {
        let query = &self.workload.queries[at];
        let (mut cost, trial) = self.engine.cost(query);
        let latency = self.noise.latency(self.workload.machine.sigma);
        let mut sample = None;
        if let (Some(then), Some((id, _))) = (trial, self.engine.trial.clone()) {
            let with = self.evolution.deal(id, fingerprint.0);
            if with {
                cost = then;
            }
            sample = Some((id, with));
        }
        let us = cost.us * latency;
        let used: Vec<String> = cost.used.into_iter().collect();
        let returned = if used.is_empty() {
            cost.examined.min(20.0)
        } else {
            cost.examined
        };
        let run = Execution {
            shape: &query.shape,
            fingerprint,
            rows_examined: cost.examined as u64,
            rows_returned: returned as u64,
            us: us as u64,
            used: &used,
        };
        self.watch.executed(&run, self.now_ms);
        self.report.queries += 1;
        self.report.cost_us += us;
        self.report.never_us += self.engine.scan(query).us * latency;
        if let Some((id, with)) = sample {
            let sample = Sample {
                template: fingerprint.0,
                with,
                cost: us as u64,
            };
            let effects = self.evolution.sampled(id, sample, self.now_ms);
            self.carry_out(effects);
        }
    }

    fn write(&mut self, at: usize, day: u32) {
        let collection = &self.workload.collections[at];
        let document = document(collection, day, &mut self.noise);
        self.watch
            .replaced(&collection.name, &document, self.now_ms);
        let (upkeep, of_trial) = self.engine.upkeep(&collection.name);
        self.report.writes += 1;
        self.report.upkeep_us += upkeep;
        self.report.cost_us += upkeep;
        if let Some((id, _)) = &self.engine.trial {
            self.evolution.upkeep(*id, of_trial as u64);
        }
    }

    fn round(&mut self) {
        let stats = serde_json::to_value(self.watch.stats(self.now_ms));
        let all = match stats {
            Ok(stats) => seen(stats, &self.evolution),
            Err(error) => {
                self.report.broken = Some(error.to_string());
                return;
            }
        };
        for which in Which::ALL {
            let proposals = match propose(which, self.now_ms, &all) {
                Ok(proposals) => proposals,
                Err(error) => {
                    self.report.broken = Some(format!("{}: {error}", which.name()));
                    return;
                }
            };
            let (now_ms, workload, ids) = (self.now_ms, self.workload, &mut self.ids);
            let (_, effects) = self.evolution.proposed(
                which.name(),
                proposals,
                |mutation| Ok(Engine::quote(workload, now_ms, mutation)),
                || {
                    *ids += 1;
                    Uuid::from_u64_pair(now_ms, *ids)
                },
                now_ms,
            );
            self.carry_out(effects);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let result = drive(
            &mut self.evolution,
            effects,
            &mut self.engine,
            &mut Permissive,
            &mut self.disk,
            self.now_ms,
        );
        if let Err(error) = result {
            self.report.broken = Some(error.to_string());
        }
    }

    fn finish(mut self) -> Report {
        self.report.builds = self.engine.builds;
        self.report.build_us = self.engine.build_us;
        self.report.cost_us += self.engine.build_us;
        self.report.happened = (self.evolution.history().entries().iter())
            .map(|entry| Happened {
                day: entry.at_ms as f64 / (24 * HOUR_MS) as f64,
                mutation: entry.proposal.mutation.to_string(),
                outcome: match &entry.outcome {
                    Outcome::Kept => "kept".to_owned(),
                    Outcome::Reverted {
                        why: Why::Trial { decision },
                    } => format!("reverted ({decision:?})").to_lowercase(),
                    Outcome::Reverted { .. } => "reverted".to_owned(),
                    Outcome::Refused { .. } => "refused".to_owned(),
                },
            })
            .collect();
        self.report.asked = (self.evolution.lives())
            .filter(|life| matches!(life.state, polity_evolve::State::Asked { .. }))
            .map(|life| life.mutation().to_string())
            .collect();
        self.report
    }
}

fn document(collection: &CollectionLoad, day: u32, noise: &mut Noise) -> Value {
    let mut document = Map::new();
    for field in &collection.fields {
        let n = noise.below(field.distinct);
        if day >= field.from_day && day < field.to_day && noise.chance(field.share) {
            let value = match field.kind.as_str() {
                "integer" => json!(n),
                _ => json!(format!("{} {n}", field.path)),
            };
            document.insert(field.path.clone(), value);
        }
    }
    Value::Object(document)
}
