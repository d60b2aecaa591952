//! The memory itself: told of writes and executions, asked for statistics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decay::Decayed;
use crate::dependency::Dependencies;
use crate::execution::Execution;
use crate::field::FieldUse;
use crate::hash::hash;
use crate::heavy::HeavyHitters;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::queries::QueryUse;
use crate::records::Records;
use crate::shape::Fingerprint;
use crate::stats::{AccessStats, CollectionStats, FieldStats, KindCount, QueryStats, Stats};

/// Indexes and rollups of which use is remembered.
const ACCESSES: usize = 512;
/// Examined rows that weigh as much as a call: what is kept is what costs, not only what is frequent.
const ROWS_PER_CALL: f64 = 1_000.0;

/// What a database remembers of its use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    limits: Limits,
    queries: HeavyHitters<QueryUse>,
    accesses: HeavyHitters<AccessUse>,
    collections: BTreeMap<String, Records>,
    examined: Decayed,
    /// Writes to collections past the limit.
    unwatched: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AccessUse {
    name: String,
    uses: u64,
    rate: Decayed,
    first_ms: u64,
    last_ms: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Watch {
    /// An empty memory.
    pub fn new(limits: Limits) -> Self {
        Self {
            queries: HeavyHitters::new(limits.queries, limits.half_life_ms),
            accesses: HeavyHitters::new(ACCESSES, limits.half_life_ms),
            collections: BTreeMap::new(),
            examined: Decayed::default(),
            unwatched: 0,
            limits,
        }
    }

    /// A query ran.
    pub fn executed(&mut self, run: &Execution<'_>, at_ms: u64) {
        let half_life = self.limits.half_life_ms;
        let weight = 1.0 + run.rows_examined as f64 / ROWS_PER_CALL;
        self.queries
            .add(run.fingerprint.0, weight, at_ms, || {
                QueryUse::new(run.shape, at_ms)
            })
            .ran(run, at_ms, half_life);
        self.examined
            .add(run.rows_examined as f64, at_ms, half_life);
        if let Some(records) = self.collections.get_mut(&run.shape.collection) {
            records.reads.add(1.0, at_ms, half_life);
            // A field counts once for an execution, however often it is named.
            let mut paths: Vec<&str> = run.shape.paths().collect();
            paths.sort_unstable();
            paths.dedup();
            for path in paths {
                if let Some(field) = records.fields.get_mut(path) {
                    let filtered = run.shape.predicates.iter().any(|p| p.path == path);
                    field.read(filtered, at_ms);
                }
            }
        }
        for name in run.used {
            let access = self
                .accesses
                .add(hash(name.as_bytes()), 1.0, at_ms, || AccessUse {
                    name: name.clone(),
                    uses: 0,
                    rate: Decayed::default(),
                    first_ms: at_ms,
                    last_ms: at_ms,
                });
            access.uses += 1;
            access.rate.add(1.0, at_ms, half_life);
            access.last_ms = access.last_ms.max(at_ms);
        }
    }

    /// A document was inserted.
    pub fn wrote(&mut self, collection: &str, document: &Value, at_ms: u64) {
        let limits = self.limits.clone();
        if let Some(records) = self.records(collection, at_ms) {
            records.wrote(document, at_ms, &limits);
            records.rows += 1;
        }
    }

    /// A document took the place of another.
    pub fn replaced(&mut self, collection: &str, document: &Value, at_ms: u64) {
        let limits = self.limits.clone();
        if let Some(records) = self.records(collection, at_ms) {
            records.wrote(document, at_ms, &limits);
        }
    }

    /// A document was removed.
    pub fn removed(&mut self, collection: &str, at_ms: u64) {
        let half_life = self.limits.half_life_ms;
        if let Some(records) = self.collections.get_mut(collection) {
            records.rows = records.rows.saturating_sub(1);
            records.writes.add(1.0, at_ms, half_life);
        }
    }

    /// How many rows a collection has, from whoever counts them for good: at open, after a restore.
    pub fn sized(&mut self, collection: &str, rows: u64, at_ms: u64) {
        if let Some(records) = self.records(collection, at_ms) {
            records.rows = rows;
        }
    }

    /// A collection is gone, and what is known of it.
    pub fn dropped(&mut self, collection: &str) {
        self.collections.remove(collection);
    }

    /// Everything known, as it stands at a time.
    pub fn stats(&self, at_ms: u64) -> Stats {
        let collections = self
            .collections
            .iter()
            .map(|(name, records)| self.collection_stats(name, records, at_ms));
        let fields = self.collections.iter().flat_map(|(name, records)| {
            let recent = records.writes.value_at(at_ms, self.limits.half_life_ms);
            records.fields.iter().map(move |(path, field)| {
                self.field_stats(name, records, path, field, recent, at_ms)
            })
        });
        let mut queries: Vec<(f64, QueryStats)> = self
            .queries
            .iter_at(at_ms)
            .map(|(key, weight, query)| (weight, self.query_stats(Fingerprint(key), query, at_ms)))
            .collect();
        queries.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut accesses: Vec<AccessStats> = self
            .accesses
            .iter_at(at_ms)
            .map(|(_, _, access)| AccessStats {
                name: access.name.clone(),
                uses: access.uses,
                uses_per_day: access
                    .rate
                    .per_day(access.first_ms, at_ms, self.limits.half_life_ms),
                last_ms: access.last_ms,
            })
            .collect();
        accesses.sort_by(|one, other| {
            (other.uses_per_day.total_cmp(&one.uses_per_day)).then(one.name.cmp(&other.name))
        });
        Stats {
            collections: collections.collect(),
            queries: queries.into_iter().map(|(_, query)| query).collect(),
            fields: fields.collect(),
            accesses,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.queries.is_sound()
            && self.queries.values().all(QueryUse::is_sound)
            && self.accesses.is_sound()
            && self.collections.values().all(Records::is_sound)
    }

    fn records(&mut self, collection: &str, at_ms: u64) -> Option<&mut Records> {
        if !self.collections.contains_key(collection) {
            if self.collections.len() >= self.limits.collections {
                self.unwatched += 1;
                return None;
            }
            let with_dependencies = self.collections.len() < self.limits.dependency_collections;
            self.collections.insert(
                collection.to_owned(),
                Records::new(at_ms, with_dependencies),
            );
        }
        self.collections.get_mut(collection)
    }

    fn collection_stats(&self, name: &str, records: &Records, at_ms: u64) -> CollectionStats {
        let half_life = self.limits.half_life_ms;
        CollectionStats {
            collection: name.to_owned(),
            rows: records.rows,
            row_bytes: records.bytes / records.docs.max(1),
            written: records.docs,
            writes_per_day: records.writes.per_day(records.first_ms, at_ms, half_life),
            reads_per_day: records.reads.per_day(records.first_ms, at_ms, half_life),
            first_ms: records.first_ms,
            untracked: records.untracked,
            dependencies: records
                .dependencies
                .as_ref()
                .map(Dependencies::determined)
                .unwrap_or_default(),
        }
    }

    fn query_stats(&self, id: Fingerprint, query: &QueryUse, at_ms: u64) -> QueryStats {
        let half_life = self.limits.half_life_ms;
        let calls = query.calls.value_at(at_ms, half_life);
        let per_call = |sum: &Decayed| match calls {
            // Long unused: all sums have gone to nothing together.
            calls if calls < 1e-9 => 0.0,
            calls => sum.value_at(at_ms, half_life) / calls,
        };
        let all_examined = self.examined.value_at(at_ms, half_life);
        let hours: Vec<f64> = query
            .hours
            .iter()
            .map(|hour| hour.value_at(at_ms, 7 * crate::decay::DAY_MS))
            .collect();
        let of_hours: f64 = hours.iter().sum::<f64>().max(1e-9);
        QueryStats {
            id,
            shape: query.shape.clone(),
            calls: query.total,
            calls_per_day: query.calls.per_day(query.first_ms, at_ms, half_life),
            examined_per_call: per_call(&query.examined),
            returned_per_call: per_call(&query.returned),
            us_per_call: per_call(&query.us),
            examined_share: query.examined.value_at(at_ms, half_life) / all_examined.max(1e-9),
            p50_us: query.latency.quantile(0.5),
            p99_us: query.latency.quantile(0.99),
            hours: hours.iter().map(|hour| hour / of_hours).collect(),
            first_ms: query.first_ms,
            last_ms: query.last_ms,
        }
    }

    fn field_stats(
        &self,
        collection: &str,
        records: &Records,
        path: &str,
        field: &FieldUse,
        recent_docs: f64,
        at_ms: u64,
    ) -> FieldStats {
        let half_life = self.limits.half_life_ms;
        let filled = field.docs - field.nulls();
        let recent: f64 = field
            .kinds
            .iter()
            .map(|kind| kind.recent.value_at(at_ms, half_life))
            .sum();
        let mut kinds: Vec<KindCount> = field
            .kinds
            .iter()
            .map(|known| KindCount {
                kind: known.kind,
                count: known.count,
                recent_share: known.recent.value_at(at_ms, half_life) / recent.max(1e-9),
                days: known.days,
            })
            .collect();
        kinds.sort_by_key(|known| (std::cmp::Reverse(known.count), known.kind));
        let arrays = kinds
            .iter()
            .find(|known| known.kind == Kind::Array)
            .map_or(0, |known| known.count);
        let mut shapes: Vec<(f64, &String)> = field
            .shapes
            .iter_at(at_ms)
            .map(|(_, weight, shape)| (weight, shape))
            .collect();
        shapes.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(a.cmp(b)));
        FieldStats {
            collection: collection.to_owned(),
            path: path.to_owned(),
            docs: field.docs,
            filled,
            share: filled as f64 / records.docs.saturating_sub(field.docs_before).max(1) as f64,
            recent_share: field.filled.value_at(at_ms, half_life) / recent_docs.max(1e-9),
            days: field.days,
            kinds,
            distinct: field.distinct.count(),
            sampled: field.sampled,
            mean_bytes: field.bytes as f64 / filled.max(1) as f64,
            shapes: shapes.into_iter().map(|(_, shape)| shape.clone()).collect(),
            mean_elements: field.elements as f64 / arrays.max(1) as f64,
            most_elements: field.most_elements,
            first_ms: field.first_ms,
            last_filled_ms: field.last_filled_ms,
            reads: field.reads,
            filters: field.filters,
            last_read_ms: field.last_read_ms,
            longest_read_gap_ms: field.longest_read_gap_ms,
        }
    }
}
