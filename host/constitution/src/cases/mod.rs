//! Recorded cases: what a protocol has to answer, written down once and asked again after every change. They lie beside
//! the protocol, as `decisions/refund.cases.json` beside `decisions/refund.json`.

mod run;
mod same;
mod table;
mod workflow;

use std::fs;
use std::path::Path;

use polity_document::{Document, suggest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Problems};
use crate::{Constitution, ProtocolKind};

/// How the name of a file of cases ends.
const ENDING: &str = ".cases.json";

/// One case and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The protocol.
    pub protocol: String,
    /// What it is.
    pub kind: ProtocolKind,
    /// What the case is called.
    pub name: String,
    /// The file.
    pub file: String,
    /// Where it begins.
    pub line: u32,
    /// Whether it came out as expected.
    pub passed: bool,
    /// What was expected, in JSON; an error of a table by its code.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// How a case came out: as expected or not, and both in words.
struct Came {
    passed: bool,
    expected: String,
    found: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<C> {
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    cases: Vec<C>,
}

/// A case that cannot be tried: the part of it, what is wrong with it, and what to do.
struct Unusable {
    pointer: String,
    message: String,
    fix: String,
}

impl Constitution {
    /// Tries all cases that are recorded in a company's folder. Tables are asked; workflows run on the engine, with the
    /// effects answered as recorded and the time running as fast as it is waited for.
    ///
    /// # Errors
    /// A file of cases that cannot be used, or that belongs to no protocol.
    pub fn try_cases(&self, folder: impl AsRef<Path>) -> Result<Vec<Tried>, Problems> {
        let (mut tried, mut problems) = (Vec::new(), Vec::new());
        for (shelf, kind) in [
            ("decisions", ProtocolKind::Table),
            ("workflows", ProtocolKind::Workflow),
        ] {
            let folder = folder.as_ref().join(shelf);
            for name in files(&folder) {
                let file = format!("{shelf}/{name}");
                match fs::read_to_string(folder.join(&name)) {
                    Ok(text) => match self.try_file(kind, &file, &text) {
                        Ok(found) => tried.extend(found),
                        Err(found) => problems.extend(found),
                    },
                    Err(error) => problems.push(Problem::of_file(
                        "unreadable",
                        &file,
                        format!("the file cannot be read: {error}"),
                        "make it a UTF-8 text file that this process may read",
                    )),
                }
            }
        }
        if problems.is_empty() {
            Ok(tried)
        } else {
            Err(Problems::new(problems))
        }
    }

    fn try_file(
        &self,
        kind: ProtocolKind,
        file: &str,
        text: &str,
    ) -> Result<Vec<Tried>, Vec<Problem>> {
        let name = file
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(ENDING);
        let document = Document::parse(file, text)
            .map_err(|found| found.into_iter().map(Problem::from).collect::<Vec<_>>())?;
        match kind {
            ProtocolKind::Workflow => {
                let known = self.workflows().iter().map(|workflow| workflow.name());
                let workflow = self
                    .workflow(name)
                    .ok_or_else(|| belongs_nowhere(file, name, "workflow", known))?;
                let cases: Vec<workflow::Case> = read(&document, workflow::FORM)?;
                tried(
                    &document,
                    kind,
                    name,
                    &cases,
                    workflow::Case::name,
                    |case| self.try_workflow(workflow, case),
                )
            }
            _ => {
                let known = self
                    .tables()
                    .iter()
                    .map(|table| table.table().name.as_str());
                let table = self
                    .table(name)
                    .ok_or_else(|| belongs_nowhere(file, name, "table", known))?;
                let cases: Vec<table::Case> = read(&document, table::FORM)?;
                tried(&document, kind, name, &cases, table::Case::name, |case| {
                    table::ask(table, case)
                })
            }
        }
    }
}

/// The files of cases in a folder, by name.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(ENDING) && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn read<C: DeserializeOwned>(document: &Document, form: &str) -> Result<Vec<C>, Vec<Problem>> {
    serde_json::from_value::<Written<C>>(document.value.clone())
        .map(|written| written.cases)
        .map_err(|error| {
            vec![Problem::from(document.problem(
                "bad-form",
                "",
                error.to_string(),
                form,
            ))]
        })
}

fn tried<C>(
    document: &Document,
    kind: ProtocolKind,
    protocol: &str,
    cases: &[C],
    name: impl Fn(&C) -> &str,
    ask: impl Fn(&C) -> Result<Came, Unusable>,
) -> Result<Vec<Tried>, Vec<Problem>> {
    let cases = cases.iter().enumerate();
    cases
        .map(|(at, case)| {
            let pointer = format!("/cases/{at}");
            let came = ask(case).map_err(|unusable| {
                let pointer = format!("{pointer}{}", unusable.pointer);
                let problem =
                    document.problem("bad-form", &pointer, unusable.message, unusable.fix);
                vec![Problem::from(problem)]
            })?;
            Ok(Tried {
                protocol: protocol.to_owned(),
                kind,
                name: name(case).to_owned(),
                file: document.file.clone(),
                line: document.place(&pointer).line,
                passed: came.passed,
                expected: came.expected,
                found: came.found,
            })
        })
        .collect()
}

fn belongs_nowhere<'n>(
    file: &str,
    name: &str,
    what: &str,
    known: impl Iterator<Item = &'n str>,
) -> Vec<Problem> {
    vec![Problem::of_file(
        if what == "table" {
            "unknown-table"
        } else {
            "unknown-workflow"
        },
        file,
        format!("these cases are for the {what} \"{name}\", and there is none of that name"),
        suggest::fix(name, what, known),
    )]
}
