//! What changes of the schema would do to queries, answered by the planner before anything is built.
//!
//! A forecast imagines: indexes and rollups that do not exist stand beside those that do, with sizes estimated from a
//! sample of the rows, and those that are to go are masked. The planner then plans as ever. Sizes and samples are taken
//! once, so that the same question gets the same answer for as long as one forecaster is asked, whatever is written
//! meanwhile. What comes out are numbers and names: no row and no value.

use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::mutation::{Mutation, change};
use super::txn::{Txn, entry};
use crate::catalogue::{BuildState, Catalogue, Collection, Index, Rollup};
use crate::codec::key;
use crate::codec::row::{FieldId, RowRef};
use crate::engine::{Engine, QueryOptions};
use crate::error::EngineError;
use crate::kv::TreeId;
use crate::plan::{self, Plan, PlanKind, PlanNode, Sizes, Visibility};
use crate::sql::parse;

/// Rows that sizes are estimated from.
const SAMPLED: usize = 2_000;
/// Microseconds to take one row into an index or a rollup.
const BUILD_ROW: f64 = 2.0;
/// Microseconds that a write spends on an index or a rollup, measured on the engine's own memory.
const WRITE: f64 = 1.5;
/// Bytes of a group of a rollup beside its key, and of each aggregate.
const GROUP: f64 = 24.0;
const PART: f64 = 24.0;

/// What an index that does not exist would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatIf {
    /// Microseconds of the query as it is.
    pub cost_now: f64,
    /// Microseconds with the indexes.
    pub cost_then: f64,
    /// Which of them would be used.
    pub uses: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Microseconds to build all of them.
    pub build: f64,
    /// The plan with them.
    pub plan: PlanNode,
}

/// What changes would do, all of them together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Bytes of what would be made, less what would go.
    pub bytes: i64,
    /// Microseconds to build what would be made.
    pub build: f64,
    /// Microseconds by which a write to the collections would become dearer.
    pub write: f64,
    /// One for each query; nothing for one that is refused.
    pub queries: Vec<Option<Change>>,
}

/// What would become of one query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Microseconds as it is, by the planner's model.
    pub now: f64,
    /// Microseconds with the changes.
    pub then: f64,
    /// Names of indexes and rollups of the changes that it would use.
    pub uses: Vec<String>,
}

/// Answers questions about one state of the database: `&Engine` for one, `Arc<Engine>` for many.
pub struct Forecaster<E = Arc<Engine>> {
    engine: E,
    catalogue: Arc<Catalogue>,
    sizes: Mutex<FxHashMap<TreeId, f64>>,
    counted: Mutex<FxHashMap<(TreeId, Vec<FieldId>), Counted>>,
}

/// What a sample says of some fields.
#[derive(Debug, Clone)]
struct Counted {
    /// Different values of the first field, the first two, and so on.
    distinct: Vec<u64>,
    /// Bytes of an entry.
    entry: f64,
}

/// Sizes that stay as they were when they were first asked for, and those of what does not exist.
struct Frozen<'f, E> {
    forecaster: &'f Forecaster<E>,
    imagined: &'f FxHashMap<TreeId, f64>,
}

impl<E: Deref<Target = Engine>> Sizes for Frozen<'_, E> {
    fn entries(&self, tree: TreeId) -> f64 {
        match self.imagined.get(&tree) {
            Some(size) => *size,
            None => self.forecaster.size(tree),
        }
    }
}

/// Everything that is imagined.
#[derive(Default)]
struct Imagined {
    /// With the fields and paths that changes would add.
    catalogue: Option<Arc<Catalogue>>,
    indexes: Vec<(String, Index)>,
    rollups: Vec<(String, Rollup)>,
    sizes: FxHashMap<TreeId, f64>,
    masked: Vec<String>,
    bytes: f64,
    build: f64,
    write: f64,
}

impl Engine {
    /// What a query would cost if some indexes existed: the planner's own answer, no row is touched but a sample.
    ///
    /// # Errors
    /// The query is refused, or a name is unknown.
    pub fn what_if(
        &self,
        sql: &str,
        indexes: &[(String, Vec<String>)],
    ) -> Result<WhatIf, EngineError> {
        Forecaster::new(self).what_if(sql, indexes)
    }
}

impl<E: Deref<Target = Engine>> Forecaster<E> {
    /// Asks about the database as it is now.
    pub fn new(engine: E) -> Self {
        Self {
            catalogue: engine.catalogue(),
            engine,
            sizes: Mutex::default(),
            counted: Mutex::default(),
        }
    }

