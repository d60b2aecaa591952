//! The schema as mutations have made it. A pure value: mutations and their inverses are functions on it, so that
//! history can be replayed and compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, digest};
use crate::mutation::{Alias, Field, Index, Link, Mutation, Rollup, field_name};

/// Who asked for something. What a person made, no strategy takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person or the charter.
    Person,
    /// A strategy.
    Evolved,
}

/// Something of the schema and who asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made<T> {
    /// What it is.
    #[serde(flatten)]
    pub what: T,
    /// Who asked for it.
    pub origin: Origin,
}

/// A declared field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldEntry {
    /// What it is.
    #[serde(flatten)]
    pub field: Field,
    /// Whether it is out of sight.
    pub archived: bool,
}

/// Everything that mutations can change, by subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Indexes.
    pub indexes: BTreeMap<String, Made<Index>>,
    /// Rollups.
    pub rollups: BTreeMap<String, Made<Rollup>>,
    /// Declared fields.
    pub fields: BTreeMap<String, Made<FieldEntry>>,
    /// Second names.
    pub aliases: BTreeMap<String, Made<Alias>>,
    /// Linked collections.
    pub links: BTreeMap<String, Made<Link>>,
}

/// The way back from a mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Inverse {
    /// Make another mutation.
    Apply {
        /// Which.
        mutation: Box<Mutation>,
    },
    /// The field is no longer declared; its values stay where they are.
    DemoteField {
        /// Which.
        field: Field,
        /// Whether it was declared, and out of sight, before.
        archived: bool,
    },
    /// The field has its former type.
    NarrowField {
        /// With the former schema.
        field: Field,
    },
    /// The second name is gone.
    DropAlias {
        /// Which.
        alias: Alias,
    },
    /// The fields live in their first collection again.
    MergeCollection {
        /// Which.
        link: Link,
    },
}

/// Why a mutation cannot be made on this schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// It is so already.
    #[error("{0} is there already")]
    Exists(String),
    /// What it changes is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// A person made it.
    #[error("{0} was made by a person, and only a person gives it up")]
    OfAPerson(String),
    /// The name is in use for something else.
    #[error("{0} is in use for something else")]
    Taken(String),
    /// Something else of the schema rests on it.
    #[error("{0} is used by {1}")]
    InUse(String, String),
}

