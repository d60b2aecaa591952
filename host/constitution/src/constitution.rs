//! A constitution as a whole: loaded completely or not at all, and never changed afterwards.

use std::path::Path;

use serde_json::{Map, Value};

use crate::binding::WrittenBinding;
use crate::charter::{Charter, WrittenCharter};
use crate::document::Document;
use crate::problem::{Problem, Problems};
use crate::sources::{self, Sources};
use crate::version::Version;
use crate::{ActionKind, Binding, canonical, checks, git, schema};

/// One version of the company's rules. It is immutable: a change is another constitution with another digest, and what
/// was begun under the old one can go on holding it.
#[derive(Clone, Debug)]
pub struct Constitution {
    charter: Charter,
    bindings: Vec<Binding>,
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
        assemble(&sources, unread, git::head_commit(folder)).map_err(|problems| Problems {
            folder: Some(folder.to_owned()),
            ..problems
        })
    }

    /// Builds a constitution from texts in memory; its version has no commit.
    ///
    /// # Errors
    /// Everything that is wrong with the documents, at once.
    pub fn from_sources(sources: &Sources) -> Result<Self, Problems> {
        assemble(sources, Vec::new(), None)
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

    /// Which constitution this is.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

fn assemble(
    sources: &Sources,
    mut problems: Vec<Problem>,
    commit: Option<String>,
) -> Result<Constitution, Problems> {
    let mut documents = Map::new();
    let charter = match sources.get(sources::CHARTER) {
        Some(text) => read_charter(text, &mut documents, &mut problems),
        None => {
            if problems.is_empty() {
                problems.push(Problem::of_file(
                    "no-charter",
                    sources::CHARTER,
                    "a constitution needs a charter and there is none",
                    "add the document charter.json",
                ));
            }
            None
        }
    };
    let bindings = read_bindings(sources, &mut documents, &mut problems);
    let models = sources.get(sources::MODELS).map(str::to_owned);
    if let Some(text) = &models {
        // What is no JSON is another version too; whoever reads it says what is wrong with it.
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        documents.insert(sources::MODELS.to_owned(), value);
    }
    match charter {
        Some(charter) if problems.is_empty() => Ok(Constitution {
            charter,
            bindings,
            version: Version::of(&canonical(&Value::Object(documents)), commit),
            models,
        }),
        _ => Err(Problems::new(problems)),
    }
}

fn read_charter(
    text: &str,
    documents: &mut Map<String, Value>,
    problems: &mut Vec<Problem>,
) -> Option<Charter> {
    let mut found = Vec::new();
    let document = Document::read(sources::CHARTER, text, &schema::CHARTER, &mut found);
    let charter = document.and_then(|document| {
        found.extend(checks::names(&document));
        let charter = match document.typed::<WrittenCharter>() {
            Ok(written) => {
                let charter = Charter::from(written);
                found.extend(checks::authority(&charter, &document, &found));
                Some(charter)
            }
            Err(problem) => {
                // Where the schema has objected, it has said it better.
                if found.is_empty() {
                    found.push(problem);
                }
                None
            }
        };
        documents.insert(sources::CHARTER.to_owned(), document.value);
        charter
    });
    problems.append(&mut found);
    charter
}

fn read_bindings(
    sources: &Sources,
    documents: &mut Map<String, Value>,
    problems: &mut Vec<Problem>,
) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for (name, path, text) in sources.rules() {
        if !is_binding_name(name) {
            problems.push(Problem::of_file(
                "bad-name",
                path,
                "a binding is named after its file, and this is no name",
                "use lower-case letters, digits and hyphens, beginning with a letter: rules/refund-limit.json",
            ));
        }
        let mut found = Vec::new();
        if let Some(document) = Document::read(path, text, &schema::RULE, &mut found) {
            if found.is_empty() {
                match document.typed::<WrittenBinding>() {
                    Ok(written) => bindings.push(Binding::named(name, written)),
                    Err(problem) => found.push(problem),
                }
            }
            documents.insert(path.to_owned(), document.value);
        }
        problems.append(&mut found);
    }
    bindings
}

fn is_binding_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
