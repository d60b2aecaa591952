//! What the rest of the system asks of a store of records, whichever one it is.
//!
//! The embedded engine implements it here; PostgreSQL can, with `EXPLAIN (FORMAT JSON)`, hypothetical indexes and
//! `CREATE INDEX CONCURRENTLY` behind the same calls.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::catalogue::{Catalogue, FieldState, Type};
use crate::change::build::Progress;
use crate::change::forecast::WhatIf;
use crate::change::mutation::Mutation;
use crate::change::txn::Txn;
use crate::engine::{Engine, QueryOptions, Summary};
use crate::error::EngineError;
use crate::front::Durability;
use crate::plan::PlanNode;
use crate::value::{Document, Value};

/// A store of records that speaks SQL and changes its schema while it runs. Calls block.
pub trait DataEngine: Send + Sync {
    /// What there is.
    fn catalogue(&self) -> Arc<Catalogue>;

    /// Runs one statement and hands over row by row.
    ///
    /// # Errors
    /// Why it was refused or stopped.
    fn stream(
        &self,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
        sink: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<Summary, EngineError>;

    /// How a query would run.
    ///
    /// # Errors
    /// The query is refused.
    fn explain(&self, sql: &str, options: &QueryOptions) -> Result<PlanNode, EngineError>;

    /// Inserts documents, all or none, and returns their ids.
    ///
    /// # Errors
    /// A document is refused, or the store failed.
    fn insert(
        &self,
        collection: &str,
        documents: &[Document],
        durability: Durability,
    ) -> Result<Vec<Value>, EngineError>;

    /// What a query would cost with indexes that do not exist: collection and fields of each.
    ///
    /// # Errors
    /// The query is refused, or a name is unknown.
    fn what_if(&self, sql: &str, indexes: &[(String, Vec<String>)]) -> Result<WhatIf, EngineError>;

    /// Applies a change up to the point where something is to be built; returns the one that takes it back.
    ///
    /// # Errors
    /// It does not fit what there is.
    fn begin(&self, mutation: &Mutation) -> Result<Mutation, EngineError>;

    /// Builds on for some rows.
    ///
    /// # Errors
    /// There is no such build.
    fn build_step(
        &self,
        collection: &str,
        name: &str,
        rows: usize,
    ) -> Result<Progress, EngineError>;

    /// Shows a complete index or rollup to all queries, or hides it.
    ///
    /// # Errors
    /// There is none, or it is not complete.
    fn publish(&self, collection: &str, name: &str, visible: bool) -> Result<(), EngineError>;
}

impl DataEngine for Engine {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue()
    }

    fn stream(
        &self,
        sql: &str,
        parameters: &[Value],
        options: &QueryOptions,
        sink: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<Summary, EngineError> {
        self.stream(sql, parameters, options, sink)
    }

    fn explain(&self, sql: &str, options: &QueryOptions) -> Result<PlanNode, EngineError> {
        self.explain(sql, options)
    }

    fn insert(
        &self,
        collection: &str,
        documents: &[Document],
        durability: Durability,
    ) -> Result<Vec<Value>, EngineError> {
        self.insert(collection, documents, durability)
    }

    fn what_if(&self, sql: &str, indexes: &[(String, Vec<String>)]) -> Result<WhatIf, EngineError> {
        self.what_if(sql, indexes)
    }

    fn begin(&self, mutation: &Mutation) -> Result<Mutation, EngineError> {
        self.begin(mutation)
    }

    fn build_step(
        &self,
        collection: &str,
        name: &str,
        rows: usize,
    ) -> Result<Progress, EngineError> {
        self.build_step(collection, name, rows)
    }

    fn publish(&self, collection: &str, name: &str, visible: bool) -> Result<(), EngineError> {
        self.publish(collection, name, visible)
    }
}

impl Engine {
    /// Declares a collection by a JSON Schema of an object: its properties become columns of their types, `required` ones
    /// are demanded of every document from then on. A collection that is there already gains what is new.
    ///
    /// # Errors
    /// The schema is not of an object, or what is stored does not fit a type.
    pub fn declare_schema(
        &self,
        collection: &str,
        schema: &serde_json::Value,
    ) -> Result<(), EngineError> {
        let properties = schema
            .get("properties")
            .and_then(serde_json::Value::as_object);
        let Some(properties) = properties else {
            return Err(EngineError::invalid(format!(
                "the schema of {collection:?} has no \"properties\": a collection is declared by the schema of an object"
            )));
        };
        let required: Vec<&str> = schema
            .get("required")
            .and_then(serde_json::Value::as_array)
            .map(|list| list.iter().filter_map(serde_json::Value::as_str).collect())
            .unwrap_or_default();
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        if !txn.catalogue.collections.contains_key(collection) {
            txn.edit().add(collection)?;
        }
        let edited = txn.edit().edit(collection)?;
        for (name, property) in properties {
            let id = match edited.find(name) {
                Some(field) => field.id,
                None => edited.add_field(name, FieldState::Column)?,
            };
            let field = edited.field_mut(id);
            field.state = FieldState::Column;
            field.required = required.contains(&name.as_str()) && name != "id";
            if let Some(ty) = declared_type(property) {
                if field.ty.join(ty) != ty {
                    return Err(EngineError::Mutation(format!(
                        "the field {name:?} is declared as {ty} and holds values of type {}",
                        field.ty
                    )));
                }
                (field.ty, field.declared) = (ty, true);
            }
        }
        edited.schema = Some(schema.clone());
        let place = txn.commit()?;
        drop(writer);
        self.settle(place, Durability::Durable)
    }
}

/// `None` when the schema allows several kinds.
fn declared_type(property: &serde_json::Value) -> Option<Type> {
    let ty = property.get("type")?;
    let one = |name: &str| match name {
        "string" => Some(Type::Text),
        "integer" => Some(Type::Int),
        "number" => Some(Type::Dec),
        "boolean" => Some(Type::Bool),
        "object" | "array" => Some(Type::Json),
        _ => None,
    };
    match ty {
        serde_json::Value::String(name) => one(name),
        serde_json::Value::Array(names) => {
            let mut kinds = names
                .iter()
                .filter_map(serde_json::Value::as_str)
                .filter(|n| *n != "null");
            let first = kinds.next().and_then(one)?;
            kinds.next().is_none().then_some(first)
        }
        _ => None,
    }
}
