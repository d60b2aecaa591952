//! Between the plugin contract and the database: what a strategy asks while it thinks, and what it is told.

use std::sync::Arc;

use polity_database::evolve::{Index, Mutation, Rollup};
use polity_database::{CannotTell, WhatIf};
use polity_runtime::Problem;
use polity_runtime::plugin::what_if::{Change, Effect, Estimator, Forecast};

/// Fuel for a query that is planned: some 20 µs of the host, twice what a guest computes in that time.
const PLAN: u64 = 100_000;
/// Fuel for a change whose fields are counted: about a millisecond.
const SAMPLE: u64 = 2_000_000;

/// The database's answers, in the words of the contract.
pub(super) struct Answers(pub(super) Arc<WhatIf>);

impl Estimator for Answers {
    fn price(&self, changes: &[Change]) -> u64 {
        let work = self.0.work(&mutations(changes));
        let (plans, samples) = (
            work.plans.saturating_mul(PLAN),
            work.samples.saturating_mul(SAMPLE),
        );
        plans.saturating_add(samples)
    }

    fn estimate(&self, changes: &[Change]) -> Result<Forecast, Problem> {
        let told = self.0.estimate(&mutations(changes)).map_err(problem)?;
        let effect = |effect: polity_database::Effect| Effect {
            query: effect.query,
            now_us: effect.now_us,
            then_us: effect.then_us,
            uses: effect.uses,
        };
        Ok(Forecast {
            effects: told.effects.into_iter().map(effect).collect(),
            storage_bytes: told.storage_bytes,
            build_us: told.build_us,
            write_us: told.write_us,
        })
    }
}

fn problem(cannot: CannotTell) -> Problem {
    let code = match cannot {
        CannotTell::Unknown(_) => "unknown",
        CannotTell::TooMany(_) => "too-many",
    };
    Problem {
        code: code.to_owned(),
        detail: cannot.to_string(),
        retry_after_ms: None,
    }
}

fn mutations(changes: &[Change]) -> Vec<Mutation> {
    let index = |it: &polity_runtime::plugin::what_if::Index| Index {
        collection: it.collection.clone(),
        fields: it.fields.clone(),
    };
    let rollup = |it: &polity_runtime::plugin::what_if::Rollup| Rollup {
        collection: it.collection.clone(),
        group_by: it.group_by.clone(),
        aggregates: it.aggregates.clone(),
    };
    let mutation = |change: &Change| match change {
        Change::CreateIndex(it) => Mutation::CreateIndex(index(it)),
        Change::DropIndex(it) => Mutation::DropIndex(index(it)),
        Change::CreateRollup(it) => Mutation::CreateRollup(rollup(it)),
        Change::DropRollup(it) => Mutation::DropRollup(rollup(it)),
    };
    changes.iter().map(mutation).collect()
}
