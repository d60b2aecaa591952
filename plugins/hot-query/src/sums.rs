//! Rollups: aggregates over groups, kept instead of computed.

use std::collections::{BTreeMap, BTreeSet};

use polity_sdk::strategy::{Mutation, Proposal, Rollup};
use serde_json::json;

use crate::config::Config;
use crate::cost::Cost;
use crate::seen::{Query, Seen};

#[derive(Default)]
struct Wanted {
    aggregates: BTreeSet<String>,
    us: f64,
    calls_per_day: f64,
    queries: Vec<String>,
}

/// One rollup for all queries that group alike.
pub(crate) fn sums(
    config: &Config,
    at_ms: u64,
    seen: &Seen,
    cost: &Cost,
    hot: &[&Query],
) -> Vec<Proposal> {
    let mut wanted: BTreeMap<(&str, &[String]), Wanted> = BTreeMap::new();
    for query in hot.iter().filter(|query| can_be_kept(query)) {
        let Some(groups) = groups(seen, query) else {
            continue;
        };
        let (now, then) = (cost.now(query), cost.groups(groups));
        if groups > config.groups_share * seen.rows(&query.collection)
            || then > now * (1.0 - config.gain)
        {
            continue;
        }
        let want = wanted
            .entry((&query.collection, &query.group_by))
            .or_default();
        want.aggregates.extend(query.aggregates.iter().cloned());
        want.us += query.calls_per_day * (now - then);
        want.calls_per_day += query.calls_per_day;
        want.queries.push(query.id.clone());
    }
    (wanted.into_iter())
        .filter_map(|((collection, group_by), want)| {
            proposal(at_ms, seen, cost, collection, group_by, want)
        })
        .collect()
}

fn proposal(
    at_ms: u64,
    seen: &Seen,
    cost: &Cost,
    collection: &str,
    group_by: &[String],
    want: Wanted,
) -> Option<Proposal> {
    let known = seen.collection(collection)?;
    let covered = known.rollups.iter().any(|rollup| {
        rollup.group_by == group_by
            && want
                .aggregates
                .iter()
                .all(|text| rollup.aggregates.contains(text))
    });
    let aggregates: Vec<String> = want.aggregates.into_iter().collect();
    let subject = format!(
        "{collection} by {}: {}",
        group_by.join(", "),
        aggregates.join(", ")
    );
    let writes = cost.writes(known.writes_per_day);
    if covered || want.us <= writes || seen.rests(&subject, at_ms) {
        return None;
    }
    let groups: f64 = group_by
        .iter()
        .filter_map(|path| seen.distinct(collection, path))
        .product();
    Some(Proposal {
        reason: format!(
            "{} of {collection} is computed {:.0} times a day from all rows; it can be kept up to date instead",
            aggregates.join(", "), want.calls_per_day,
        ),
        evidence: json!({
            "queries": want.queries, "calls_per_day": want.calls_per_day.round(), "groups": groups.round(),
            "rows": known.rows, "writes_per_day": known.writes_per_day.round(),
        })
        .to_string(),
        benefit_us_per_day: want.us as i64,
        write_cost_us_per_day: writes as i64,
        storage_bytes: (groups * (32.0 + 16.0 * aggregates.len() as f64)) as u64,
        mutation: Mutation::CreateRollup(Rollup {
            collection: collection.to_owned(),
            group_by: group_by.to_vec(),
            aggregates,
        }),
    })
}

/// Whether groups alone answer it: known aggregates, and comparisons that only choose groups.
fn can_be_kept(query: &Query) -> bool {
    let known = |text: &String| {
        ["count(", "sum(", "min(", "max(", "avg("]
            .iter()
            .any(|name| text.starts_with(name))
            && !text.contains("distinct")
    };
    !query.inexact
        && !query.aggregates.is_empty()
        && query.aggregates.iter().all(known)
        && (query.predicates.iter()).all(|p| query.group_by.contains(&p.path))
}

fn groups(seen: &Seen, query: &Query) -> Option<f64> {
    query.group_by.iter().try_fold(1.0, |groups, path| {
        Some(groups * seen.distinct(&query.collection, path)?)
    })
}
