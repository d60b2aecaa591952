//! The engine: SQL text in, rows out.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard, RwLock};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::catalogue::{Catalogue, Collection};
use crate::change::txn::{Txn, key_of};
use crate::codec::row::{FieldId, RowRef};
use crate::error::EngineError;
use crate::exec::{self, Limits, Meter, damaged};
use crate::front::{Durability, Front};
use crate::kv::{KvStore, TreeId};
use crate::observe::{NoObserver, Observer, QueryObservation, WriteKind, WriteObservation};
use crate::plan::{self, Plan, PlanKind, PlanNode, Sizes, Visibility};
use crate::rights::RowRights;
use crate::sql::{normal, parse};
use crate::value::{Document, Value};

/// Plans kept. Beyond, the cache starts anew: a load with more different texts than this has no use for it.
const PLANS: usize = 1024;
/// Changes of one statement. More would hold up everybody else for long.
pub(crate) const MAX_CHANGES: usize = 2_000_000;

/// How an engine is set up.
pub struct Options {
    /// Bytes of rows and indexes held in memory; trees beyond are read from the store.
    pub memory: usize,
    /// Told of every query and write.
    pub observer: Arc<dyn Observer>,
    /// Microseconds from any start, for limits and observations.
    pub now: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How one query runs.
#[derive(Debug, Clone, Default)]
pub struct QueryOptions {
    /// What it may take.
    pub limits: Limits,
    /// For writes: whether the answer waits for the disk.
    pub durability: Durability,
    /// Indexes and rollups that this query must not use: one side of a comparison.
    pub masked: Vec<String>,
    /// Hidden indexes and rollups that it may use: the other side.
    pub unmasked: Vec<String>,
    /// The rows that it may touch.
    pub rights: RowRights,
}

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Names of the output columns.
    pub columns: Vec<String>,
    /// Rows given out, or changed.
    pub rows: u64,
    /// Rows and entries visited.
    pub examined: u64,
    /// Time.
    pub micros: u64,
    /// The fingerprint of the query.
    pub fingerprint: u64,
}

/// A whole answer.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// What was done.
    pub summary: Summary,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// The engine over a store.
pub struct Engine {
    pub(crate) front: Front,
    writer: Mutex<Writer>,
    plans: RwLock<FxHashMap<String, Arc<Plan>>>,
    pub(crate) observer: Arc<dyn Observer>,
    now: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What only the one who writes has.
#[derive(Default)]
pub(crate) struct Writer {
    next_ids: FxHashMap<TreeId, i64>,
}

impl Default for Options {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            memory: 512 << 20,
            observer: Arc::new(NoObserver),
            now: Arc::new(move || start.elapsed().as_micros() as u64),
        }
    }
}

struct FrontSizes<'f>(&'f Front);

impl Sizes for FrontSizes<'_> {
    fn entries(&self, tree: TreeId) -> f64 {
        entries(self.0, tree)
    }
}

fn entries(front: &Front, tree: TreeId) -> f64 {
    let snapshot = front.snapshot(&[tree]);
    snapshot.map_or(0.0, |snapshot| snapshot.tree(tree).len() as f64)
}

impl Engine {
    /// Opens the database in a store.
    ///
    /// # Errors
    /// The store failed, or holds something else.
    pub fn open(kv: Arc<dyn KvStore>, options: Options) -> Result<Self, EngineError> {
        let catalogue = Catalogue::load(&*kv)?;
        Ok(Self {
            front: Front::new(kv, options.memory, catalogue)?,
            writer: Mutex::default(),
            plans: RwLock::default(),
            observer: options.observer,
            now: options.now,
        })
    }

