//! An immutable workflow: a document that passed every check, with its digest.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::jq::Dialect;
use crate::problem::{Problem, Problems};
use crate::read::Reader;
use crate::schedule::Schedule;
use crate::schema;
use crate::task::{Input, ListId, Output, Task, TaskId, Template};
use crate::text::Text;

/// A workflow, ready to run. It never changes; a running instance names it by its [digest](Self::digest).
#[derive(Debug)]
pub struct Workflow {
    pub(crate) file: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) dialect: Dialect,
    pub(crate) source: Arc<Value>,
    pub(crate) text: Text,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) timeout: Option<Template>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) secrets: Vec<String>,
    /// Why it cannot be run as it says, though it can be read.
    pub(crate) refused: Option<String>,
    /// The first is the document's own `do`.
    pub(crate) tasks: Vec<Task>,
    pub(crate) lists: Vec<Vec<TaskId>>,
}

impl Workflow {
    /// Reads a document, JSON where the file's name says so and YAML otherwise. It is checked against the official schema
    /// and, in the strict dialect, against the profile of this host.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line and pointer.
    pub fn load(file: &str, text: &str, dialect: Dialect) -> Result<Self, Problems> {
        let json = std::path::Path::new(file)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let read = Text::read(text, json).map_err(|unreadable| {
            Problems(vec![Problem {
                code: "unreadable",
                file: file.to_owned(),
                line: unreadable.at.line,
                column: unreadable.at.column,
                pointer: String::new(),
                message: unreadable.message,
                fix:
                    "look at this place for a missing comma, quotation mark, bracket or indentation"
                        .to_owned(),
            }])
        })?;
        let objections = schema::objections(&read.value);
        if !objections.is_empty() {
            let list = objections
                .into_iter()
                .map(|objection| {
                    let at = read.nearest(&objection.pointer);
                    Problem {
                        code: "schema",
                        file: file.to_owned(),
                        line: at.line,
                        column: at.column,
                        pointer: objection.pointer,
                        message: objection.message,
                        fix: objection.fix,
                    }
                })
                .collect();
            return Err(Problems(list));
        }
        let digest = hex::encode(Sha256::digest(
            polity_canonical::to_string(&read.value).as_bytes(),
        ));
        Reader::new(file, read, dialect).workflow(digest)
    }

    /// The namespace of the document.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the document.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of the document in canonical JSON (RFC 8785), in hexadecimal. White space and comments do not change it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The dialect it was loaded in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The document.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// When it starts by itself.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// Checks an input against `input.schema`, without starting anything.
    ///
    /// # Errors
    /// One sentence that names the first part that does not fit.
    pub fn check_input(&self, input: &Value) -> Result<(), String> {
        self.input
            .schema
            .as_ref()
            .map_or(Ok(()), |schema| schema.check(input))
    }

    pub(crate) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id as usize)
    }

    pub(crate) fn list(&self, id: ListId) -> &[TaskId] {
        self.lists.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// The line of a pointer.
    pub(crate) fn line(&self, pointer: &str) -> u32 {
        self.text.nearest(pointer).line
    }
}

impl crate::task::Schema {
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.0.validate(value).map_err(|error| {
            let path = error.instance_path().as_str().to_owned();
            let about: String = error.to_string().chars().take(300).collect();
            if path.is_empty() {
                about
            } else {
                format!("{about} (at {path})")
            }
        })
    }
}