    fn what_if(&self, sql: &str, indexes: &[(String, Vec<String>)]) -> Result<WhatIf, EngineError> {
        let mut imagined = Imagined::default();
        let change =
            |(n, (collection, fields)): (usize, &(String, Vec<String>))| Mutation::CreateIndex {
                collection: collection.clone(),
                name: format!("hypothetical_{n}"),
                fields: fields.clone(),
            };
        let changes: Vec<Mutation> = indexes.iter().enumerate().map(change).collect();
        self.imagine(&changes, &mut imagined)?;
        let now = node(&self.plan(sql, &Imagined::default())?)?;
        let then = node(&self.plan(sql, &imagined)?)?;
        Ok(WhatIf {
            cost_now: now.cost.unwrap_or_default(),
            cost_then: then.cost.unwrap_or_default(),
            uses: uses(&then, |name| name.starts_with("hypothetical_")),
            bytes: imagined.bytes as u64,
            build: imagined.build,
            plan: then,
        })
    }

    /// What changes of indexes and rollups would do to queries, all of them made.
    ///
    /// # Errors
    /// A change does not fit what there is, or is of another kind.
    pub fn forecast(&self, sql: &[String], changes: &[Mutation]) -> Result<Forecast, EngineError> {
        let mut imagined = Imagined::default();
        let made = self.imagine(changes, &mut imagined)?;
        let change = |sql: &String| -> Result<Change, EngineError> {
            let now = node(&self.plan(sql, &Imagined::default())?)?;
            let then = node(&self.plan(sql, &imagined)?)?;
            Ok(Change {
                now: now.cost.unwrap_or_default(),
                then: then.cost.unwrap_or_default(),
                uses: uses(&then, |name| made.iter().any(|made| made == name)),
            })
        };
        let queries = sql.iter().map(|sql| change(sql).ok()).collect();
        Ok(Forecast {
            bytes: imagined.bytes as i64,
            build: imagined.build,
            write: imagined.write,
            queries,
        })
    }

    /// Takes changes in, as if they had been made; returns the names of what would be new.
    fn imagine(
        &self,
        changes: &[Mutation],
        imagined: &mut Imagined,
    ) -> Result<Vec<String>, EngineError> {
        // The same checks as when it is done, on a catalogue that nobody will ever see.
        let mut draft = Txn::new(&self.engine.front);
        draft.catalogue = self.catalogue.clone();
        let mut made = Vec::new();
        for mutation in changes {
            change(&mut draft, mutation, &mut None)?;
            match mutation {
                Mutation::CreateIndex {
                    collection, name, ..
                } => {
                    let found = draft.catalogue.collection(collection)?;
                    let Some(index) = found.indexes.iter().find(|index| index.name == *name) else {
                        continue;
                    };
                    let index = Index {
                        state: BuildState::Active,
                        ..index.clone()
                    };
                    made.push(name.clone());
                    self.imagine_index(found, index, imagined)?;
                }
                Mutation::CreateRollup {
                    collection, name, ..
                } => {
                    let found = draft.catalogue.collection(collection)?;
                    let Some(rollup) = found.rollups.iter().find(|rollup| rollup.name == *name)
                    else {
                        continue;
                    };
                    let counted = self.counted(found, &rollup.group)?;
                    let groups = counted.distinct.last().copied().unwrap_or(1) as f64;
                    let parts = rollup.aggregates.len() as f64;
                    imagined.sizes.insert(rollup.tree, groups);
                    imagined.bytes += groups * (counted.entry + GROUP + PART * parts);
                    imagined.build += self.size(found.tree) * BUILD_ROW;
                    imagined.write += WRITE;
                    made.push(name.clone());
                    let rollup = Rollup {
                        state: BuildState::Active,
                        ..rollup.clone()
                    };
                    imagined.rollups.push((collection.clone(), rollup));
                }
                Mutation::DropIndex { collection, name }
                | Mutation::DropRollup { collection, name } => {
                    imagined.masked.push(name.clone());
                    imagined.write -= WRITE;
                    // What an earlier change of the same list would have made was never there.
                    let bytes = self.engine.bytes_of(collection, name);
                    imagined.bytes -= bytes.unwrap_or_default() as f64;
                }
                _ => {
                    return Err(EngineError::Mutation(
                        "only indexes and rollups make a query faster or slower: ask about those"
                            .to_owned(),
                    ));
                }
            }
        }
        imagined.catalogue = Some(draft.catalogue);
        Ok(made)
    }

