//! JSON at the door: nothing lost, nothing guessed.
//!
//! A general parser rounds numbers, keeps the last of two equal keys in silence and follows nesting as deep as the
//! sender likes. A store of records must do none of that, so documents are read here: numbers exactly, a duplicate key
//! refused, depth and size limited, nested values kept as compact text with every digit as it came.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use super::{Decimal, Value};
use crate::error::DocumentError;

/// Deeper nesting is a mistake or an attack; JSON Schema tools stop far earlier.
pub const MAX_DEPTH: usize = 64;
/// A record, not a file.
pub const MAX_DOCUMENT: usize = 16 << 20;
/// More names than this at the top are data that became keys.
pub const MAX_FIELDS: usize = 4096;

/// A document as it came: its fields in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Name and value. Each name once.
    pub fields: Vec<(Arc<str>, Value)>,
}

impl Document {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_DOCUMENT {
            return Err(DocumentError::TooBig {
                bytes: bytes.len(),
                limit: MAX_DOCUMENT,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| DocumentError::Encoding {
            at: error.valid_up_to(),
        })?;
        let mut reader = Reader { text, at: 0 };
        reader.space();
        if reader.peek() != Some(b'{') {
            return Err(match reader.value(0) {
                Ok(value) => DocumentError::NotAnObject {
                    found: value.kind(),
                },
                Err(error) => error,
            });
        }
        let mut document = Self::default();
        reader.object(0, &mut |name, value| {
            document.fields.push((Arc::from(name), value));
            if document.fields.len() > MAX_FIELDS {
                return Err(DocumentError::TooManyFields { limit: MAX_FIELDS });
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(document)
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(field, _)| &**field == name)
            .map(|(_, value)| value)
    }

    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (index, (name, value)) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            quote(name, &mut out);
            out.push(':');
            write_value(value, &mut out);
        }
        out.push('}');
        out
    }
}

impl Value {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.end()?;
        Ok(value)
    }

    /// As JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        write_value(self, &mut out);
        out
    }

    /// The value under a key or a position, of a JSON value.
    pub(crate) fn member(&self, key: &str) -> Option<Self> {
        let Self::Json(text) = self else { return None };
        let mut reader = Reader { text, at: 0 };
        let mut found = None;
        match reader.peek()? {
            b'{' => reader
                .object(0, &mut |name, value| {
                    if name == key {
                        found = Some(value);
                    }
                    Ok(())
                })
                .ok()?,
            b'[' => {
                let wanted: i64 = key.parse().ok()?;
                let mut values = Vec::new();
                reader.array(0, &mut |value| values.push(value)).ok()?;
                let index = if wanted < 0 {
                    wanted + values.len() as i64
                } else {
                    wanted
                };
                found = usize::try_from(index)
                    .ok()
                    .and_then(|i| values.into_iter().nth(i));
            }
            _ => {}
        }
        found
    }

    /// `->` and, as text, `->>`: null where there is nothing.
    pub(crate) fn arrow(&self, key: &str, as_text: bool) -> Self {
        match self.member(key) {
            None | Some(Self::Null) => Self::Null,
            Some(Self::Bool(b)) if as_text => Self::from(if b { "true" } else { "false" }),
            Some(Self::Text(text)) if as_text => Self::Text(text),
            Some(other) if as_text => Self::from(other.to_string()),
            Some(found) => found,
        }
    }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Text(text) => quote(text, out),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong<T>(&self, reason: &str) -> Result<T, DocumentError> {
        Err(DocumentError::Syntax {
            reason: reason.to_owned(),
            at: self.at,
        })
    }

    fn end(&mut self) -> Result<(), DocumentError> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.wrong("something follows the value"),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), DocumentError> {
        self.space();
        if self.peek() != Some(byte) {
            return self.wrong(&format!("expected {:?}", byte as char));
        }
        self.at += 1;
        Ok(())
    }

    /// Depth is bounded, so the recursion is.
    fn value(&mut self, depth: usize) -> Result<Value, DocumentError> {
        self.space();
        if depth > MAX_DEPTH {
            return Err(DocumentError::TooDeep {
                limit: MAX_DEPTH,
                at: self.at,
            });
        }
        match self.peek() {
            Some(b'{') => {
                let mut out = String::from("{");
                self.object(depth, &mut |name, value| {
                    if out.len() > 1 {
                        out.push(',');
                    }
                    quote(name, &mut out);
                    out.push(':');
                    write_value(&value, &mut out);
                    Ok(())
                })?;
                out.push('}');
                Ok(Value::Json(out.into()))
            }
            Some(b'[') => {
                let mut out = String::from("[");
                self.array(depth, &mut |value| {
                    if out.len() > 1 {
                        out.push(',');
                    }
                    write_value(&value, &mut out);
                })?;
                out.push(']');
                Ok(Value::Json(out.into()))
            }
            Some(b'"') => Ok(Value::text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [
                    ("null", Value::Null),
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                ] {
                    if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                self.wrong("expected a value (NaN and Infinity are not JSON: use null)")
            }
        }
    }

    fn object(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&str, Value) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        self.expect(b'{')?;
        let mut seen: HashSet<String> = HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return self.wrong("expected a key in double quotes");
            }
            let name = self.string()?;
            if seen.contains(&name) {
                return Err(DocumentError::DuplicateKey { key: name, at });
            }
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            each(&name, value)?;
            seen.insert(name);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.wrong("expected ',' or '}'"),
            }
        }
    }

    fn array(&mut self, depth: usize, each: &mut dyn FnMut(Value)) -> Result<(), DocumentError> {
        self.expect(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.wrong("expected ',' or ']'"),
            }
        }
    }

    fn string(&mut self) -> Result<String, DocumentError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while let Some(byte) = self.peek() {
                if byte == b'"' || byte == b'\\' || byte < 0x20 {
                    break;
                }
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.peek();
                    self.at += 1;
                    out.push(match escaped {
                        Some(c @ (b'"' | b'\\' | b'/')) => c as char,
                        Some(b'n') => '\n',
                        Some(b't') => '\t',
                        Some(b'r') => '\r',
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(b'u') => self.unicode()?,
                        _ => return self.wrong("unknown escape"),
                    });
                }
                Some(_) => return self.wrong("a control character inside a text"),
                None => return self.wrong("the text does not end"),
            }
        }
    }

    fn unicode(&mut self) -> Result<char, DocumentError> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                return self.wrong("half of a surrogate pair");
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.wrong("half of a surrogate pair");
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.wrong("half of a surrogate pair"),
        }
    }

    fn hex(&mut self) -> Result<u32, DocumentError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits
            .and_then(|d| std::str::from_utf8(d).ok())
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        match code {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.wrong("expected four hexadecimal digits"),
        }
    }

    fn number(&mut self) -> Result<Value, DocumentError> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            reader.at - from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading = self.peek();
        let whole = digits(self);
        if whole == 0 || (leading == Some(b'0') && whole > 1) {
            return self.wrong("this is not a number of JSON");
        }
        let mut plain = true;
        if self.peek() == Some(b'.') {
            plain = false;
            self.at += 1;
            if digits(self) == 0 {
                return self.wrong("digits are missing behind the point");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            plain = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return self.wrong("digits are missing in the exponent");
            }
        }
        Ok(number(&self.text[start..self.at], plain))
    }
}