    /// What there is now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.front.catalogue()
    }

    /// Everything written so far is on the disk when it returns. Call it twice a second for relaxed writes, and at exit.
    ///
    /// # Errors
    /// The store failed.
    pub fn flush(&self) -> Result<(), EngineError> {
        self.front.flush(true)
    }

    /// After a failed write: forgets what did not reach the disk and goes on from there.
    ///
    /// # Errors
    /// The store still fails.
    pub fn recover(&self) -> Result<(), EngineError> {
        let mut writer = self.write_lock();
        writer.next_ids.clear();
        self.front.recover(Catalogue::load)?;
        self.plans.write().clear();
        Ok(())
    }

    /// Runs one statement and keeps all rows.
    ///
    /// # Errors
    /// Why it was refused or stopped.
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Answer, EngineError> {
        self.query_with(sql, parameters, &QueryOptions::default())
    }

    /// As [`Engine::query`], with options.
    ///
    /// # Errors
    /// Why it was refused or stopped.
    pub fn query_with(
        &self,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
    ) -> Result<Answer, EngineError> {
        let mut rows = Vec::new();
        let summary = self.stream(sql, parameters, options, &mut |row| {
            rows.push(row.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(Answer { summary, rows })
    }

    /// Runs one statement and hands over row by row, so that an answer of any size takes little memory.
    ///
    /// # Errors
    /// Why it was refused or stopped. Rows may have been handed over before.
    pub fn stream(
        &self,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
        sink: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<Summary, EngineError> {
        let (mut columns, mut changed) = (Vec::new(), None);
        // A plan names trees of the catalogue that it was made for; with any other it is made again.
        let (plan, meter, outcome) = loop {
            let (plan, literals) = self.plan_for(sql, parameters.len(), options)?;
            // What a query takes is told without its planning, which most queries are spared.
            let mut meter = Meter::new(options.limits, &*self.now);
            let mut all;
            let parameters = if literals.is_empty() {
                parameters
            } else {
                all = parameters.to_vec();
                all.extend(literals);
                &all
            };
            let outcome = match &plan.kind {
                PlanKind::Select(select) => match self.front.snapshot(&plan.trees) {
                    Ok(snapshot) if snapshot.version != plan.version => continue,
                    Ok(snapshot) => {
                        columns = select.output.iter().map(|(name, _)| name.clone()).collect();
                        exec::run(select, &snapshot, parameters, &mut meter, sink)
                    }
                    Err(error) => Err(error),
                },
                PlanKind::Explain(select) => {
                    columns.push("plan".to_owned());
                    let told = select.explain_within(&options.rights);
                    for line in told.to_string().lines() {
                        if sink(&[Value::from(line)]).is_break() {
                            break;
                        }
                    }
                    Ok(())
                }
                _ => match self.change(&plan, parameters, options, &mut meter) {
                    Ok(None) => continue,
                    Ok(count) => {
                        changed = count;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            };
            break (plan, meter, outcome);
        };
        let micros = meter.micros();
        let returned = changed.unwrap_or(meter.returned);
        self.observer.query(&QueryObservation {
            fingerprint: plan.fingerprint,
            text: &plan.fingerprint_text,
            shape: &plan.shape,
            examined: meter.examined,
            returned,
            micros,
            failed: outcome.is_err(),
        });
        outcome.map(|()| Summary {
            columns,
            rows: returned,
            examined: meter.examined,
            micros,
            fingerprint: plan.fingerprint,
        })
    }

    /// How a query would run.
    ///
    /// # Errors
    /// The query is refused.
    pub fn explain(&self, sql: &str, options: &QueryOptions) -> Result<PlanNode, EngineError> {
        match &self.make_plan(sql, options)?.kind {
            PlanKind::Select(plan)
            | PlanKind::Explain(plan)
            | PlanKind::Update { scan: plan, .. }
            | PlanKind::Delete { scan: plan, .. } => Ok(plan.explain_within(&options.rights)),
            PlanKind::Insert { .. } => Err(EngineError::unsupported("EXPLAIN of an INSERT", None)),
        }
    }

    /// The plan of a text, and the literals that became parameters.
    pub(crate) fn plan_for(
        &self,
        sql: &str,
        parameters: usize,
        options: &QueryOptions,
    ) -> Result<(Arc<Plan>, Vec<Value>), EngineError> {
        if !options.masked.is_empty() || !options.unmasked.is_empty() {
            return Ok((Arc::new(self.make_plan(sql, options)?), Vec::new()));
        }
        let version = self.front.catalogue().version;
        let cached = |text: &str| {
            let under_rights = options.rights.key(text);
            self.plans
                .read()
                .get(under_rights.as_deref().unwrap_or(text))
                .filter(|p| p.version == version)
                .cloned()
        };
        let keep = |text: String, plan| {
            let under_rights = options.rights.key(&text);
            self.keep(under_rights.unwrap_or(text), plan)
        };
        if let Some(plan) = cached(sql) {
            return Ok((plan, Vec::new()));
        }
        if let Some(template) = normal::template(sql, parameters) {
            if let Some(plan) = cached(&template.text) {
                return Ok((plan, template.literals));
            }
            // What is refused is planned again as it was written, for the right places in the message.
            if let Ok(plan) = self.make_plan(&template.text, options) {
                return Ok((keep(template.text, plan), template.literals));
            }
        }
        let plan = self.make_plan(sql, options)?;
        Ok((keep(sql.to_owned(), plan), Vec::new()))
    }

    fn keep(&self, text: String, plan: Plan) -> Arc<Plan> {
        let plan = Arc::new(plan);
        let mut plans = self.plans.write();
        if plans.len() >= PLANS {
            plans.clear();
        }
        // Long texts are lists of values: they do not come again.
        if text.len() <= 8192 {
            plans.insert(text, plan.clone());
        }
        plan
    }

    pub(crate) fn make_plan(&self, sql: &str, options: &QueryOptions) -> Result<Plan, EngineError> {
        let statement = parse::parse(sql)?;
        let visibility = Visibility {
            masked: &options.masked,
            unmasked: &options.unmasked,
            rights: Some(&options.rights),
            ..Visibility::default()
        };
        let mut plan = plan::plan(
            statement,
            &self.front.catalogue(),
            &visibility,
            &FrontSizes(&self.front),
        )?;
        plan.fingerprint_text = normal::fingerprint_text(sql);
        plan.fingerprint = normal::fingerprint(&plan.fingerprint_text);
        Ok(plan)
    }

    /// How many entries a tree has.
    pub(crate) fn entries(&self, tree: TreeId) -> f64 {
        entries(&self.front, tree)
    }

    pub(crate) fn write_lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    /// Waits for the disk if asked to; the writer's lock is free by then.
    pub(crate) fn settle(&self, place: u64, durability: Durability) -> Result<(), EngineError> {
        match durability {
            Durability::Durable => self.front.flush_to(place, true),
            Durability::Relaxed => Ok(()),
        }
    }

    /// Inserts documents, all or none. Returns their ids. The collection springs up with the first one.
    ///
    /// # Errors
    /// A document is refused, or the store failed.
    pub fn insert(
        &self,
        collection: &str,
        documents: &[Document],
        durability: Durability,
    ) -> Result<Vec<Value>, EngineError> {
        self.insert_within(&RowRights::default(), collection, documents, durability)
    }

    /// As [`Engine::insert`], for one who may write these rows alone.
    ///
    /// # Errors
    /// A document is refused, or the store failed.
    pub fn insert_within(
        &self,
        rights: &RowRights,
        collection: &str,
        documents: &[Document],
        durability: Durability,
    ) -> Result<Vec<Value>, EngineError> {
        let mut writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        let known = txn.catalogue.collections.get(collection).cloned();
        let mut ids = Vec::with_capacity(documents.len());
        for document in documents {
            if !rights.allows_document(collection, known.as_deref(), document) {
                return Err(EngineError::beyond_rights(collection));
            }
            let id = txn.insert(collection, document, &mut |txn, tree| {
                writer.next_id(txn, tree)
            });
            let id = id.map_err(|error| match error {
                // To one who may not touch the row that has the id, it is not there; the id is not theirs all the same.
                EngineError::Exists { .. } if !may_know(rights, &mut txn, collection, document) => {
                    EngineError::beyond_rights(collection)
                }
                error => error,
            })?;
            writer.taken(txn.catalogue.collection(collection)?.tree, &id);
            if txn.len() > MAX_CHANGES {
                return Err(EngineError::invalid(
                    "too many documents at once: insert them in batches",
                ));
            }
            ids.push(id);
        }
        let place = txn.commit()?;
        drop(writer);
        for document in documents {
            let fields: Vec<(&str, &Value)> =
                document.fields.iter().map(|(n, v)| (&**n, v)).collect();
            let bytes = fields.iter().map(|(_, v)| v.weight()).sum();
            self.observer.write(&WriteObservation {
                collection,
                kind: WriteKind::Insert,
                fields: &fields,
                bytes,
            });
        }
        self.settle(place, durability)?;
        Ok(ids)
    }

    /// Makes an empty collection with these fields, in this order. The key field `id` is always there.
    ///
    /// # Errors
    /// It is there already, or the store failed.
    pub fn declare(&self, collection: &str, fields: &[String]) -> Result<(), EngineError> {
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        txn.edit().add(collection)?;
        let edited = txn.edit().edit(collection)?;
        for field in fields {
            if edited.find(field).is_none() {
                edited.add_field(field, crate::catalogue::FieldState::Emergent)?;
            }
        }
        let place = txn.commit()?;
        drop(writer);
        self.settle(place, Durability::Durable)
    }

    /// The document with an id.
    ///
    /// # Errors
    /// There is no such collection, or the store failed.
    pub fn get(&self, collection: &str, id: &Value) -> Result<Option<Document>, EngineError> {
        self.get_within(&RowRights::default(), collection, id)
    }

    /// As [`Engine::get`], for one who may touch these rows alone: what may not be touched is not there.
    ///
    /// # Errors
    /// There is no such collection, or the store failed.
    pub fn get_within(
        &self,
        rights: &RowRights,
        collection: &str,
        id: &Value,
    ) -> Result<Option<Document>, EngineError> {
        let found = self.front.catalogue().collection(collection)?.clone();
        let rows = self.front.snapshot(&[found.tree])?.tree(found.tree);
        rows.with(&key_of(id), |bytes| {
            let Some(bytes) = bytes else { return Ok(None) };
            let row = RowRef::new(bytes).ok_or_else(damaged)?;
            let is_allowed = rights.allows(&found, &|field| row.get(field));
            Ok(is_allowed.then(|| document(&found, row.fields())))
        })?
    }
}

impl Writer {
    /// The id after the greatest integer.
    fn next_id(&mut self, txn: &mut Txn<'_>, tree: TreeId) -> Result<i64, EngineError> {
        let next = match self.next_ids.get(&tree) {
            Some(next) => *next,
            None => txn.greatest_id(tree)?.saturating_add(1).max(1),
        };
        self.next_ids.insert(tree, next.saturating_add(1));
        Ok(next)
    }

    fn taken(&mut self, tree: TreeId, id: &Value) {
        if let (Value::Int(id), Some(next)) = (id, self.next_ids.get_mut(&tree)) {
            *next = (*next).max(id.saturating_add(1));
        }
    }
}

/// Whether the row with a document's id may be touched.
fn may_know(rights: &RowRights, txn: &mut Txn<'_>, collection: &str, document: &Document) -> bool {
    if rights.is_open(collection) {
        return true;
    }
    let mut look = || -> Result<bool, EngineError> {
        let found = txn.catalogue.collection(collection)?.clone();
        let id = |(name, value): &(Arc<str>, Value)| {
            (found.find(name).map(|field| field.id) == Some(Collection::ID)).then(|| key_of(value))
        };
        let Some(key) = document.fields.iter().find_map(id) else {
            return Ok(false);
        };
        let Some(bytes) = txn.get(found.tree, &key)? else {
            return Ok(false);
        };
        let row = RowRef::new(&bytes).ok_or_else(damaged)?;
        Ok(rights.allows(&found, &|field| row.get(field)))
    };
    look().unwrap_or(false)
}

/// A row under its names.
pub(crate) fn document(
    collection: &Collection,
    fields: impl Iterator<Item = (FieldId, Value)>,
) -> Document {
    Document {
        fields: fields
            .map(|(f, v)| (collection.field(f).name.as_str().into(), v))
            .collect(),
    }
}
