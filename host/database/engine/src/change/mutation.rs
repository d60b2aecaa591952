//! The closed set of changes to a schema, each with its way back.

use serde::{Deserialize, Serialize};

use super::txn::Txn;
use crate::catalogue::{AggregateKind, BuildState, FieldState, Index, MAX_INDEXES, Rollup, Type};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::front::Durability;

/// Rows of one step when a build runs to its end in one call.
const STEP: usize = 500;

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mutation", rename_all = "kebab-case")]
pub enum Mutation {
    /// Keep an additional order.
    CreateIndex {
        /// Where.
        collection: String,
        /// Its name.
        name: String,
        /// Its columns, in order: fields, and values inside of fields as [`crate::FieldPath`] shows them.
        fields: Vec<String>,
    },
    /// Give an order up.
    DropIndex {
        /// Where.
        collection: String,
        /// Its name.
        name: String,
    },
    /// Keep aggregates by groups.
    CreateRollup {
        /// Where.
        collection: String,
        /// Its name.
        name: String,
        /// The fields whose values make the groups.
        group_by: Vec<String>,
        /// What is kept for each group; the count of rows always is.
        aggregates: Vec<Aggregate>,
    },
    /// Give a rollup up.
    DropRollup {
        /// Where.
        collection: String,
        /// Its name.
        name: String,
    },
    /// An emergent or archived field becomes a column, or with another state the reverse.
    SetFieldState {
        /// Where.
        collection: String,
        /// Which.
        field: String,
        /// What it becomes.
        state: FieldState,
    },
    /// The declared type of a field becomes another that holds its values; `None` gives the declaration up.
    SetFieldType {
        /// Where.
        collection: String,
        /// Which.
        field: String,
        /// The type.
        ty: Type,
        /// Whether other values are refused from now on.
        declared: bool,
    },
    /// A field answers to another name too.
    AddAlias {
        /// Where.
        collection: String,
        /// Which.
        field: String,
        /// The other name.
        alias: String,
    },
    /// It no longer does.
    DropAlias {
        /// Where.
        collection: String,
        /// Which.
        field: String,
        /// The other name.
        alias: String,
    },
}

/// An aggregate of a rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What.
    pub function: AggregateKind,
    /// Of which field.
    pub field: String,
}

impl Engine {
    /// Applies a change and returns the one that takes it back. An index or rollup is built to its end and published;
    /// to throttle it use [`Engine::begin`], [`Engine::build_step`] and [`Engine::publish`].
    ///
    /// # Errors
    /// It does not fit what there is; nothing has changed then.
    pub fn apply(&self, mutation: &Mutation) -> Result<Mutation, EngineError> {
        let inverse = self.begin(mutation)?;
        if let Mutation::CreateIndex {
            collection, name, ..
        }
        | Mutation::CreateRollup {
            collection, name, ..
        } = mutation
        {
            while !self.build_step(collection, name, STEP)?.complete {}
            self.publish(collection, name, true)?;
        }
        Ok(inverse)
    }

    /// Applies a change up to the point where something is to be built, and returns the one that takes it back.
    ///
    /// # Errors
    /// It does not fit what there is; nothing has changed then.
    pub fn begin(&self, mutation: &Mutation) -> Result<Mutation, EngineError> {
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        let mut dropped = None;
        let inverse = change(&mut txn, mutation, &mut dropped)?;
        let place = txn.commit()?;
        drop(writer);
        self.settle(place, Durability::Durable)?;
        if let Some(tree) = dropped {
            self.clear_tree(tree)?;
        }
        Ok(inverse)
    }
}

