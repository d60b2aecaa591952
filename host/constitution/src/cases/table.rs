//! Recorded cases: what a table has to answer, written down once and asked again after every change. They lie beside the
//! table, as `decisions/refund.cases.json` beside `decisions/refund.json`.

use std::fs;
use std::path::Path;

use polity_tables::{DecideError, DecisionTable, Document, Kind, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::problem::{Problem, Problems};
use crate::{Constitution, suggest};

/// How the name of a file of cases ends.
const ENDING: &str = ".cases.json";

/// One case and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The table.
    pub table: String,
    /// What the case is called.
    pub name: String,
    /// The file.
    pub file: String,
    /// Where it begins.
    pub line: u32,
    /// Whether the table answered as expected.
    pub passed: bool,
    /// What was expected, in JSON; an error by its code.
    pub expected: String,
    /// What was answered.
    pub found: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    input: Json,
    #[serde(default)]
    expect: Option<Json>,
    #[serde(default)]
    error: Option<String>,
}

impl Constitution {
    /// Asks the tables all cases that are recorded in a company's folder.
    ///
    /// # Errors
    /// A file of cases that cannot be used, or that belongs to no table.
    pub fn try_cases(&self, folder: impl AsRef<Path>) -> Result<Vec<Tried>, Problems> {
        let folder = folder.as_ref().join("decisions");
        let mut names: Vec<String> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(ENDING) && !name.starts_with('.'))
            .collect();
        names.sort();
        let (mut tried, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            let file = format!("decisions/{name}");
            match fs::read_to_string(folder.join(&name)) {
                Ok(text) => match self.try_file(&file, &text) {
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
        if problems.is_empty() {
            Ok(tried)
        } else {
            Err(Problems::new(problems))
        }
    }

    fn try_file(&self, file: &str, text: &str) -> Result<Vec<Tried>, Vec<Problem>> {
        let name = file
            .trim_start_matches("decisions/")
            .trim_end_matches(ENDING);
        let Some(table) = self.table(name) else {
            let known = self
                .tables()
                .iter()
                .map(|table| table.table().name.as_str());
            return Err(vec![Problem::of_file(
                "unknown-table",
                file,
                format!("these cases are for the table \"{name}\", and there is none of that name"),
                suggest::fix(name, "table", known),
            )]);
        };
        let document = Document::parse(file, text)
            .map_err(|found| found.into_iter().map(Problem::from).collect::<Vec<_>>())?;
        let written: Written = serde_json::from_value(document.value.clone()).map_err(|error| {
            vec![Problem::from(document.problem(
                "bad-form",
                "",
                error.to_string(),
                "write {\"cases\": [{\"name\": \"…\", \"input\": {…}, \"expect\": …}]}, or \"error\" in place of \"expect\"",
            ))]
        })?;
        let cases = written.cases.into_iter().enumerate();
        cases
            .map(|(at, case)| {
                let place = document.place(&format!("/cases/{at}"));
                let Some((passed, expected, found)) = ask(table, &case) else {
                    return Err(vec![Problem::from(document.problem(
                        "bad-form",
                        &format!("/cases/{at}"),
                        "a case expects an answer or an error, and one of them",
                        "write \"expect\" with the answer, or \"error\" with its code",
                    ))]);
                };
                Ok(Tried {
                    table: name.to_owned(),
                    name: case.name,
                    file: file.to_owned(),
                    line: place.line,
                    passed,
                    expected,
                    found,
                })
            })
            .collect()
    }
}

/// Whether the answer is the expected one, and both in words.
fn ask(table: &DecisionTable, case: &Case) -> Option<(bool, String, String)> {
    let answer = table.decide(&case.input);
    let found = match &answer {
        Ok(decision) => decision.value.to_json().to_string(),
        Err(error) => format!("{}: {error}", code(error)),
    };
    match (&case.expect, &case.error) {
        (Some(expected), None) => {
            let passed = answer.is_ok_and(|decision| {
                // 50 and 50.0 are one number.
                Value::from_json(&decision.value.to_json(), Kind::Any)
                    == Value::from_json(expected, Kind::Any)
            });
            Some((passed, expected.to_string(), found))
        }
        (None, Some(expected)) => {
            let passed = answer.is_err_and(|error| code(&error) == *expected);
            Some((passed, expected.clone(), found))
        }
        _ => None,
    }
}

fn code(error: &DecideError) -> String {
    serde_json::to_value(error)
        .ok()
        .and_then(|value| value["code"].as_str().map(str::to_owned))
        .unwrap_or_default()
}