    fn imagine_index(
        &self,
        collection: &Collection,
        mut index: Index,
        imagined: &mut Imagined,
    ) -> Result<(), EngineError> {
        let counted = self.counted(collection, &index.fields)?;
        let rows = self.size(collection.tree);
        index.distinct = counted.distinct;
        imagined.bytes += counted.entry * rows;
        imagined.build += rows * BUILD_ROW;
        imagined.write += WRITE;
        imagined.indexes.push((collection.name.clone(), index));
        Ok(())
    }

    fn plan(&self, sql: &str, imagined: &Imagined) -> Result<Plan, EngineError> {
        let options = QueryOptions::default();
        let visibility = Visibility {
            masked: &imagined.masked,
            hypothetical: &imagined.indexes,
            hypothetical_rollups: &imagined.rollups,
            rights: Some(&options.rights),
            ..Visibility::default()
        };
        let sizes = Frozen {
            forecaster: self,
            imagined: &imagined.sizes,
        };
        let catalogue = imagined.catalogue.as_ref().unwrap_or(&self.catalogue);
        plan::plan(parse::parse(sql)?, catalogue, &visibility, &sizes)
    }

    fn size(&self, tree: TreeId) -> f64 {
        let known = self.sizes.lock().get(&tree).copied();
        known.unwrap_or_else(|| {
            let size = self.engine.entries(tree);
            *self.sizes.lock().entry(tree).or_insert(size)
        })
    }

    fn counted(&self, collection: &Collection, fields: &[FieldId]) -> Result<Counted, EngineError> {
        let key = (collection.tree, fields.to_vec());
        let known = self.counted.lock().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let rows = self.engine.front.snapshot(&[collection.tree])?;
        let rows = rows.tree(collection.tree);
        let index = Index {
            name: String::new(),
            tree: u32::MAX,
            fields: fields.to_vec(),
            state: BuildState::Active,
            distinct: Vec::new(),
        };
        let (mut keys, mut size) = (Vec::new(), 0);
        rows.sample(SAMPLED, &mut |row_key, value| {
            if let Some(row) = RowRef::new(value) {
                let (key, hints) = entry(collection, &index, &|f| row.get(f), row_key);
                size += key.len() + hints.len();
                keys.push((key, row_key.len()));
            }
        })?;
        let counted = Counted {
            distinct: estimate_distinct(&keys, fields.len(), self.size(collection.tree)),
            entry: size as f64 / keys.len().max(1) as f64,
        };
        let mut known = self.counted.lock();
        Ok(known.entry(key).or_insert(counted).clone())
    }
}

fn node(plan: &Plan) -> Result<PlanNode, EngineError> {
    match &plan.kind {
        PlanKind::Select(plan) | PlanKind::Explain(plan) => Ok(plan.explain()),
        PlanKind::Update { scan, .. } | PlanKind::Delete { scan, .. } => Ok(scan.explain()),
        PlanKind::Insert { .. } => Err(EngineError::unsupported("EXPLAIN of an INSERT", None)),
    }
}

fn uses(node: &PlanNode, is_meant: impl Fn(&str) -> bool + Copy) -> Vec<String> {
    let own = node.uses.iter().filter(|name| is_meant(name)).cloned();
    own.chain(node.inputs.iter().flat_map(|node| uses(node, is_meant)))
        .collect()
}

/// Distinct values from a sample by Duj1 (Haas et al., VLDB 1995), the estimator PostgreSQL's ANALYZE uses.
fn estimate_distinct(keys: &[(Vec<u8>, usize)], columns: usize, rows: f64) -> Vec<u64> {
    (1..=columns)
        .map(|n| {
            let mut seen: FxHashMap<&[u8], u32> = FxHashMap::default();
            for (key, row_len) in keys {
                let whole = &key[..key.len() - row_len];
                let mut rest = whole;
                for _ in 0..n {
                    key::skip(&mut rest);
                }
                *seen.entry(&whole[..whole.len() - rest.len()]).or_default() += 1;
            }
            let (sample, distinct) = (keys.len() as f64, seen.len() as f64);
            let once = seen.values().filter(|c| **c == 1).count() as f64;
            let rows = rows.max(1.0);
            let estimate = sample * distinct / (sample - once + once * sample / rows).max(1e-9);
            estimate.clamp(distinct.min(rows), rows) as u64
        })
        .collect()
}
