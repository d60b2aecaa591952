//! Who may touch which fields: the charter's `records.restricted`, before any rule is asked.
//!
//! What a statement touches is known before it runs, field by field, whatever form it has: a `SELECT *` reads every field
//! that it would show, a condition reads what it compares.

use std::collections::BTreeSet;

use polity_database::{Database, Document};

use super::RecordError;
use crate::{Actor, Kernel};

impl Kernel {
    /// Whether an actor may touch these collections and fields, each `collection.field`.
    pub(super) fn may_touch<'n>(
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

    /// The same for whole collections, with every field they have.
    pub(super) fn may_touch_whole<'n>(
        &self,
        actor: &Actor,
        database: &Database,
        collections: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), RecordError> {
        let catalogue = database.engine().catalogue();
        for name in collections {
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
    pub(super) fn may_write(
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
