//! A text, JSON or YAML, as a value that remembers the line of each of its parts. Without the lines a message can name a
//! pointer, and the author has to count brackets.
//!
//! Both formats go through one walk over YAML events, since JSON is YAML; what claims to be JSON must be JSON besides.
//! The walk keeps its own stack and counts what it makes: neither depth nor aliases that multiply can exhaust the host.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;
/// Most values in one document, aliases expanded.
const MAX_VALUES: usize = 200_000;
/// Longest text that is read.
const MAX_BYTES: usize = 4 << 20;

/// A place in a text, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A parsed text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) value: Value,
    positions: HashMap<String, Position>,
}

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) at: Position,
    pub(crate) message: String,
}

/// A container that is not complete yet.
enum Open {
    List(Vec<Value>, usize),
    Fields {
        fields: Map<String, Value>,
        name: Option<String>,
        anchor: usize,
    },
}

const START: Position = Position { line: 1, column: 1 };

impl Text {
    /// Reads a text; `json` demands JSON.
    pub(crate) fn read(text: &str, json: bool) -> Result<Self, Unreadable> {
        if text.len() > MAX_BYTES {
            return Err(Unreadable {
                at: START,
                message: format!("the text has more than {MAX_BYTES} bytes"),
            });
        }
        if json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            return Err(Unreadable {
                at: Position {
                    line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
                    column: u32::try_from(error.column()).unwrap_or(u32::MAX).max(1),
                },
                message: format!("this is not JSON: {error}"),
            });
        }
        Walk::default().all(text)
    }

    /// The place of a pointer, or of the nearest enclosing part that exists.
    pub(crate) fn nearest(&self, pointer: &str) -> Position {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return *position;
            }
            match pointer.rfind('/') {
                Some(slash) => pointer = &pointer[..slash],
                None => return START,
            }
        }
    }
}

/// One field name or index as it stands in a JSON pointer.
pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[derive(Default)]
struct Walk {
    stack: Vec<Open>,
    pointer: Vec<String>,
    positions: HashMap<String, Position>,
    anchors: HashMap<usize, Value>,
    made: usize,
    root: Option<Value>,
}

impl Walk {
    fn all(mut self, text: &str) -> Result<Text, Unreadable> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| Unreadable {
                at: place(*error.marker()),
                message: format!("this is not YAML: {}", error.info()),
            })?;
            let wrong = |message: String| Unreadable {
                at: at(&span),
                message,
            };
            match event {
                Event::Scalar(text, style, anchor, _) => {
                    if let Some(Open::Fields {
                        name: name @ None,
                        fields,
                        ..
                    }) = self.stack.last_mut()
                    {
                        if fields.contains_key(text.as_ref()) {
                            return Err(wrong(format!(
                                "the field \"{text}\" stands in its object more than once"
                            )));
                        }
                        *name = Some(text.to_string());
                        self.pointer.push(escaped(&text));
                        self.positions.insert(self.here(), at(&span));
                    } else {
                        self.stands(&span);
                        let value = scalar(&text, style);
                        self.keep(anchor, &value);
                        self.put(value).map_err(wrong)?;
                    }
                }
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    if let Some(Open::Fields { name: None, .. }) = self.stack.last() {
                        return Err(wrong(
                            "a list or an object cannot be a field name".to_owned(),
                        ));
                    }
                    if self.stack.len() >= MAX_DEPTH {
                        return Err(wrong(format!(
                            "the document is nested more than {MAX_DEPTH} deep"
                        )));
                    }
                    self.stands(&span);
                    self.stack.push(match event {
                        Event::SequenceStart(..) => Open::List(Vec::new(), anchor),
                        _ => Open::Fields {
                            fields: Map::new(),
                            name: None,
                            anchor,
                        },
                    });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let (value, anchor) = match self.stack.pop() {
                        Some(Open::List(items, anchor)) => (Value::Array(items), anchor),
                        Some(Open::Fields { fields, anchor, .. }) => {
                            (Value::Object(fields), anchor)
                        }
                        None => continue,
                    };
                    self.keep(anchor, &value);
                    self.put(value).map_err(wrong)?;
                }
                Event::Alias(anchor) => {
                    self.stands(&span);
                    let Some(value) = self.anchors.get(&anchor).cloned() else {
                        return Err(wrong(
                            "this alias refers to itself or to nothing".to_owned(),
                        ));
                    };
                    self.made += count(&value, MAX_VALUES);
                    self.put(value).map_err(wrong)?;
                }
                Event::DocumentStart(_) if self.root.is_some() => {
                    return Err(wrong("this file holds more than one document".to_owned()));
                }
                _ => {}
            }
        }
        Ok(Text {
            value: self.root.unwrap_or_default(),
            positions: self.positions,
        })
    }

    fn here(&self) -> String {
        self.pointer.iter().fold(String::new(), |mut all, token| {
            all.push('/');
            all.push_str(token);
            all
        })
    }

    /// Notes where the value that begins now stands. A field stands where its name stands.
    fn stands(&mut self, span: &Span) {
        match self.stack.last() {
            Some(Open::List(items, _)) => {
                self.pointer.push(items.len().to_string());
                self.positions.insert(self.here(), at(span));
            }
            Some(Open::Fields { .. }) => {}
            None => {
                self.positions.insert(String::new(), at(span));
            }
        }
    }

    fn keep(&mut self, anchor: usize, value: &Value) {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
    }

    fn put(&mut self, value: Value) -> Result<(), String> {
        self.made += 1;
        if self.made > MAX_VALUES {
            return Err(format!("the document has more than {MAX_VALUES} values"));
        }
        match self.stack.last_mut() {
            Some(Open::List(items, _)) => {
                items.push(value);
                self.pointer.pop();
            }
            Some(Open::Fields { fields, name, .. }) => {
                let name = name.take().ok_or("an alias cannot be a field name")?;
                fields.insert(name, value);
                self.pointer.pop();
            }
            None => self.root = Some(value),
        }
        Ok(())
    }
}