/// The kind that holds the number exactly; text of JSON when none does.
fn number(text: &str, plain: bool) -> Value {
    if plain && let Ok(int) = text.parse() {
        return Value::Int(int);
    }
    match Decimal::parse(text) {
        Some(decimal) => Value::Dec(decimal),
        None => Value::Json(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_out_as_it_went_in() {
        let text = r#"{"id":1,"price":12.50,"big":12345678901234567890.123,"huge":1e400,"n":{"a":[1,2.0,"x\n"],"é":null},"t":"\"\\"}"#;
        assert_eq!(Document::parse(text.as_bytes()).unwrap().to_json(), text);
    }

    #[test]
    fn hostile_documents_are_refused_with_the_place() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert!(matches!(
            Document::parse(deep.as_bytes()),
            Err(DocumentError::TooDeep { .. })
        ));
        assert_eq!(
            Document::parse(br#"{"a":1,"a":2}"#),
            Err(DocumentError::DuplicateKey {
                key: "a".to_owned(),
                at: 7
            })
        );
        assert_eq!(
            Document::parse(b"{\"a\":\"\xff\"}"),
            Err(DocumentError::Encoding { at: 6 })
        );
        for text in [
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":-Infinity}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":\"\\ud800\"}",
            "{",
            "{}x",
            "",
        ] {
            assert!(
                matches!(
                    Document::parse(text.as_bytes()),
                    Err(DocumentError::Syntax { .. })
                ),
                "{text}"
            );
        }
        assert!(matches!(
            Document::parse(b"[1]"),
            Err(DocumentError::NotAnObject { .. })
        ));
        let wide: Vec<_> = (0..10_000).map(|i| format!("\"f{i}\":{i}")).collect();
        let wide = format!("{{{}}}", wide.join(","));
        assert!(matches!(
            Document::parse(wide.as_bytes()),
            Err(DocumentError::TooManyFields { .. })
        ));
        assert!(matches!(
            Document::parse(&vec![b' '; MAX_DOCUMENT + 1]),
            Err(DocumentError::TooBig { .. })
        ));
    }

    #[test]
    fn members_are_found_by_key_and_by_position() {
        let value = Value::from_json(r#"{"a":[10,{"b":"c"}]}"#).unwrap();
        let list = value.member("a").unwrap();
        assert_eq!(list.member("0"), Some(Value::Int(10)));
        assert_eq!(
            list.member("-1").unwrap().member("b"),
            Some(Value::from("c"))
        );
        assert_eq!(value.member("z"), None);
    }
}
