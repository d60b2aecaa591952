//! What the engine tells about its use, so that somebody can watch it.
//!
//! Called for every query and every write, on the caller's thread: an observer counts and returns.

use serde::Serialize;

use crate::path::FieldPath;
use crate::plan::{Access, SelectPlan};
use crate::sql::bind::Table;
use crate::sql::expr::{Compare, Expr};
use crate::value::Value;

/// Watches use. All methods do nothing by default.
pub trait Observer: Send + Sync + 'static {
    /// A query has ended.
    fn query(&self, query: &QueryObservation<'_>) {
        let _ = query;
    }

    /// A document was written.
    fn write(&self, write: &WriteObservation<'_>) {
        let _ = write;
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}

/// A query that has ended.
#[derive(Debug)]
pub struct QueryObservation<'a> {
    /// The same for queries that differ in literals only, and the same everywhere.
    pub fingerprint: u64,
    /// The text with literals as `?`.
    pub text: &'a str,
    /// What it reads.
    pub shape: &'a QueryShape,
    /// Rows and index entries visited.
    pub examined: u64,
    /// Rows given out, or changed.
    pub returned: u64,
    /// How long it took.
    pub micros: u64,
    /// Whether an error ended it.
    pub failed: bool,
}

/// What a query reads and how it restricts it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueryShape {
    /// The collections.
    pub collections: Vec<String>,
    /// Collection, field and comparison (`=`, `<`, `like`…) of each simple condition. A value inside a field is named as
    /// [`FieldPath`] shows it, here and in all lists but `fields`.
    pub predicates: Vec<Predicate>,
    /// Collection and field of GROUP BY.
    pub group_by: Vec<(String, String)>,
    /// Function and field of each aggregate; `None` for `count(*)`.
    pub aggregates: Vec<(String, Option<String>)>,
    /// Field and whether descending.
    pub order_by: Vec<(String, bool)>,
    /// Collection and field of everything that is read.
    pub fields: Vec<(String, String)>,
    /// Indexes and rollups that were used.
    pub uses: Vec<String>,
    /// Whether it has a part that the lists above do not say: a disjunction, an expression, a join, HAVING.
    pub inexact: bool,
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Predicate {
    /// The collection.
    pub collection: String,
    /// The field.
    pub field: String,
    /// The comparison.
    pub op: String,
}

/// A document that was written.
#[derive(Debug)]
pub struct WriteObservation<'a> {
    /// The collection.
    pub collection: &'a str,
    /// What was done.
    pub kind: WriteKind,
    /// Fields and values now; of a deleted document, those it had.
    pub fields: &'a [(&'a str, &'a Value)],
    /// Bytes of the stored row.
    pub bytes: usize,
}

/// What was done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteKind {
    /// New.
    Insert,
    /// Changed.
    Update,
    /// Gone.
    Delete,
}

impl QueryShape {
    pub(crate) fn of(plan: &SelectPlan) -> Self {
        let mut shape = Self::default();
        let name = |slot: usize| -> (String, String) {
            let s = &plan.slots[slot];
            let collection = &plan.tables[s.table].collection;
            (collection.name.clone(), collection.name_of(s.field))
        };
        let root = |slot: usize| -> (String, String) {
            let s = &plan.slots[slot];
            let collection = &plan.tables[s.table].collection;
            let root = collection.root_of(s.field);
            (collection.name.clone(), collection.name_of(root))
        };
        let field = |e: &Expr| match e {
            Expr::Slot(slot) => Some(name(*slot)),
            e => inside(e).map(|(slot, keys)| {
                let (collection, root) = name(slot);
                (collection, FieldPath { root, keys }.to_string())
            }),
        };
        let mut predicate = |e: &Expr| {
            let (target, op) = match e {
                Expr::Compare(op, a, b) => match (field(a), field(b)) {
                    (Some(f), _) => (Some(f), op.symbol()),
                    (None, Some(f)) => (Some(f), op.mirrored().symbol()),
                    _ => (None, ""),
                },
                Expr::In(a, _, false) => (field(a), Compare::Eq.symbol()),
                Expr::Like { text, .. } => (field(text), "like"),
                Expr::IsNull(a, negated) => {
                    (field(a), if *negated { "is not null" } else { "is null" })
                }
                _ => (None, ""),
            };
            if let Some((collection, field)) = target {
                shape.predicates.push(Predicate {
                    collection,
                    field,
                    op: op.to_owned(),
                });
            } else {
                shape.inexact = true;
            }
        };
        plan.scans
            .iter()
            .flat_map(|s| &s.filter)
            .chain(&plan.filter)
            .for_each(&mut predicate);
        for join in &plan.joins {
            if let crate::plan::JoinMethod::Hash { left, right } = &join.method {
                for key in left.iter().chain(right) {
                    predicate(&Expr::Compare(
                        Compare::Eq,
                        Box::new(key.clone()),
                        Box::new(Expr::Const(Value::Null)),
                    ));
                }
            }
        }
        shape.collections = plan
            .tables
            .iter()
            .map(|t: &Table| t.collection.name.clone())
            .collect();
        shape.fields = (0..plan.slots.len()).map(root).collect();
        let group = plan.group.as_deref().unwrap_or(&[]);
        shape.group_by = group.iter().filter_map(field).collect();
        shape.aggregates = plan
            .aggregates
            .iter()
            .map(|call| {
                let kind = format!("{:?}", call.kind).to_lowercase();
                (kind, call.argument.as_ref().and_then(field).map(|(_, f)| f))
            })
            .collect();
        if plan.group.is_none() {
            shape.order_by = plan
                .order
                .iter()
                .filter_map(|o| field(&o.expr).map(|(_, f)| (f, o.descending)))
                .collect();
        }
        let unsaid = plan.aggregates.len() + group.len()
            > shape.group_by.len()
                + plan
                    .aggregates
                    .iter()
                    .filter(|call| call.argument.as_ref().is_none_or(|e| field(e).is_some()))
                    .count();
        shape.inexact |= unsaid || plan.distinct || plan.having.is_some() || !plan.joins.is_empty();
        shape.uses = plan
            .scans
            .iter()
            .filter_map(|s| match &s.access {
                Access::Index { name, .. } if plan.rollup.is_none() => name.clone(),
                _ => None,
            })
            .chain(plan.rollup.as_ref().map(|r| r.name.clone()))
            .collect();
        shape
    }
}

/// The slot and the keys of `field->'a'->>'b'`.
fn inside(expr: &Expr) -> Option<(usize, Vec<String>)> {
    let Expr::Member(inner, last, true) = expr else {
        return None;
    };
    let key = |expr: &Expr| match expr {
        Expr::Const(Value::Text(key)) => Some(key.to_string()),
        _ => None,
    };
    let mut keys = vec![key(last)?];
    let mut inner = inner;
    while let Expr::Member(outer, middle, false) = &**inner {
        keys.push(key(middle)?);
        inner = outer;
    }
    let Expr::Slot(slot) = **inner else {
        return None;
    };
    keys.reverse();
    Some((slot, keys))
}
