//! From the contract's types to the host's.

use polity_evolve::{Alias, Field, Index, Link, Mutation, Proposal, Rollup};
use polity_sdk::strategy as wit;
use serde_json::Value;

/// A strategy's proposal as the host takes it. A schema or evidence that is no JSON becomes `null`, which the gate
/// refuses or shows as it is.
pub fn proposal(from: wit::Proposal) -> Proposal {
    Proposal {
        mutation: mutation(from.mutation),
        reason: from.reason,
        evidence: parsed(&from.evidence),
        benefit_us_per_day: from.benefit_us_per_day,
        write_cost_us_per_day: from.write_cost_us_per_day,
        storage_bytes: from.storage_bytes,
    }
}

fn mutation(from: wit::Mutation) -> Mutation {
    match from {
        wit::Mutation::CreateIndex(it) => Mutation::CreateIndex(index(it)),
        wit::Mutation::DropIndex(it) => Mutation::DropIndex(index(it)),
        wit::Mutation::CreateRollup(it) => Mutation::CreateRollup(rollup(it)),
        wit::Mutation::DropRollup(it) => Mutation::DropRollup(rollup(it)),
        wit::Mutation::PromoteField(it) => Mutation::PromoteField(field(it)),
        wit::Mutation::WidenField(it) => Mutation::WidenField(field(it)),
        wit::Mutation::ArchiveField(it) => Mutation::ArchiveField(field(it)),
        wit::Mutation::RestoreField(it) => Mutation::RestoreField(field(it)),
        wit::Mutation::AliasField(it) => Mutation::AliasField(Alias {
            collection: it.collection,
            path: it.path,
            alias: it.alias,
        }),
        wit::Mutation::LinkCollection(it) => Mutation::LinkCollection(Link {
            collection: it.collection,
            key: it.key,
            fields: it.fields,
            target: it.target,
        }),
    }
}

fn index(from: wit::Index) -> Index {
    Index {
        collection: from.collection,
        fields: from.fields,
    }
}

fn rollup(from: wit::Rollup) -> Rollup {
    Rollup {
        collection: from.collection,
        group_by: from.group_by,
        aggregates: from.aggregates,
    }
}

fn field(from: wit::Field) -> Field {
    Field {
        collection: from.collection,
        path: from.path,
        schema: parsed(&from.schema),
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}
