//! TOML as JSON that remembers its lines, so that a schema's complaint about a value can
//! point at the place where a person wrote it.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// A TOML document and where each of its values begins.
pub(crate) struct Document {
    /// The document in the types of JSON; dates become strings.
    pub(crate) value: Value,
    /// Byte offsets of keys and array elements by JSON pointer.
    offsets: HashMap<String, usize>,
    /// Byte offsets of line ends.
    newlines: Vec<usize>,
}

impl Document {
    /// Reads TOML. All syntax errors are told, not the first alone.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut document = Self {
            value: Value::Null,
            offsets: HashMap::new(),
            newlines: text
                .bytes()
                .enumerate()
                .filter_map(|(at, byte)| (byte == b'\n').then_some(at))
                .collect(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| Problem {
                line: error.span().map(|span| document.line_at(span.start)),
                message: format!(
                    "this is not TOML: {}",
                    error.message().trim_end_matches('.')
                ),
            })
            .collect();
        if problems.is_empty() {
            let mut pointer = String::new();
            document.value = document.table(table.into_inner(), &mut pointer, &mut problems);
        }
        if problems.is_empty() {
            Ok(document)
        } else {
            Err(problems)
        }
    }

    /// The line of the value at `pointer`, or of the nearest table around it that was
    /// written down.
    pub(crate) fn line(&self, pointer: &str) -> Option<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(&offset) = self.offsets.get(pointer) {
                return Some(self.line_at(offset));
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    fn line_at(&self, offset: usize) -> usize {
        1 + self.newlines.partition_point(|&newline| newline < offset)
    }

    fn table(
        &mut self,
        table: DeTable<'_>,
        pointer: &mut String,
        problems: &mut Vec<Problem>,
    ) -> Value {
        let mut map = Map::new();
        for (key, value) in table {
            let outer = push(pointer, key.get_ref());
            self.offsets.insert(pointer.clone(), key.span().start);
            let value = self.value(value, pointer, problems);
            map.insert(key.into_inner().into_owned(), value);
            pointer.truncate(outer);
        }
        Value::Object(map)
    }

    fn value(
        &mut self,
        value: Spanned<DeValue<'_>>,
        pointer: &mut String,
        problems: &mut Vec<Problem>,
    ) -> Value {
        let start = value.span().start;
        let mut refuse = |message: String| {
            problems.push(Problem {
                line: Some(self.line_at(start)),
                message,
            });
            Value::Null
        };
        match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => Value::Number(number.into()),
                    Err(_) => refuse(format!("{integer} is too large a number")),
                }
            }
            DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => refuse(format!(
                    "{} is not a number that JSON knows",
                    float.as_str()
                )),
            },
            DeValue::Boolean(yes) => Value::Bool(yes),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(array) => {
                let mut list = Vec::with_capacity(array.len());
                for (i, element) in array.into_iter().enumerate() {
                    let outer = push(pointer, &i.to_string());
                    self.offsets.insert(pointer.clone(), element.span().start);
                    list.push(self.value(element, pointer, problems));
                    pointer.truncate(outer);
                }
                Value::Array(list)
            }
            DeValue::Table(table) => self.table(table, pointer, problems),
        }
    }
}

/// Appends a segment to a JSON pointer and answers how long it was before.
fn push(pointer: &mut String, segment: &str) -> usize {
    let outer = pointer.len();
    pointer.push('/');
    for character in segment.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\n[[http]]\nhost = \"a\"\n\n[[http]]\nmethods = [\n  \"GET\",\n  7,\n]\n[config]\n\"a/b\" = 1_000\nwhen = 2026-01-02\n";

    #[test]
    fn each_value_knows_its_line() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(document.line("/http/0/host"), Some(3));
        assert_eq!(document.line("/http/1"), Some(5));
        assert_eq!(document.line("/http/1/methods/1"), Some(8));
        assert_eq!(document.line("/config/a~1b"), Some(11));
    }

    #[test]
    fn what_was_not_written_is_reported_where_it_would_belong() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(document.line("/http/1/host"), Some(5));
        assert_eq!(document.line("/nowhere"), None);
    }

    #[test]
    fn toml_becomes_the_json_of_the_same_meaning() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(
            document.value,
            serde_json::json!({
                "http": [{"host": "a"}, {"methods": ["GET", 7]}],
                "config": {"a/b": 1000, "when": "2026-01-02"},
            })
        );
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let problems = Document::parse("a = 1\nb = = 2\n").err().unwrap();
        assert_eq!(problems[0].line, Some(2));
    }

    #[test]
    fn brackets_without_end_are_a_syntax_error() {
        let deep = format!("a = {}", "[".repeat(200_000));
        assert!(Document::parse(&deep).is_err());
        let deep = format!("a = {}1{}", "{b=".repeat(50_000), "}".repeat(50_000));
        assert!(Document::parse(&deep).is_err());
        let deep = format!("[{}a]", "a.".repeat(400_000));
        assert!(Document::parse(&deep).is_err());
    }

    #[test]
    fn a_number_that_json_cannot_hold_is_refused() {
        assert!(Document::parse("a = nan").is_err());
        assert!(Document::parse("a = 99999999999999999999").is_err());
    }
}
