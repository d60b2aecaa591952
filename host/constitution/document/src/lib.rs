//! A document with the place of each of its parts, from JSON or YAML. A message that names a pointer but no line leaves the
//! reader to search, and a parser forgets where it read what.
//!
//! [`Document::read`] parses, a [`Checker`] holds the document against its JSON Schema, and [`suggest`] finds the word
//! that was meant.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod json;
mod place;
mod problem;
mod schema;
pub mod suggest;
mod yaml;

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

pub use place::Place;
pub use problem::Problem;
pub use schema::Checker;

/// No document is longer; a file that is was put here by mistake.
pub const MAX_BYTES: usize = 8 << 20;

/// How deep lists and objects may be nested.
pub(crate) const MAX_DEPTH: usize = 64;

/// A parsed text.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file's path, as messages show it.
    pub file: String,
    /// What was parsed.
    pub text: String,
    /// What it says.
    pub value: Value,
    marks: HashMap<String, Mark>,
}

/// Where a part stands: line and column from 1, columns in characters, and the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) bytes: Range<usize>,
}

/// Marks by JSON pointer, and fields that stand twice in one object.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) by_pointer: HashMap<String, Mark>,
    pub(crate) repeated: Vec<(String, Mark)>,
}

impl Document {
    /// Parses a text: YAML where the file's name ends in `.yaml` or `.yml`, JSON otherwise. With the document come its
    /// fields that stand twice, of which it has only the last.
    ///
    /// # Errors
    /// What keeps the text from being a document.
    pub fn read(file: &str, text: &str) -> Result<(Self, Vec<Problem>), Box<Problem>> {
        if text.len() > MAX_BYTES {
            return Err(Box::new(Problem {
                code: "too-long".to_owned(),
                place: Place::of_file(file),
                message: format!(
                    "the file has {} bytes, the limit is {MAX_BYTES}",
                    text.len()
                ),
                fix: "split it into several documents".to_owned(),
            }));
        }
        let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
        let (value, marks) = if is_yaml {
            yaml::parse(file, text)
        } else {
            json::parse(file, text)
        }?;
        let repeated = marks.repeated.iter().map(|(pointer, mark)| Problem {
            code: "repeated-field".to_owned(),
            place: Place::at(file, pointer, mark),
            message: "this field stands in its object more than once".to_owned(),
            fix: "keep one of them".to_owned(),
        });
        let repeated = repeated.collect();
        let document = Self {
            file: file.to_owned(),
            text: text.to_owned(),
            value,
            marks: marks.by_pointer,
        };
        Ok((document, repeated))
    }

    /// Parses a text as [`Document::read`] does.
    ///
    /// # Errors
    /// All that keeps the text from being one document; a field that stands twice is among it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        match Self::read(file, text) {
            Ok((document, repeated)) if repeated.is_empty() => Ok(document),
            Ok((_, repeated)) => Err(repeated),
            Err(problem) => Err(vec![*problem]),
        }
    }

    /// The place of a part, or of the nearest enclosing part that exists.
    pub fn place(&self, pointer: &str) -> Place {
        let mut known = pointer;
        loop {
            if let Some(mark) = self.marks.get(known) {
                return Place::at(&self.file, pointer, mark);
            }
            match known.rfind('/') {
                Some(slash) => known = &known[..slash],
                None => {
                    return Place {
                        line: 1,
                        column: 1,
                        pointer: pointer.to_owned(),
                        ..Place::of_file(&self.file)
                    };
                }
            }
        }
    }

    /// A problem of one part.
    pub fn problem(
        &self,
        code: &str,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        Problem {
            code: code.to_owned(),
            place: self.place(pointer),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

/// One field name as it stands in a JSON pointer.
pub fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, text: &str, pointer: &str) -> (u32, u32) {
        let place = Document::parse(file, text).unwrap().place(pointer);
        (place.line, place.column)
    }

    #[test]
    fn every_part_of_a_json_text_has_its_line_and_column() {
        let text = "{\n  \"a\": [1, {\"ü\": \"x\\\"}\"},\n    true],\n  \"b/c\": {}\n}";
        assert_eq!(at("a.json", text, "/a"), (2, 3));
        assert_eq!(at("a.json", text, "/a/1/ü"), (2, 13));
        assert_eq!(at("a.json", text, "/a/2"), (3, 5));
        assert_eq!(at("a.json", text, "/b~1c"), (4, 3));
        assert_eq!(at("a.json", text, "/a/7/x"), (2, 3));
    }

    #[test]
    fn every_part_of_a_yaml_text_has_its_line_and_column() {
        let text = "a:\n  - 1\n  - ü: x\nb/c: {}\n";
        assert_eq!(at("a.yaml", text, "/a"), (1, 1));
        assert_eq!(at("a.yaml", text, "/a/0"), (2, 5));
        assert_eq!(at("a.yaml", text, "/a/1/ü"), (3, 5));
        assert_eq!(at("a.yaml", text, "/b~1c"), (4, 1));
    }

    #[test]
    fn a_mark_covers_the_bytes_of_its_part() {
        for (file, text) in [
            ("a.json", "{\"ä\": [1, \"<= 5\"]}"),
            ("a.yaml", "ä:\n  - 1\n  - \"<= 5\"\n"),
        ] {
            let document = Document::parse(file, text).unwrap();
            let place = document.place("/ä/1");
            assert_eq!(&text[place.start..place.end], "\"<= 5\"", "{file}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_in_both_languages() {
        for (file, text) in [
            ("a.json", "{\"a\": 1,\n \"\\u0061\": 2}"),
            ("a.yaml", "a: 1\na: 2\n"),
        ] {
            let problems = Document::parse(file, text).unwrap_err();
            assert_eq!(
                (problems[0].code.as_str(), problems[0].place.line),
                ("repeated-field", 2)
            );
        }
    }

    #[test]
    fn hostile_texts_are_refused_and_not_followed() {
        let deep = "[".repeat(100_000);
        let laughs = "a: &a [1,1]\nb: [*a,*a]\n";
        for (file, text) in [
            ("a.json", deep.as_str()),
            ("a.yaml", &deep),
            ("a.yaml", laughs),
            ("a.json", ""),
            ("a.yaml", "a: ["),
        ] {
            assert_eq!(Document::parse(file, text).unwrap_err().len(), 1);
        }
    }
}