fn at(span: &Span) -> Position {
    place(span.start)
}

fn place(marker: saphyr_parser::Marker) -> Position {
    Position {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(marker.col()).unwrap_or(u32::MAX - 1) + 1,
    }
}

/// The values inside a value, counted no further than the limit.
fn count(value: &Value, limit: usize) -> usize {
    let mut open = vec![value];
    let mut counted = 0;
    while let Some(value) = open.pop() {
        counted += 1;
        if counted > limit {
            break;
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    counted
}

/// A scalar by the YAML 1.2 core schema; infinities and not-a-number stay text, since JSON has none.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if !matches!(style, ScalarStyle::Plain) {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = body.strip_prefix('.').unwrap_or(body);
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if body.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(whole) = text.parse::<i64>() {
            return Some(whole.into());
        }
        if let Ok(whole) = body.parse::<u64>()
            && !text.starts_with('-')
        {
            return Some(whole.into());
        }
    }
    if body
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return text.parse::<f64>().ok().and_then(Number::from_f64);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_scalars_have_the_types_of_the_core_schema() {
        let text = "a: 1\nb: 1.50\nc: '1'\nd: true\ne: ~\nf:\ng: 1.0.3\nh: 0x1F\ni: .inf\nj: no\nk: -3\nl: 1e3\n";
        assert_eq!(
            Text::read(text, false).unwrap().value,
            json!({"a": 1, "b": 1.5, "c": "1", "d": true, "e": null, "f": null, "g": "1.0.3", "h": 31, "i": ".inf",
                   "j": "no", "k": -3, "l": 1000.0})
        );
    }

    #[test]
    fn each_part_has_its_line() {
        let text = Text::read("do:\n  - first:\n      set:\n        x/y: 1\n", false).unwrap();
        let line = |pointer| text.nearest(pointer).line;
        assert_eq!(
            (
                line("/do/0/first"),
                line("/do/0/first/set/x~1y"),
                line("/do/0/first/no/such")
            ),
            (2, 4, 2)
        );
    }

    #[test]
    fn what_calls_itself_json_must_be_json() {
        assert!(Text::read("a: 1", true).is_err());
        assert_eq!(
            Text::read("{\"a\":\n\t[1]}", true).unwrap().value,
            json!({"a": [1]})
        );
        assert_eq!(
            Text::read("{\"a\": [1]}", true)
                .unwrap()
                .nearest("/a")
                .column,
            2
        );
    }

    #[test]
    fn a_field_that_stands_twice_is_an_error() {
        assert_eq!(Text::read("a: 1\na: 2\n", false).unwrap_err().at.line, 2);
    }

    #[test]
    fn aliases_that_multiply_and_deep_nesting_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let before = format!("*a{}, ", n - 1).repeat(10);
            laughs.push_str(&format!("a{n}: &a{n} [{before}]\n"));
        }
        assert!(
            Text::read(&laughs, false)
                .unwrap_err()
                .message
                .contains("values")
        );
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(Text::read(&deep, false).is_err());
        let block: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(
            Text::read(&block, false)
                .unwrap_err()
                .message
                .contains("deep")
        );
    }

    proptest! {
        #[test]
        fn any_json_reads_as_itself(value in value()) {
            let written = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(Text::read(&written, true).unwrap().value, value);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,&*#|>'\"a1 \n-]{0,80}") {
            let _ = Text::read(&text, false);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zA-Z0-9 ~:#'\\-]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z/~]{1,6}", inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }
}
