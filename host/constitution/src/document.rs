//! One document of a constitution: parsed, with the place of each of its parts.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::locate::Locations;
use crate::problem::Problem;
use crate::schema::Checker;

/// A document that is at least JSON.
pub(crate) struct Document<'s> {
    file: &'s str,
    pub(crate) value: Value,
    locations: Locations,
}

impl<'s> Document<'s> {
    /// Parses a text and checks it against its schema. What is no JSON at all yields a problem and no document; what is
    /// JSON yields a document even where the schema objects, so that further checks can find further problems.
    pub(crate) fn read(
        file: &'s str,
        text: &str,
        checker: &Checker,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                problems.push(not_json(file, text, &error));
                return None;
            }
        };
        let document = Self {
            file,
            value,
            locations: Locations::of(text),
        };
        problems.extend(
            document
                .locations
                .duplicates
                .iter()
                .map(|(pointer, position)| Problem {
                    code: "repeated-field",
                    file: file.to_owned(),
                    line: position.line,
                    column: position.column,
                    pointer: pointer.clone(),
                    message: "this field stands in its object more than once".to_owned(),
                    fix: "keep one of them".to_owned(),
                }),
        );
        problems.extend(checker.problems(&document));
        Some(document)
    }

    /// A problem of one part.
    pub(crate) fn problem(
        &self,
        code: &'static str,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        let position = self.locations.nearest(pointer);
        Problem {
            code,
            file: self.file.to_owned(),
            line: position.line,
            column: position.column,
            pointer: pointer.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// The document as a type. The schema has been asked before, so a failure means that the two disagree.
    pub(crate) fn typed<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        T::deserialize(&self.value).map_err(|error| {
            self.problem(
                "invalid",
                "",
                error.to_string(),
                "compare the document with its schema",
            )
        })
    }
}

fn not_json(file: &str, text: &str, error: &serde_json::Error) -> Problem {
    let fix = if text.trim().is_empty() {
        "write the document, beginning with {"
    } else if text.starts_with('\u{feff}') {
        "save the file without a byte order mark"
    } else {
        "look at this place for a missing comma, quotation mark or bracket; JSON has no comments and no comma before a \
         closing bracket"
    };
    // `at line 3 column 5` is said by the place already.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Problem {
        code: "not-json",
        file: file.to_owned(),
        line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(error.column()).unwrap_or(u32::MAX).max(1),
        pointer: String::new(),
        message: format!("this is not JSON: {message}"),
        fix: fix.to_owned(),
    }
}
