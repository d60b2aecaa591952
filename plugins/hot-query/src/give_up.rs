//! What costs more than it saves, and was not a person's wish.

use polity_sdk::strategy::{Index, Mutation, Proposal, Rollup};
use serde_json::json;

use crate::cost::Cost;
use crate::seen::{Seen, Use};

/// Nothing is judged on less than a day of use.
const YOUNGEST_MS: u64 = 86_400_000;

/// Drops, the costliest first. The host adds up the regret and decides when it is enough.
pub(crate) fn give_up(at_ms: u64, seen: &Seen, cost: &Cost) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    for collection in &seen.collections {
        let upkeep = cost.writes(collection.writes_per_day);
        let saved = cost.scan(collection.rows as f64);
        let mut consider =
            |name: &str, origin: &str, since: Option<u64>, used: Option<Use>, mutation| {
                let uses = used.map_or(0.0, |used| used.uses_per_day);
                let net = upkeep - uses * saved;
                let old_enough =
                    since.is_some_and(|since| at_ms.saturating_sub(since) >= YOUNGEST_MS);
                if origin == "evolved" && old_enough && net >= 1.0 && !seen.rests(name, at_ms) {
                    proposals.push(Proposal {
                    mutation,
                    reason: format!(
                        "{name} answers {uses:.1} queries a day and is paid for by every write"
                    ),
                    evidence: json!({
                        "uses_per_day": uses, "writes_per_day": collection.writes_per_day.round(),
                    })
                    .to_string(),
                    benefit_us_per_day: net as i64,
                    write_cost_us_per_day: 0,
                    storage_bytes: 0,
                });
                }
            };
        for index in &collection.indexes {
            let mutation = Mutation::DropIndex(Index {
                collection: collection.collection.clone(),
                fields: index.fields.clone(),
            });
            consider(
                &index.name,
                &index.origin,
                index.since_ms,
                index.used,
                mutation,
            );
        }
        for rollup in &collection.rollups {
            let mutation = Mutation::DropRollup(Rollup {
                collection: collection.collection.clone(),
                group_by: rollup.group_by.clone(),
                aggregates: rollup.aggregates.clone(),
            });
            consider(
                &rollup.name,
                &rollup.origin,
                rollup.since_ms,
                rollup.used,
                mutation,
            );
        }
    }
    proposals.sort_by_key(|proposal| -proposal.benefit_us_per_day);
    proposals
}