impl Catalogue {
    /// Whether a mutation can be made, and what would take it back.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn inverse(&self, mutation: &Mutation, by: Origin) -> Result<Inverse, Conflict> {
        let subject = mutation.subject();
        let apply = |mutation| Inverse::Apply {
            mutation: Box::new(mutation),
        };
        match mutation {
            Mutation::CreateIndex(index) => {
                absent(&self.indexes, &subject)?;
                Ok(apply(Mutation::DropIndex(index.clone())))
            }
            Mutation::DropIndex(index) => {
                mine(&self.indexes, &subject, by)?;
                Ok(apply(Mutation::CreateIndex(index.clone())))
            }
            Mutation::CreateRollup(rollup) => {
                absent(&self.rollups, &subject)?;
                Ok(apply(Mutation::DropRollup(rollup.clone())))
            }
            Mutation::DropRollup(rollup) => {
                mine(&self.rollups, &subject, by)?;
                Ok(apply(Mutation::CreateRollup(rollup.clone())))
            }
            Mutation::PromoteField(field) => match self.fields.get(&subject) {
                Some(_) => Err(Conflict::Exists(subject)),
                None if self.aliases.contains_key(&format!("alias {subject}")) => {
                    Err(Conflict::Taken(subject))
                }
                None => Ok(Inverse::DemoteField {
                    field: field.clone(),
                    archived: false,
                }),
            },
            Mutation::WidenField(field) => {
                let known = self.field(&subject, false)?;
                if known.field.schema == field.schema {
                    return Err(Conflict::Exists(subject));
                }
                Ok(Inverse::NarrowField {
                    field: known.field.clone(),
                })
            }
            Mutation::AliasField(alias) => {
                absent(&self.aliases, &subject)?;
                let name = field_name(&alias.collection, &alias.alias);
                if self.fields.contains_key(&name) {
                    return Err(Conflict::Taken(name));
                }
                Ok(Inverse::DropAlias {
                    alias: alias.clone(),
                })
            }
            Mutation::ArchiveField(field) => {
                if let Some(user) = self.user_of(&field.collection, &field.path) {
                    return Err(Conflict::InUse(subject, user));
                }
                match self.fields.get(&subject) {
                    Some(known) if known.what.archived => Err(Conflict::Exists(subject)),
                    Some(known) => Ok(apply(Mutation::RestoreField(known.what.field.clone()))),
                    // Never declared: hiding it declares it, so taking it back has to forget it.
                    None => Ok(Inverse::DemoteField {
                        field: field.clone(),
                        archived: true,
                    }),
                }
            }
            Mutation::RestoreField(_) => {
                let known = self.field(&subject, true)?;
                Ok(apply(Mutation::ArchiveField(known.field.clone())))
            }
            Mutation::LinkCollection(link) => {
                absent(&self.links, &subject)?;
                let taken = |made: &Made<Link>| made.what.target == link.target;
                if self.links.values().any(taken) {
                    return Err(Conflict::Taken(link.target.clone()));
                }
                Ok(Inverse::MergeCollection { link: link.clone() })
            }
        }
    }

    /// Makes a mutation and returns the way back.
    ///
    /// # Errors
    /// Why it cannot be made; then nothing has changed.
    pub fn apply(&mut self, mutation: &Mutation, by: Origin) -> Result<Inverse, Conflict> {
        let inverse = self.inverse(mutation, by)?;
        let subject = mutation.subject();
        match mutation {
            Mutation::CreateIndex(index) => insert(&mut self.indexes, subject, index.clone(), by),
            Mutation::CreateRollup(rollup) => {
                insert(&mut self.rollups, subject, rollup.clone(), by)
            }
            Mutation::AliasField(alias) => insert(&mut self.aliases, subject, alias.clone(), by),
            Mutation::LinkCollection(link) => insert(&mut self.links, subject, link.clone(), by),
            Mutation::PromoteField(field) => {
                insert(&mut self.fields, subject, entry(field, false), by);
            }
            Mutation::DropIndex(_) => drop(self.indexes.remove(&subject)),
            Mutation::DropRollup(_) => drop(self.rollups.remove(&subject)),
            Mutation::WidenField(field) => {
                if let Some(known) = self.fields.get_mut(&subject) {
                    known.what.field.schema = field.schema.clone();
                }
            }
            Mutation::ArchiveField(field) => match self.fields.get_mut(&subject) {
                Some(known) => known.what.archived = true,
                None => insert(&mut self.fields, subject, entry(field, true), by),
            },
            Mutation::RestoreField(_) => {
                if let Some(known) = self.fields.get_mut(&subject) {
                    known.what.archived = false;
                }
            }
        }
        Ok(inverse)
    }

    /// Takes a mutation back.
    ///
    /// # Errors
    /// Why the way back is closed; then nothing has changed.
    pub fn undo(&mut self, inverse: &Inverse) -> Result<(), Conflict> {
        match inverse {
            Inverse::Apply { mutation } => self.apply(mutation, Origin::Evolved).map(drop),
            Inverse::DemoteField { field, archived } => {
                let subject = field_name(&field.collection, &field.path);
                self.field(&subject, *archived)?;
                if let Some(user) = self.user_of(&field.collection, &field.path) {
                    return Err(Conflict::InUse(subject, user));
                }
                self.fields.remove(&subject);
                Ok(())
            }
            Inverse::NarrowField { field } => {
                let subject = field_name(&field.collection, &field.path);
                let known = self
                    .fields
                    .get_mut(&subject)
                    .ok_or(Conflict::Missing(subject))?;
                known.what.field.schema = field.schema.clone();
                Ok(())
            }
            Inverse::DropAlias { alias } => remove(
                &mut self.aliases,
                Mutation::AliasField(alias.clone()).subject(),
            ),
            Inverse::MergeCollection { link } => remove(
                &mut self.links,
                Mutation::LinkCollection(link.clone()).subject(),
            ),
        }
    }

    /// Two catalogues with one digest are the same.
    pub fn digest(&self) -> Digest {
        digest(&serde_json::to_value(self).unwrap_or(Value::Null))
    }

    fn field(&self, subject: &str, archived: bool) -> Result<&FieldEntry, Conflict> {
        match self.fields.get(subject) {
            Some(known) if known.what.archived == archived => Ok(&known.what),
            _ => Err(Conflict::Missing(subject.to_owned())),
        }
    }

    /// What of the schema rests on a field.
    fn user_of(&self, collection: &str, path: &str) -> Option<String> {
        let index = self.indexes.values().map(|made| &made.what).find(|index| {
            index.collection == collection && index.fields.iter().any(|field| field == path)
        });
        let rollup = self.rollups.values().map(|made| &made.what).find(|rollup| {
            let argument = format!("({path})");
            rollup.collection == collection
                && (rollup.group_by.iter().any(|field| field == path)
                    || rollup
                        .aggregates
                        .iter()
                        .any(|text| text.ends_with(&argument)))
        });
        let link = self
            .links
            .values()
            .map(|made| &made.what)
            .find(|link| link.collection == collection && link.key == path);
        let alias = self
            .aliases
            .values()
            .map(|made| &made.what)
            .find(|alias| alias.collection == collection && alias.path == path);
        index
            .map(Index::name)
            .or(rollup.map(Rollup::name))
            .or(link.map(|link| format!("the linked collection {}", link.target)))
            .or(alias.map(|alias| format!("the alias {}", alias.alias)))
    }
}

fn entry(field: &Field, archived: bool) -> FieldEntry {
    FieldEntry {
        field: field.clone(),
        archived,
    }
}

fn absent<T>(map: &BTreeMap<String, T>, subject: &str) -> Result<(), Conflict> {
    match map.contains_key(subject) {
        true => Err(Conflict::Exists(subject.to_owned())),
        false => Ok(()),
    }
}

fn mine<T>(map: &BTreeMap<String, Made<T>>, subject: &str, by: Origin) -> Result<(), Conflict> {
    match map.get(subject) {
        None => Err(Conflict::Missing(subject.to_owned())),
        Some(made) if made.origin == Origin::Person && by == Origin::Evolved => {
            Err(Conflict::OfAPerson(subject.to_owned()))
        }
        Some(_) => Ok(()),
    }
}

fn insert<T>(map: &mut BTreeMap<String, Made<T>>, subject: String, what: T, origin: Origin) {
    map.insert(subject, Made { what, origin });
}

fn remove<T>(map: &mut BTreeMap<String, T>, subject: String) -> Result<(), Conflict> {
    match map.remove(&subject) {
        Some(_) => Ok(()),
        None => Err(Conflict::Missing(subject)),
    }
}
