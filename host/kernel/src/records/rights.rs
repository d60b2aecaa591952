//! Who may touch which fields and rows: the charter's `records.restricted` and `records.rows`, before any rule is asked.
//!
//! What a statement touches is known before it runs, field by field, whatever form it has: a `SELECT *` reads every field
//! that it would show, a condition reads what it compares. Which rows it touches is seen to where they are read. All of it
//! holds for whoever asks over the API and for whoever has a workflow ask: a protocol may do what its actor may.

use std::collections::{BTreeMap, BTreeSet};

use polity_constitution::RowMatch;
use polity_database::{Collection, Database, Document, RowRights, Statement, Value as Datum};
use serde_json::Value;

use super::RecordError;
use crate::{Actor, Kernel};

impl Kernel {
    /// The rows that an actor may touch.
    pub(crate) fn row_rights(&self, actor: &Actor) -> RowRights {
        let constitution = self.constitution();
        let mut rights = BTreeMap::new();
        for (collection, rule) in &constitution.charter().records().rows {
            if actor.roles.iter().any(|role| rule.all_for.contains(role)) {
                continue;
            }
            let values = |wanted: &Value| match RowMatch::of(wanted) {
                RowMatch::Actor => vec![Datum::text(actor.id.as_str())],
                RowMatch::Roles => {
                    let roles = actor.roles.iter();
                    roles.map(|role| Datum::text(role.as_str())).collect()
                }
                // A value that is none lets nobody in.
                RowMatch::Value(value) => {
                    Datum::from_json(&value.to_string()).into_iter().collect()
                }
            };
            let alternative = |fields: &BTreeMap<String, Value>| {
                let fields = fields.iter();
                fields
                    .map(|(name, wanted)| (name.clone(), values(wanted)))
                    .collect()
            };
            let allowed = rule.alternatives.iter().map(alternative).collect();
            rights.insert(collection.clone(), allowed);
        }
        RowRights::new(rights)
    }

    /// Whether an actor may touch what a statement is about.
    pub(crate) fn may(&self, actor: &Actor, about: &Statement) -> Result<(), RecordError> {
        let (collections, fields) = (about.collections.iter(), about.fields.iter());
        self.may_touch(
            actor,
            collections.map(String::as_str),
            fields.map(String::as_str),
        )
    }

    /// The fields of a collection that an actor may touch.
    pub(crate) fn fields_for(&self, actor: &Actor, collection: &Collection) -> Vec<String> {
        let names = collection.fields.iter().map(|field| field.name.clone());
        let mine = |name: &String| {
            let field = format!("{}.{name}", collection.name);
            self.may_touch(actor, [], [field.as_str()]).is_ok()
        };
        names.filter(mine).collect()
    }

    /// Whether an actor may touch these collections and fields, each `collection.field`.
    pub(crate) fn may_touch<'n>(
        &self,
        actor: &Actor,
        collections: impl IntoIterator<Item = &'n str>,
        fields: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), RecordError> {
        let constitution = self.constitution();
        let restricted = &constitution.charter().records().restricted;
        if restricted.is_empty() {
            return Ok(());
        }
        for name in collections.into_iter().chain(fields) {
            let Some(roles) = restricted.get(name) else {
                continue;
            };
            if !actor.roles.iter().any(|role| roles.contains(role)) {
                return Err(RecordError::Restricted {
                    actor: actor.id.clone(),
                    what: name.to_owned(),
                    roles: roles.iter().cloned().collect(),
                });
            }
        }
        Ok(())
    }

    /// The same for whole collections, with every field and row they have.
    pub(super) fn may_touch_whole<'n>(
        &self,
        actor: &Actor,
        database: &Database,
        collections: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), RecordError> {
        let catalogue = database.engine().catalogue();
        let rights = self.row_rights(actor);
        for name in collections {
            if !rights.is_open(name) {
                return Err(RecordError::Rows {
                    actor: actor.id.clone(),
                    collection: name.to_owned(),
                });
            }
            let found = catalogue.collections.get(name);
            let fields: Vec<String> = found
                .iter()
                .flat_map(|found| &found.fields)
                .map(|field| format!("{name}.{}", field.name))
                .collect();
            self.may_touch(actor, [name], fields.iter().map(String::as_str))?;
        }
        Ok(())
    }

    /// The same for documents to be written; a second name of a field is that field.
    pub(crate) fn may_write(
        &self,
        actor: &Actor,
        database: &Database,
        collection: &str,
        documents: &[Document],
    ) -> Result<(), RecordError> {
        let constitution = self.constitution();
        if constitution.charter().records().restricted.is_empty() {
            return Ok(());
        }
        let catalogue = database.engine().catalogue();
        let found = catalogue.collections.get(collection);
        let name_of = |name: &str| {
            let known = found.and_then(|found| {
                let is_it =
                    |field: &&polity_database::Field| field.aliases.iter().any(|a| a == name);
                found.fields.iter().find(is_it)
            });
            let name = known.map_or(name, |field| field.name.as_str());
            format!("{collection}.{name}")
        };
        let fields = documents.iter().flat_map(|document| &document.fields);
        let fields: BTreeSet<String> = fields.map(|(name, _)| name_of(name)).collect();
        self.may_touch(actor, [collection], fields.iter().map(String::as_str))
    }
}
