//! Which rows a statement may touch, whatever it says.
//!
//! A collection under a right looks to the statement as if it held the allowed rows alone. The condition stands in front of
//! every other one of each place where the collection is read, under joins, groups and sorts: a row that is not allowed is
//! never compared, cast or divided by, so no error and no order tells of it. What is written must be allowed as well:
//! nobody hides a row from themselves, or plants one in another's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::catalogue::Collection;
use crate::codec::row::FieldId;
use crate::sql::bind::Binder;
use crate::sql::expr::{Compare, Expr};
use crate::value::{Document, Value};

/// Alternatives, of which one must hold: fields, each with the values that it may have.
pub type Allowed = Vec<Vec<(String, Vec<Value>)>>;

/// The rows that may be touched, by collection. A collection that is not named is open; the default opens all.
#[derive(Debug, Clone, Default)]
pub struct RowRights(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    collections: BTreeMap<String, Allowed>,
    /// The same as a text: plans of different rights are different plans.
    key: String,
}

impl RowRights {
    /// Rights over these collections.
    pub fn new(collections: BTreeMap<String, Allowed>) -> Self {
        if collections.is_empty() {
            return Self::default();
        }
        let mut key = String::new();
        let _ = write!(key, "{collections:?}");
        Self(Some(Arc::new(Inner { collections, key })))
    }

    /// Whether every row of a collection may be touched.
    pub fn is_open(&self, collection: &str) -> bool {
        self.of(collection).is_none()
    }

    fn of(&self, collection: &str) -> Option<&Allowed> {
        self.0.as_ref()?.collections.get(collection)
    }

    /// What a text is called among plans; none where there are no rights that it could differ by.
    pub(crate) fn key(&self, sql: &str) -> Option<String> {
        let inner = self.0.as_ref()?;
        Some(format!("{}\u{0}{sql}", inner.key))
    }

    /// The conditions on a table of a query, the first of all to be checked.
    pub(crate) fn conditions(&self, binder: &mut Binder, table: usize) -> Vec<Expr> {
        let collection = binder.tables[table].collection.clone();
        let Some(allowed) = self.of(&collection.name) else {
            return Vec::new();
        };
        let mut alternatives = Vec::with_capacity(allowed.len());
        for fields in allowed {
            let mut parts = Vec::with_capacity(fields.len());
            for (name, values) in fields {
                // A field that no row has holds nothing anybody may see.
                let Some(field) = collection.find(name).map(|field| field.id) else {
                    parts.push(never());
                    continue;
                };
                let slot = Box::new(Expr::Slot(binder.slot(table, field)));
                parts.push(match &values[..] {
                    [] => never(),
                    [value] => {
                        Expr::Compare(Compare::Eq, slot, Box::new(Expr::Const(value.clone())))
                    }
                    several => {
                        let values = several.iter().cloned().map(Expr::Const).collect();
                        Expr::In(slot, values, false)
                    }
                });
            }
            alternatives.push(parts);
        }
        match alternatives.len() {
            0 => vec![never()],
            // Apart, an index can serve each of them.
            1 => alternatives.remove(0),
            _ => vec![Expr::Or(alternatives.into_iter().map(Expr::And).collect())],
        }
    }

    /// Whether a row may be written, by the values of its fields.
    pub(crate) fn allows(&self, collection: &Collection, value: &dyn Fn(FieldId) -> Value) -> bool {
        self.holds(&collection.name, &|name| {
            collection
                .find(name)
                .map_or(Value::Null, |field| value(field.id))
        })
    }

    /// Whether a new document may be written. `collection` is absent while it is the first.
    pub(crate) fn allows_document(
        &self,
        name: &str,
        collection: Option<&Collection>,
        document: &Document,
    ) -> bool {
        self.holds(name, &|wanted| {
            let of = |name: &str| collection.and_then(|found| found.find(name)).map(|f| f.id);
            let id = of(wanted);
            let is_it = |name: &str| name == wanted || (id.is_some() && of(name) == id);
            let found = document.fields.iter().find(|(name, _)| is_it(name));
            found.map_or(Value::Null, |(_, value)| value.clone())
        })
    }

    fn holds(&self, collection: &str, value: &dyn Fn(&str) -> Value) -> bool {
        let Some(allowed) = self.of(collection) else {
            return true;
        };
        allowed.iter().any(|fields| {
            fields.iter().all(|(name, values)| {
                let found = value(name);
                let is = |wanted: &Value| found.compare(wanted).is_some_and(|order| order.is_eq());
                values.iter().any(is)
            })
        })
    }
}

fn never() -> Expr {
    Expr::Const(Value::Bool(false))
}
