//! One model, and those that it imports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::boxed::{Boxed, Function};
use super::xml;
use crate::decision::DecisionTable;
use crate::table::Table;
use crate::value::Kind;

/// A DMN model.
#[derive(Debug, Default)]
pub struct Model {
    /// What it is called.
    pub name: String,
    pub(super) decisions: BTreeMap<Arc<str>, Boxed>,
    pub(super) inputs: BTreeMap<Arc<str>, Kind>,
    pub(super) knowledge: BTreeMap<Arc<str>, Function>,
    pub(super) services: BTreeMap<Arc<str>, Service>,
    /// Imported models by the name that stands before theirs.
    pub(super) imports: BTreeMap<Arc<str>, Model>,
}

/// A decision service: its outputs, and what it is told.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) outputs: Vec<Arc<str>>,
    pub(super) parameters: Vec<Arc<str>>,
}

/// Why a model was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is not XML.
    #[error("this is not XML: {0}")]
    NotXml(String),
    /// It is XML, but no DMN model.
    #[error("the root element is <{0}>, and a DMN model begins with <definitions>")]
    NotDmn(String),
    /// It imports a model that was not given.
    #[error("the model imports \"{name}\" ({namespace}), which was not given")]
    MissingImport {
        /// The name it gives to the import.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// It is nested too deep.
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
}

impl Model {
    /// Reads a model. `others` are texts of models that it may import.
    ///
    /// # Errors
    /// The text is no model, or imports one that is not among the others. A part of DMN that is not carried out here is no
    /// error until it is asked.
    pub fn parse(text: &str, others: &[&str]) -> Result<Self, ImportError> {
        xml::model(text, others)
    }

    /// The names of its decisions.
    pub fn decisions(&self) -> impl Iterator<Item = &str> {
        self.decisions.keys().map(|name| &**name)
    }

    /// The names of its inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(|name| &**name)
    }

    /// Every decision table in it, with the name of what it belongs to.
    pub fn tables(&self) -> Vec<(String, &DecisionTable)> {
        let mut found = Vec::new();
        let owners = self.decisions.iter().chain(
            self.knowledge
                .iter()
                .map(|(name, function)| (name, &*function.body)),
        );
        for (name, body) in owners {
            tables_in(body, name, &mut found);
        }
        for (prefix, model) in &self.imports {
            found.extend(
                model
                    .tables()
                    .into_iter()
                    .map(|(name, table)| (format!("{prefix}.{name}"), table)),
            );
        }
        found
    }

    /// The parts that are not carried out here: the decision and what is missing.
    pub fn unsupported(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let owners = self.decisions.iter().chain(
            self.knowledge
                .iter()
                .map(|(name, function)| (name, &*function.body)),
        );
        for (name, body) in owners {
            each(body, &mut |part| {
                if let Boxed::Unsupported(reason) = part {
                    found.push((name.to_string(), reason.clone()));
                }
            });
        }
        found
    }

    /// The documents of its decision tables, to be written into a constitution's folder.
    pub fn documents(&self) -> Vec<Table> {
        self.tables()
            .into_iter()
            .map(|(_, table)| table.table().clone())
            .collect()
    }
}

fn tables_in<'m>(body: &'m Boxed, owner: &str, found: &mut Vec<(String, &'m DecisionTable)>) {
    each(body, &mut |part| {
        if let Boxed::Table(table) = part {
            found.push((owner.to_owned(), table));
        }
    });
}

fn each<'m>(body: &'m Boxed, seen: &mut dyn FnMut(&'m Boxed)) {
    seen(body);
    match body {
        Boxed::Context(entries) => entries.iter().for_each(|(_, entry)| each(entry, seen)),
        Boxed::Invocation(_, bindings) => {
            bindings.iter().for_each(|(_, binding)| each(binding, seen))
        }
        Boxed::List(items) => items.iter().for_each(|item| each(item, seen)),
        Boxed::Relation(_, rows) => rows.iter().flatten().for_each(|cell| each(cell, seen)),
        Boxed::Function(function) => each(&function.body, seen),
        Boxed::Literal(_) | Boxed::Table(_) | Boxed::Unsupported(_) => {}
    }
}
