//! A round: what is watched goes to every strategy, and what they propose to the gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use polity_evolve::{Mutation, Proposal, Quote};
use polity_watch::Stats;

use super::overseer::Observations;
use super::translate::{self, Cannot};
use super::what_if::WhatIf;
use crate::watching::Watching;

/// Microseconds to take one row into an index or a rollup, on the disk.
const BUILD_ROW: u64 = 4;
/// How far back rates of late reach.
const WINDOW_MS: u64 = 86_400_000;

/// How records are used, with the rows that there are.
pub(crate) fn stats(engine: &polity_engine::Engine, watching: &Watching) -> Stats {
    let mut stats = watching.stats();
    for collection in &mut stats.collections {
        if let Ok(rows) = engine.count(&collection.collection) {
            collection.rows = rows;
        }
    }
    stats
}

/// What strategies see at a time.
pub(super) fn observations(
    engine: &Arc<polity_engine::Engine>,
    stats: &Stats,
    evolution: &polity_evolve::Evolution,
    at_ms: u64,
) -> Result<Observations, String> {
    let what_if = Arc::new(WhatIf::new(engine, stats));
    let stats = serde_json::to_value(stats).map_err(|error| error.to_string())?;
    Ok(Observations {
        what_if,
        at_ms,
        window_ms: WINDOW_MS,
        seen: polity_evolve::seen(stats, evolution),
    })
}

/// The engine's own estimates, for one round.
pub(super) struct Quotes<'s> {
    catalogue: &'s polity_engine::Catalogue,
    by_collection: BTreeMap<&'s str, Quote>,
}

impl<'s> Quotes<'s> {
    pub(super) fn new(
        stats: &'s Stats,
        catalogue: &'s polity_engine::Catalogue,
        at_ms: u64,
    ) -> Self {
        let quote = |known: &polity_watch::CollectionStats| Quote {
            build_us: known.rows.saturating_mul(BUILD_ROW),
            collection_age_ms: at_ms.saturating_sub(known.first_ms),
            collection_bytes: known.rows.saturating_mul(known.row_bytes),
        };
        let known = stats.collections.iter();
        Self {
            catalogue,
            by_collection: known
                .map(|known| (known.collection.as_str(), quote(known)))
                .collect(),
        }
    }

    /// What making a mutation would take, or why it cannot be made of what there is.
    pub(super) fn of(&self, mutation: &Mutation) -> Result<Quote, String> {
        if let Err(Cannot::Nonsense(reason)) = translate::can(self.catalogue, mutation) {
            return Err(reason);
        }
        let quote = self.by_collection.get(mutation.collection()).copied();
        Ok(quote.unwrap_or_default())
    }

    /// Takes out what makes sense and this engine does not do: that is not the strategy's fault.
    pub(super) fn doable(&self, proposals: Vec<Proposal>) -> Vec<Proposal> {
        let is_beyond = |mutation: &Mutation| {
            matches!(
                translate::can(self.catalogue, mutation),
                Err(Cannot::Beyond(_))
            )
        };
        proposals
            .into_iter()
            .filter(|proposal| !is_beyond(&proposal.mutation))
            .collect()
    }
}
