//! The documents of a constitution, each read by itself. Whoever wants a constitution needs all of them; whoever checks a
//! folder wants to go on with those that can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use polity_document::{Document, suggest};
use polity_tables::DecisionTable;
use polity_workflow::{Dialect, Workflow};
use serde_json::{Map, Value, json};

use crate::binding::WrittenBinding;
use crate::charter::{Charter, WrittenCharter};
use crate::document;
use crate::problem::Problem;
use crate::sources::{self, Sources};
use crate::{Binding, checks, references, schema};

/// What could be read, all sorted by name.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) charter: Option<Charter>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) tables: Vec<Arc<DecisionTable>>,
    pub(crate) workflows: Vec<Arc<Workflow>>,
    /// What the documents say, by path.
    pub(crate) documents: Map<String, Value>,
}

impl Parts {
    /// Reads all documents, and adds to the problems what is wrong with them.
    pub(crate) fn read(sources: &Sources, problems: &mut Vec<Problem>) -> Self {
        let mut parts = Self::default();
        match sources.get(sources::CHARTER) {
            Some(text) => parts.read_charter(text, problems),
            None => {
                if problems.is_empty() {
                    problems.push(Problem::of_file(
                        "no-charter",
                        sources::CHARTER,
                        "a constitution needs a charter and there is none",
                        "add the document charter.json",
                    ));
                }
            }
        }
        parts.read_policies(sources);
        parts.read_bindings(sources, problems);
        parts.read_tables(sources, problems);
        parts.read_workflows(sources, problems);
        problems.extend(references::problems(sources, &parts));
        parts
    }

    fn read_charter(&mut self, text: &str, problems: &mut Vec<Problem>) {
        let mut found = Vec::new();
        let document = document::read(sources::CHARTER, text, &schema::CHARTER, &mut found);
        if let Some(document) = document {
            let names = checks::names(&document);
            match document::typed::<WrittenCharter>(&document) {
                Ok(written) => {
                    let charter = Charter::from(written);
                    let authority = checks::authority(&charter, &document, &names);
                    found.extend(names.into_iter().chain(authority).map(Problem::from));
                    self.charter = Some(charter);
                }
                Err(problem) => {
                    found.extend(names.into_iter().map(Problem::from));
                    // Where the schema has objected, it has said it better.
                    if found.is_empty() {
                        found.push(*problem);
                    }
                }
            }
            self.documents
                .insert(sources::CHARTER.to_owned(), document.value);
        }
        problems.append(&mut found);
    }

    fn read_bindings(&mut self, sources: &Sources, problems: &mut Vec<Problem>) {
        for (name, path, text) in sources.rules() {
            if !is_name(name) {
                problems.push(Problem::of_file(
                    "bad-name",
                    path,
                    "a binding is named after its file, and this is no name",
                    "use lower-case letters, digits and hyphens, beginning with a letter: rules/refund-limit.json",
                ));
            }
            let mut found = Vec::new();
            if let Some(document) = document::read(path, text, &schema::RULE, &mut found) {
                if found.is_empty() {
                    match document::typed::<WrittenBinding>(&document) {
                        Ok(mut written) => {
                            found.extend(with_policies(&mut written, &document, sources));
                            self.bindings.push(Binding::named(name, written));
                        }
                        Err(problem) => found.push(*problem),
                    }
                }
                self.documents.insert(path.to_owned(), document.value);
            }
            problems.append(&mut found);
        }
    }

    /// The texts that rules judge by are part of the version, whoever they are written for.
    fn read_policies(&mut self, sources: &Sources) {
        for (path, text) in sources.policies() {
            self.documents.insert(path.to_owned(), text.into());
        }
    }

    fn read_tables(&mut self, sources: &Sources, problems: &mut Vec<Problem>) {
        let mut tables = BTreeMap::new();
        for (name, path, text) in sources.decisions() {
            match DecisionTable::load(path, text) {
                Ok(table) => {
                    if let Some(document) = table.document() {
                        self.documents
                            .insert(path.to_owned(), document.value.clone());
                        let own = table.table().name.as_str();
                        if own != name {
                            problems.push(
                                document
                                    .problem(
                                        "misnamed",
                                        "/name",
                                        misnamed(own, name),
                                        rename(own, name),
                                    )
                                    .into(),
                            );
                        }
                    }
                    if tables.insert(name, Arc::new(table)).is_some() {
                        problems.push(twice(path, name));
                    }
                }
                Err(found) => problems.extend(found.into_iter().map(Problem::from)),
            }
        }
        self.tables = tables.into_values().collect();
    }

    fn read_workflows(&mut self, sources: &Sources, problems: &mut Vec<Problem>) {
        let mut workflows = BTreeMap::new();
        for (name, path, text) in sources.workflows() {
            match Workflow::load(path, text, Dialect::Strict) {
                Ok(workflow) => {
                    self.documents
                        .insert(path.to_owned(), workflow.source().clone());
                    if workflow.name() != name {
                        let own = workflow.name();
                        problems.push(Problem {
                            pointer: "/document/name".to_owned(),
                            ..Problem::of_file(
                                "misnamed",
                                path,
                                misnamed(own, name),
                                rename(own, name),
                            )
                        });
                    }
                    if workflows.insert(name, Arc::new(workflow)).is_some() {
                        problems.push(twice(path, name));
                    }
                }
                Err(found) => problems.extend(found.0.into_iter().map(Problem::from)),
            }
        }
        self.workflows = workflows.into_values().collect();
    }
}

/// Puts the texts of a binding's policies into its settings, and says which are not there.
fn with_policies(
    written: &mut WrittenBinding,
    document: &Document,
    sources: &Sources,
) -> Vec<Problem> {
    if written.policies.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if written.config.contains_key("policies") {
        problems.push(document.problem(
            "no-effect",
            "/config/policies",
            "the texts of the policies are put here by the host, and what stands here is lost",
            "name their files in \"policies\", beside \"config\"",
        ).into());
    }
    let mut texts = Vec::new();
    for (at, path) in written.policies.iter().enumerate() {
        match sources.policies().find(|(known, _)| known == path) {
            Some((file, text)) => texts.push(json!({"file": file, "text": text})),
            None => problems.push(
                document
                    .problem(
                        "unknown-policy",
                        &format!("/policies/{at}"),
                        format!("there is no file {path}"),
                        suggest::fix(path, "policy", sources.policies().map(|(path, _)| path)),
                    )
                    .into(),
            ),
        }
    }
    written.config.insert("policies".to_owned(), texts.into());
    problems
}

fn misnamed(own: &str, file: &str) -> String {
    format!(
        "the document is called \"{own}\" and its file \"{file}\", so that nobody finds it by its name"
    )
}

fn rename(own: &str, file: &str) -> String {
    format!("call both \"{own}\", or both \"{file}\"")
}

fn twice(path: &str, name: &str) -> Problem {
    Problem::of_file(
        "repeated-name",
        path,
        format!("another file of this folder is called \"{name}\" too"),
        "keep one of them",
    )
}

fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
