//! Whoever knows what an index would do: the host's planner, or nobody.

use std::collections::BTreeMap;

use polity_sdk::strategy::what_if::{Change, Index, estimate};

use crate::seen::Query;

/// Answers what indexes would do.
pub trait Planner {
    /// What all of these indexes of a collection together would do; nothing where nobody knows.
    fn ask(&self, collection: &str, indexes: &[Vec<String>]) -> Option<Told>;
}

/// What was told: for each query, what is left of the time of a call.
#[derive(Clone, Debug, Default)]
pub struct Told(BTreeMap<String, f64>);

/// The host, asked through the contract.
pub struct Host;

/// Nobody: the plugin's own model decides.
pub struct Nobody;

impl Told {
    /// The part of a call's time that is left, by the id of the query.
    pub fn new(left: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self(left.into_iter().collect())
    }

    /// What a call would take that takes so long now.
    pub(crate) fn then(&self, query: &Query, now: f64) -> Option<f64> {
        self.0.get(&query.id).map(|left| left * now)
    }
}

impl Planner for Host {
    fn ask(&self, collection: &str, indexes: &[Vec<String>]) -> Option<Told> {
        let change = |fields: &Vec<String>| {
            Change::CreateIndex(Index {
                collection: collection.to_owned(),
                fields: fields.clone(),
            })
        };
        let changes: Vec<Change> = indexes.iter().map(change).collect();
        let told = estimate(&changes).ok()?;
        let left = told.effects.into_iter().filter_map(|effect| {
            let left = effect.then_us / effect.now_us;
            (left.is_finite() && left >= 0.0).then_some((effect.query, left))
        });
        Some(Told::new(left))
    }
}

impl Planner for Nobody {
    fn ask(&self, _: &str, _: &[Vec<String>]) -> Option<Told> {
        None
    }
}
