//! The texts of a constitution, read once. Everything after this works on what was read, so an edit during loading
//! yields the old text or the new one and never a mixture within a document.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use polity_document::suggest;

use crate::problem::Problem;

/// No document of a constitution is longer; a file that is was put there by mistake.
const MAX_BYTES: u64 = 1 << 20;

pub(crate) const CHARTER: &str = "charter.json";
const RULES: &str = "rules";
const DECISIONS: &str = "decisions";
const WORKFLOWS: &str = "workflows";
const POLICIES: &str = "policies";

/// Recorded cases lie beside the protocol that they try. They decide nothing, so they are no part of the constitution.
const CASES: &str = ".cases.json";

/// A folder of documents: what one of them is called, and which endings their files have.
struct Shelf {
    folder: &'static str,
    code: &'static str,
    one: &'static str,
    endings: &'static [&'static str],
}

const SHELVES: [Shelf; 4] = [
    Shelf {
        folder: RULES,
        code: "not-a-binding",
        one: "binding",
        endings: &[".json"],
    },
    Shelf {
        folder: DECISIONS,
        code: "not-a-table",
        one: "decision table",
        endings: &[".json", ".yaml", ".yml"],
    },
    Shelf {
        folder: WORKFLOWS,
        code: "not-a-workflow",
        one: "workflow",
        endings: &[".json", ".yaml", ".yml"],
    },
    Shelf {
        folder: POLICIES,
        code: "not-a-policy",
        one: "policy",
        endings: &[".cedar", ".rego"],
    },
];

impl Shelf {
    /// The document's name, where the path is that of a document of this shelf.
    fn name<'p>(&self, path: &'p str) -> Option<&'p str> {
        let file = path.strip_prefix(self.folder)?.strip_prefix('/')?;
        if self.is_cases(file) {
            return None;
        }
        self.endings
            .iter()
            .find_map(|ending| file.strip_suffix(ending))
    }

    fn is_cases(&self, file: &str) -> bool {
        file.ends_with(CASES) && matches!(self.folder, DECISIONS | WORKFLOWS)
    }

    /// `.json, .yaml or .yml`
    fn endings(&self) -> String {
        match self.endings.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => self.endings.concat(),
        }
    }
}

/// What the company says of its models. It is read, kept and part of the version like the rest; what it means, the
/// router knows.
pub(crate) const MODELS: &str = "models.json";

/// The documents of a constitution by their path in its folder, `/` between its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    documents: BTreeMap<String, String>,
}

impl Sources {
    /// No documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document, or replaces it.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.documents.insert(path.into(), text.into());
        self
    }

    /// The documents in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.documents
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.documents.get(path).map(String::as_str)
    }

    /// The documents of `rules/`: the binding's name, the path and the text.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.on(&SHELVES[0])
    }

    /// The documents of `decisions/`.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.on(&SHELVES[1])
    }

    /// The documents of `workflows/`.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.on(&SHELVES[2])
    }

    /// The texts of `policies/`: the path and the text. What they say, the rule knows that is bound to them.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.on(&SHELVES[3]).map(|(_, path, text)| (path, text))
    }

    fn on<'s>(
        &'s self,
        shelf: &'static Shelf,
    ) -> impl Iterator<Item = (&'s str, &'s str, &'s str)> {
        self.iter()
            .filter_map(|(path, text)| Some((shelf.name(path)?, path, text)))
    }

    /// Reads what a constitution's folder holds, with everything that could not be read.
    pub(crate) fn read(folder: &Path) -> (Self, Vec<Problem>) {
        let mut read = Self::new();
        let mut problems = Vec::new();
        match names(folder) {
            Err(error) => problems.push(Problem::of_file(
                "unreadable",
                ".",
                format!("the folder cannot be read: {error}"),
                "name the folder that holds charter.json, or create one with `polity init`",
            )),
            Ok(names) => {
                if names.iter().any(|name| name == CHARTER) {
                    read.take(folder, CHARTER, &mut problems);
                } else {
                    problems.push(no_charter(&names));
                }
                if names.iter().any(|name| name == MODELS) {
                    read.take(folder, MODELS, &mut problems);
                }
                for shelf in &SHELVES {
                    if names.iter().any(|name| name == shelf.folder) {
                        read.take_shelf(folder, shelf, &mut problems);
                    } else if let Some(name) =
                        names.iter().find(|name| looks_like(folder, name, shelf))
                    {
                        problems.push(Problem::of_file(
                            "misnamed-folder",
                            name,
                            format!("the {} in this folder would never be applied", shelf.folder),
                            format!("rename the folder to {}", shelf.folder),
                        ));
                    }
                }
            }
        }
        (read, problems)
    }

    fn take_shelf(&mut self, folder: &Path, shelf: &Shelf, problems: &mut Vec<Problem>) {
        let names = match names(&folder.join(shelf.folder)) {
            Ok(names) => names,
            Err(error) => {
                problems.push(Problem::of_file(
                    "unreadable",
                    shelf.folder,
                    format!("the folder cannot be read: {error}"),
                    "make it a folder that this process may read",
                ));
                return;
            }
        };
        for name in names.iter().filter(|name| !is_note(name)) {
            let path = format!("{}/{name}", shelf.folder);
            if shelf.is_cases(name) {
                continue;
            }
            if shelf.name(&path).is_some() && !folder.join(&path).is_dir() {
                self.take(folder, &path, problems);
            } else {
                // Silence here would mean a document that its author believes to be in force.
                problems.push(Problem::of_file(
                    shelf.code,
                    &path,
                    format!(
                        "this would never be applied: a {} is a {} file directly in {}/",
                        shelf.one,
                        shelf.endings(),
                        shelf.folder
                    ),
                    format!(
                        "turn it into a {} file in {}/, or move it elsewhere",
                        shelf.endings(),
                        shelf.folder
                    ),
                ));
            }
        }
    }

    fn take(&mut self, folder: &Path, path: &str, problems: &mut Vec<Problem>) {
        match read_text(&folder.join(path)) {
            Ok(text) => {
                self.documents.insert(path.to_owned(), text);
            }
            Err(reason) => problems.push(Problem::of_file(
                "unreadable",
                path,
                format!("the file cannot be read: {reason}"),
                "make it a UTF-8 text file of at most 1 MiB that this process may read",
            )),
        }
    }
}

/// All or none: an entry that was skipped could be a rule.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn read_text(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err(format!("it has {length} bytes"));
    }
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    })
}

fn no_charter(names: &[String]) -> Problem {
    let fix = match suggest::nearest(CHARTER, names.iter().map(String::as_str)) {
        Some(name) => format!("rename {name} to {CHARTER}"),
        None => format!("write {CHARTER}, or let `polity init` write one"),
    };
    Problem::of_file(
        "no-charter",
        CHARTER,
        "a constitution needs a charter and there is none",
        fix,
    )
}

fn looks_like(folder: &Path, name: &str, shelf: &Shelf) -> bool {
    suggest::nearest(name, [shelf.folder]).is_some() && folder.join(name).is_dir()
}

/// Editors' backups, hidden files and notes may lie beside documents.
fn is_note(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name.ends_with(".md")
}