/// Checks a change and makes it in a catalogue that is not shown yet; returns what takes it back.
pub(super) fn change(
    txn: &mut Txn<'_>,
    mutation: &Mutation,
    dropped: &mut Option<u32>,
) -> Result<Mutation, EngineError> {
    let building = || BuildState::Building { cursor: Vec::new() };
    match mutation {
        Mutation::CreateIndex {
            collection,
            name,
            fields,
        } => {
            let found = txn.catalogue.collection(collection)?.clone();
            free(&found, name)?;
            if fields.is_empty() || fields.len() > 8 {
                return Err(EngineError::Mutation(
                    "an index has one to eight columns".to_owned(),
                ));
            }
            if found.indexes.len() >= MAX_INDEXES {
                return Err(EngineError::Mutation(format!(
                    "{collection:?} has {MAX_INDEXES} indexes already: drop one first"
                )));
            }
            let edited = txn.edit().edit(collection)?;
            let ids = fields
                .iter()
                .map(|f| edited.column(f))
                .collect::<Result<Vec<_>, _>>()?;
            if let Some(same) = found.indexes.iter().find(|i| i.fields == ids) {
                return Err(EngineError::Mutation(format!(
                    "the index {:?} has these columns already",
                    same.name
                )));
            }
            if ids.iter().enumerate().any(|(n, f)| ids[..n].contains(f)) {
                return Err(EngineError::Mutation(
                    "an index has each column once".to_owned(),
                ));
            }
            let tree = txn.edit().new_tree();
            txn.edit().edit(collection)?.indexes.push(Index {
                name: name.clone(),
                tree,
                fields: ids,
                state: building(),
                distinct: Vec::new(),
            });
            Ok(Mutation::DropIndex {
                collection: collection.clone(),
                name: name.clone(),
            })
        }
        Mutation::DropIndex { collection, name } => {
            let found = txn.catalogue.collection(collection)?.clone();
            let at = found.indexes.iter().position(|i| i.name == *name);
            let at = at.ok_or_else(|| {
                unknown("index", name, found.indexes.iter().map(|i| i.name.clone()))
            })?;
            let edited = txn.edit().edit(collection)?;
            let index = edited.indexes.remove(at);
            edited.prune_paths();
            *dropped = Some(index.tree);
            Ok(Mutation::CreateIndex {
                collection: collection.clone(),
                name: name.clone(),
                fields: found.names_of(&index.fields),
            })
        }
        Mutation::CreateRollup {
            collection,
            name,
            group_by,
            aggregates,
        } => {
            let found = txn.catalogue.collection(collection)?.clone();
            free(&found, name)?;
            if group_by.is_empty() || group_by.len() > 8 || aggregates.len() > 32 {
                return Err(EngineError::Mutation(
                    "a rollup has one to eight group fields and at most 32 aggregates".to_owned(),
                ));
            }
            let group = group_by
                .iter()
                .map(|f| found.require(f))
                .collect::<Result<Vec<_>, _>>()?;
            let mut parts = Vec::new();
            for aggregate in aggregates {
                if matches!(
                    aggregate.function,
                    AggregateKind::BoolAnd | AggregateKind::BoolOr
                ) {
                    return Err(EngineError::Mutation(
                        "a rollup keeps count, sum, avg, min and max".to_owned(),
                    ));
                }
                parts.push((aggregate.function, Some(found.require(&aggregate.field)?)));
            }
            let tree = txn.edit().new_tree();
            txn.edit().edit(collection)?.rollups.push(Rollup {
                name: name.clone(),
                tree,
                group,
                aggregates: parts,
                state: building(),
            });
            Ok(Mutation::DropRollup {
                collection: collection.clone(),
                name: name.clone(),
            })
        }
        Mutation::DropRollup { collection, name } => {
            let found = txn.catalogue.collection(collection)?.clone();
            let at = found.rollups.iter().position(|r| r.name == *name);
            let at = at.ok_or_else(|| {
                unknown("rollup", name, found.rollups.iter().map(|r| r.name.clone()))
            })?;
            let rollup = txn.edit().edit(collection)?.rollups.remove(at);
            *dropped = Some(rollup.tree);
            let aggregate = |(function, field): &(AggregateKind, Option<u16>)| Aggregate {
                function: *function,
                field: field
                    .map(|f| found.field(f).name.clone())
                    .unwrap_or_default(),
            };
            Ok(Mutation::CreateRollup {
                collection: collection.clone(),
                name: name.clone(),
                group_by: found.names_of(&rollup.group),
                aggregates: rollup.aggregates.iter().map(aggregate).collect(),
            })
        }
        Mutation::SetFieldState {
            collection,
            field,
            state,
        } => {
            let id = txn.catalogue.collection(collection)?.require(field)?;
            let field_mut = txn.edit().edit(collection)?.field_mut(id);
            let before = std::mem::replace(&mut field_mut.state, *state);
            Ok(Mutation::SetFieldState {
                collection: collection.clone(),
                field: field.clone(),
                state: before,
            })
        }
        Mutation::SetFieldType {
            collection,
            field,
            ty,
            declared,
        } => {
            let id = txn.catalogue.collection(collection)?.require(field)?;
            let found = txn.edit().edit(collection)?.field_mut(id);
            if found.ty.join(*ty) != *ty {
                return Err(EngineError::Mutation(format!(
                    "{field:?} holds values of type {} and {ty} does not hold them: convert them first",
                    found.ty
                )));
            }
            let inverse = Mutation::SetFieldType {
                collection: collection.clone(),
                field: field.clone(),
                ty: found.ty,
                declared: found.declared,
            };
            (found.ty, found.declared) = (*ty, *declared);
            Ok(inverse)
        }
        Mutation::AddAlias {
            collection,
            field,
            alias,
        } => {
            let found = txn.catalogue.collection(collection)?.clone();
            let id = found.require(field)?;
            if found.find(alias).is_some() {
                return Err(EngineError::Exists {
                    what: "a field",
                    name: alias.clone(),
                });
            }
            let edited = txn.edit().edit(collection)?;
            edited.field_mut(id).aliases.push(alias.clone());
            edited.rename();
            Ok(Mutation::DropAlias {
                collection: collection.clone(),
                field: field.clone(),
                alias: alias.clone(),
            })
        }
        Mutation::DropAlias {
            collection,
            field,
            alias,
        } => {
            let id = txn.catalogue.collection(collection)?.require(field)?;
            let edited = txn.edit().edit(collection)?;
            let aliases = &mut edited.field_mut(id).aliases;
            let at = aliases.iter().position(|a| a == alias);
            let at = at.ok_or_else(|| unknown("alias", alias, aliases.iter().cloned()))?;
            aliases.remove(at);
            edited.rename();
            Ok(Mutation::AddAlias {
                collection: collection.clone(),
                field: field.clone(),
                alias: alias.clone(),
            })
        }
    }
}

fn unknown(what: &'static str, name: &str, valid: impl Iterator<Item = String>) -> EngineError {
    EngineError::Unknown {
        what,
        name: name.to_owned(),
        at: None,
        valid: valid.collect(),
    }
}

fn free(collection: &crate::catalogue::Collection, name: &str) -> Result<(), EngineError> {
    if name.is_empty() || name.len() > 1_000 {
        return Err(EngineError::Mutation(
            "a name has 1 to 1,000 bytes".to_owned(),
        ));
    }
    if collection.state_of(name).is_ok() {
        return Err(EngineError::Exists {
            what: "an index or rollup",
            name: name.to_owned(),
        });
    }
    Ok(())
}
