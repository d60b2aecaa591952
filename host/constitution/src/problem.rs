//! What is wrong with a constitution: everything at once, each with its place and what to do.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable and lower-case, for programs: `unknown-field`, `unknown-role`.
    pub code: String,
    /// The file, relative to the constitution's folder.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// The column in characters, from 1; 0 where the file as a whole is meant.
    pub column: u32,
    /// The JSON pointer of the part, empty for the whole document.
    pub pointer: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in one sentence.
    pub fix: String,
}

/// Why a constitution was not loaded. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The folder, where there is one.
    pub folder: Option<PathBuf>,
    /// All that is wrong, by file and line.
    pub list: Vec<Problem>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(crate) fn of_file(
        code: &str,
        file: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            file: file.to_owned(),
            line: 0,
            column: 0,
            pointer: String::new(),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

impl From<polity_document::Problem> for Problem {
    fn from(problem: polity_document::Problem) -> Self {
        let place = problem.place;
        Self {
            code: problem.code,
            file: place.file,
            line: place.line,
            column: place.column,
            pointer: place.pointer,
            message: problem.message,
            fix: problem.fix,
        }
    }
}

impl From<polity_workflow::Problem> for Problem {
    fn from(problem: polity_workflow::Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            file: problem.file,
            line: problem.line,
            column: problem.column,
            pointer: problem.pointer,
            message: problem.message,
            fix: problem.fix,
        }
    }
}

impl Problems {
    pub(crate) fn new(mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| {
            (&a.file, a.line, a.column, &a.pointer).cmp(&(&b.file, b.line, b.column, &b.pointer))
        });
        list.dedup();
        Self { folder: None, list }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.pointer.is_empty() {
            write!(f, " (at {})", self.pointer)?;
        }
        write!(f, "\n  fix: {}", self.fix)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the constitution ")?;
        if let Some(folder) = &self.folder {
            write!(f, "in {} ", folder.display())?;
        }
        match self.list.len() {
            1 => f.write_str("was not loaded because of a problem:")?,
            count => write!(f, "was not loaded because of {count} problems:")?,
        }
        for problem in &self.list {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
