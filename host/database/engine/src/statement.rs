//! What a statement is about, before it runs: for whoever has to decide whether it may.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::engine::{Engine, QueryOptions};
use crate::error::EngineError;
use crate::plan::{PlanKind, SelectPlan};
use crate::sql::normal;

/// What a statement would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// Read, or say how it would read.
    Query,
    /// Add documents.
    Insert,
    /// Change documents.
    Update,
    /// Remove documents.
    Delete,
}

/// A statement that is understood and has not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// What it would do.
    pub kind: StatementKind,
    /// The collections that it reads or changes, in the order of their names.
    pub collections: Vec<String>,
    /// Every field that it reads or writes, as `collection.field`, in that order.
    pub fields: Vec<String>,
    /// The names of the columns that it gives; none for a change.
    pub columns: Vec<String>,
}

impl Engine {
    /// The identity that a statement shares with those that differ from it in literals only.
    pub fn fingerprint(&self, sql: &str) -> u64 {
        normal::fingerprint(&normal::fingerprint_text(sql))
    }

    /// The indexes and rollups that a statement would use.
    ///
    /// # Errors
    /// It is refused.
    pub fn uses(&self, sql: &str, options: &QueryOptions) -> Result<Vec<String>, EngineError> {
        Ok(self.make_plan(sql, options)?.shape.uses)
    }

    /// What a statement is about. It runs later with as many parameters.
    ///
    /// # Errors
    /// It is refused.
    pub fn statement(&self, sql: &str, parameters: usize) -> Result<Statement, EngineError> {
        let (plan, _) = self.plan_for(sql, parameters, &QueryOptions::default())?;
        let mut collections = BTreeSet::new();
        let mut fields = BTreeSet::new();
        let mut columns = Vec::new();
        collections.extend(plan.shape.collections.iter().cloned());
        fields.extend(plan.shape.fields.iter().map(|(c, f)| format!("{c}.{f}")));
        let names = |select: &SelectPlan| -> Vec<String> {
            select.output.iter().map(|(name, _)| name.clone()).collect()
        };
        let kind = match &plan.kind {
            PlanKind::Select(select) => {
                columns = names(select);
                StatementKind::Query
            }
            PlanKind::Explain(_) => {
                columns.push("plan".to_owned());
                StatementKind::Query
            }
            PlanKind::Insert {
                collection,
                columns,
                ..
            } => {
                fields.extend(columns.iter().map(|f| format!("{collection}.{f}")));
                collections.insert(collection.clone());
                StatementKind::Insert
            }
            PlanKind::Update {
                collection,
                assignments,
                ..
            } => {
                fields.extend(assignments.iter().map(|(f, _)| format!("{collection}.{f}")));
                collections.insert(collection.clone());
                StatementKind::Update
            }
            PlanKind::Delete { collection, .. } => {
                collections.insert(collection.clone());
                StatementKind::Delete
            }
        };
        Ok(Statement {
            kind,
            collections: collections.into_iter().collect(),
            fields: fields.into_iter().collect(),
            columns,
        })
    }

    /// How many documents a collection has; about, where it is too big to be held in memory.
    ///
    /// # Errors
    /// There is no such collection, or the store failed.
    pub fn count(&self, collection: &str) -> Result<u64, EngineError> {
        let tree = self.catalogue().collection(collection)?.tree;
        Ok(self.front.snapshot(&[tree])?.tree(tree).len() as u64)
    }
}
