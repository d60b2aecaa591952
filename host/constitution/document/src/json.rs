//! JSON by `serde_json`, then one walk over the text for the places. The walk keeps no recursion that the parser has not
//! bounded before it.

use serde_json::Value;

use crate::{MAX_DEPTH, Mark, Marks, Place, Problem, escaped};

pub(super) fn parse(file: &str, text: &str) -> Result<(Value, Marks), Box<Problem>> {
    // The parser gives up at a depth of 128, so that the walk below ends too.
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Box::new(Problem {
            code: "not-json".to_owned(),
            place: Place {
                line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
                column: u32::try_from(error.column()).unwrap_or(u32::MAX).max(1),
                ..Place::of_file(file)
            },
            message: format!("this is not JSON: {message}"),
            fix: fix(text).to_owned(),
        })
    })?;
    let mut walk = Walk {
        text,
        at: 0,
        line: 1,
        column: 1,
        marks: Marks::default(),
    };
    walk.space();
    walk.value(&mut String::new(), 0);
    Ok((value, walk.marks))
}

fn fix(text: &str) -> &'static str {
    if text.trim().is_empty() {
        "write the document, beginning with {"
    } else if text.starts_with('\u{feff}') {
        "save the file without a byte order mark"
    } else {
        "look at this place for a missing comma, quotation mark or bracket; JSON has no comments and no comma before a \
         closing bracket"
    }
}

struct Walk<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    column: u32,
    marks: Marks,
}

impl<'t> Walk<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else if byte & 0xC0 != 0x80 {
            // Continuation bytes belong to a character that was counted.
            self.column += 1;
        }
        Some(byte)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.next();
        }
    }

    fn here(&self) -> Mark {
        Mark {
            line: self.line,
            column: self.column,
            bytes: self.at..self.at,
        }
    }

    fn value(&mut self, pointer: &mut String, depth: usize) {
        if depth > 2 * MAX_DEPTH {
            return;
        }
        match self.peek() {
            Some(b'{') => self.object(pointer, depth),
            Some(b'[') => self.array(pointer, depth),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self.peek().is_some_and(|byte| {
                    !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace()
                }) {
                    self.next();
                }
            }
        }
    }

    fn object(&mut self, pointer: &mut String, depth: usize) {
        self.next();
        self.space();
        while self.peek() == Some(b'"') {
            let mut mark = self.here();
            let name: String = serde_json::from_str(self.string()).unwrap_or_default();
            mark.bytes.end = self.at;
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&escaped(&name));
            if self
                .marks
                .by_pointer
                .insert(pointer.clone(), mark.clone())
                .is_some()
            {
                self.marks.repeated.push((pointer.clone(), mark));
            }
            self.space();
            self.next();
            self.space();
            self.value(pointer, depth + 1);
            pointer.truncate(length);
            self.comma();
        }
        self.next();
    }

    fn array(&mut self, pointer: &mut String, depth: usize) {
        self.next();
        self.space();
        let mut index = 0_usize;
        while self.peek().is_some_and(|byte| byte != b']') {
            let before = self.at;
            let mut mark = self.here();
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&index.to_string());
            self.value(pointer, depth + 1);
            mark.bytes.end = self.at;
            self.marks.by_pointer.insert(pointer.clone(), mark);
            pointer.truncate(length);
            index += 1;
            self.comma();
            if self.at == before {
                return;
            }
        }
        self.next();
    }

    fn comma(&mut self) {
        self.space();
        if self.peek() == Some(b',') {
            self.next();
            self.space();
        }
    }

    /// Skips a string and returns it with its quotation marks.
    fn string(&mut self) -> &'t str {
        let start = self.at;
        self.next();
        loop {
            match self.next() {
                Some(b'\\') => {
                    self.next();
                }
                Some(b'"') | None => return &self.text[start..self.at],
                Some(_) => {}
            }
        }
    }
}
