//! Between the plugin contract and the database: what strategies see, and what they say.

use polity_database::Observations;
use polity_database::evolve::{Alias, Field, Index, Link, Mutation, Proposal, Rollup};
use polity_runtime::plugin;
use serde_json::Value;

/// What a strategy is told.
pub(super) fn seen(seen: &Observations) -> plugin::Observations {
    plugin::Observations {
        at_ms: seen.at_ms,
        window_ms: seen.window_ms,
        seen: seen.seen.to_string(),
    }
}

/// What a strategy said. A schema or evidence that is no JSON becomes null, which the gate refuses or shows as it is.
pub(super) fn proposal(from: plugin::Proposal) -> Proposal {
    Proposal {
        mutation: mutation(from.mutation),
        reason: from.reason,
        evidence: parsed(&from.evidence),
        benefit_us_per_day: from.benefit_us_per_day,
        write_cost_us_per_day: from.write_cost_us_per_day,
        storage_bytes: from.storage_bytes,
    }
}

fn mutation(from: plugin::Mutation) -> Mutation {
    macro_rules! index {
        ($it:ident) => {
            Index {
                collection: $it.collection,
                fields: $it.fields,
            }
        };
    }
    macro_rules! rollup {
        ($it:ident) => {
            Rollup {
                collection: $it.collection,
                group_by: $it.group_by,
                aggregates: $it.aggregates,
            }
        };
    }
    macro_rules! field {
        ($it:ident) => {
            Field {
                collection: $it.collection,
                path: $it.path,
                schema: parsed(&$it.schema),
            }
        };
    }
    match from {
        plugin::Mutation::CreateIndex(it) => Mutation::CreateIndex(index!(it)),
        plugin::Mutation::DropIndex(it) => Mutation::DropIndex(index!(it)),
        plugin::Mutation::CreateRollup(it) => Mutation::CreateRollup(rollup!(it)),
        plugin::Mutation::DropRollup(it) => Mutation::DropRollup(rollup!(it)),
        plugin::Mutation::PromoteField(it) => Mutation::PromoteField(field!(it)),
        plugin::Mutation::WidenField(it) => Mutation::WidenField(field!(it)),
        plugin::Mutation::ArchiveField(it) => Mutation::ArchiveField(field!(it)),
        plugin::Mutation::RestoreField(it) => Mutation::RestoreField(field!(it)),
        plugin::Mutation::AliasField(it) => Mutation::AliasField(Alias {
            collection: it.collection,
            path: it.path,
            alias: it.alias,
        }),
        plugin::Mutation::LinkCollection(it) => Mutation::LinkCollection(Link {
            collection: it.collection,
            key: it.key,
            fields: it.fields,
            target: it.target,
        }),
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}
