//! One document of a constitution as it is read: parsed, checked, and made a type.

use polity_document::{Checker, Document};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Parses a text and checks it against its schema. What is no JSON at all yields a problem and no document; what is JSON
/// yields a document even where the schema objects, so that further checks can find further problems.
pub(crate) fn read(
    file: &str,
    text: &str,
    checker: &Checker,
    problems: &mut Vec<Problem>,
) -> Option<Document> {
    let (document, repeated) = match Document::read(file, text) {
        Ok(read) => read,
        Err(problem) => {
            problems.push((*problem).into());
            return None;
        }
    };
    let found = repeated.into_iter().chain(checker.problems(&document));
    problems.extend(found.map(Problem::from));
    Some(document)
}

/// The document as a type. The schema has been asked before, so a failure means that the two disagree.
pub(crate) fn typed<T: DeserializeOwned>(document: &Document) -> Result<T, Box<Problem>> {
    T::deserialize(&document.value).map_err(|error| {
        let fix = "compare the document with its schema";
        Box::new(
            document
                .problem("invalid", "", error.to_string(), fix)
                .into(),
        )
    })
}
