//! A constitution as a whole: loaded completely or not at all, and never changed afterwards.

use std::path::Path;
use std::sync::Arc;

use polity_tables::DecisionTable;
use polity_workflow::Workflow;
use serde_json::Value;

use crate::charter::Charter;
use crate::parts::Parts;
use crate::problem::{Problem, Problems};
use crate::sources::Sources;
use crate::version::Version;
use crate::{ActionKind, Binding, git};

/// One version of the company's rules. It is immutable: a change is another constitution with another digest, and what
/// was begun under the old one can go on holding it.
#[derive(Clone, Debug)]
pub struct Constitution {
    charter: Charter,
    bindings: Vec<Binding>,
    tables: Vec<Arc<DecisionTable>>,
    workflows: Vec<Arc<Workflow>>,
    sources: Sources,
    version: Version,
    models: Option<String>,
}

impl Constitution {
    /// Reads a constitution's folder. Nothing is written and no program is run.
    ///
    /// # Errors
    /// Everything that is wrong with the folder, at once.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Problems> {
        let folder = folder.as_ref();
        let (sources, unread) = Sources::read(folder);
        assemble(sources, unread, git::head_commit(folder)).map_err(|problems| Problems {
            folder: Some(folder.to_owned()),
            ..problems
        })
    }

    /// Builds a constitution from texts in memory; its version has no commit.
    ///
    /// # Errors
    /// Everything that is wrong with the documents, at once.
    pub fn from_sources(sources: &Sources) -> Result<Self, Problems> {
        assemble(sources.clone(), Vec::new(), None)
    }

    /// The same constitution, known to come from a commit: for whoever has taken it out of a repository by themselves.
    #[must_use]
    pub fn at_commit(mut self, commit: Option<String>) -> Self {
        self.version.commit = commit;
        self
    }

    /// The charter.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// Every binding, by name.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The binding of this name.
    pub fn binding(&self, name: &str) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.name == name)
    }

    /// The bindings that guard a kind of action, enforced and shadow, by name.
    pub fn bindings_for<'a>(&'a self, kind: &'a ActionKind) -> impl Iterator<Item = &'a Binding> {
        self.bindings.iter().filter(|binding| binding.guards(kind))
    }

    /// The text of `models.json`, where there is one: what the company says of its models. It has not been looked into.
    pub fn models(&self) -> Option<&str> {
        self.models.as_deref()
    }

    /// Every decision table, by name.
    pub fn tables(&self) -> &[Arc<DecisionTable>] {
        &self.tables
    }

    /// The decision table of this name.
    pub fn table(&self, name: &str) -> Option<&Arc<DecisionTable>> {
        self.tables.iter().find(|table| table.table().name == name)
    }

    /// Every workflow, by name.
    pub fn workflows(&self) -> &[Arc<Workflow>] {
        &self.workflows
    }

    /// The workflow of this name.
    pub fn workflow(&self, name: &str) -> Option<&Arc<Workflow>> {
        self.workflows
            .iter()
            .find(|workflow| workflow.name() == name)
    }

    /// The texts that it was read from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Which constitution this is.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

fn assemble(
    sources: Sources,
    mut problems: Vec<Problem>,
    commit: Option<String>,
) -> Result<Constitution, Problems> {
    let mut parts = Parts::read(&sources, &mut problems);
    let models = sources.get(crate::sources::MODELS).map(str::to_owned);
    if let Some(text) = &models {
        // What is no JSON is another version too; whoever reads it says what is wrong with it.
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        parts
            .documents
            .insert(crate::sources::MODELS.to_owned(), value);
    }
    match parts.charter {
        Some(charter) if problems.is_empty() => Ok(Constitution {
            charter,
            bindings: parts.bindings,
            tables: parts.tables,
            workflows: parts.workflows,
            sources,
            version: Version::of(
                &polity_canonical::to_string(&Value::Object(parts.documents)),
                commit,
            ),
            models,
        }),
        _ => Err(Problems::new(problems)),
    }
}
