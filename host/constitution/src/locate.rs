//! Where in its file each part of a JSON document stands. `serde_json` forgets positions, and a message that names a
//! pointer but no line leaves the reader to search.

use std::collections::HashMap;

/// A place in a text, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The positions of all parts of one document.
#[derive(Debug, Default)]
pub(crate) struct Locations {
    /// By JSON pointer. A field stands where its name stands.
    positions: HashMap<String, Position>,
    /// Fields that stand twice in one object, of which a parser keeps only the last.
    pub(crate) duplicates: Vec<(String, Position)>,
}

impl Locations {
    /// Walks a text that has already been parsed as JSON; what does not parse yields fewer positions.
    pub(crate) fn of(text: &str) -> Self {
        let mut walk = Walk {
            text,
            at: 0,
            line: 1,
            column: 1,
            found: Self::default(),
        };
        walk.space();
        walk.found.positions.insert(String::new(), walk.position());
        walk.value(&mut String::new());
        walk.found
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
                None => return Position { line: 1, column: 1 },
            }
        }
    }
}

/// One field name or index as it stands in a JSON pointer.
pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

struct Walk<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    column: u32,
    found: Locations,
}

impl<'t> Walk<'t> {
    fn position(&self) -> Position {
        Position {
            line: self.line,
            column: self.column,
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.next();
        }
    }

    fn value(&mut self, pointer: &mut String) {
        match self.peek() {
            Some('{') => self.object(pointer),
            Some('[') => self.array(pointer),
            Some('"') => {
                self.string();
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|c| !matches!(c, ',' | ']' | '}') && !c.is_ascii_whitespace())
                {
                    self.next();
                }
            }
        }
        self.space();
    }

    fn object(&mut self, pointer: &mut String) {
        self.next();
        self.space();
        while self.peek() == Some('"') {
            let position = self.position();
            let name: String = serde_json::from_str(self.string()).unwrap_or_default();
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&escaped(&name));
            if self
                .found
                .positions
                .insert(pointer.clone(), position)
                .is_some()
            {
                self.found.duplicates.push((pointer.clone(), position));
            }
            self.space();
            self.next();
            self.space();
            self.value(pointer);
            pointer.truncate(length);
            if self.peek() == Some(',') {
                self.next();
                self.space();
            }
        }
        self.next();
    }

    fn array(&mut self, pointer: &mut String) {
        self.next();
        self.space();
        let mut index = 0_usize;
        while self.peek().is_some_and(|c| c != ']') {
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&index.to_string());
            self.found
                .positions
                .insert(pointer.clone(), self.position());
            self.value(pointer);
            pointer.truncate(length);
            index += 1;
            if self.peek() == Some(',') {
                self.next();
                self.space();
            }
        }
        self.next();
    }

    /// Skips a string and returns it with its quotation marks.
    fn string(&mut self) -> &'t str {
        let start = self.at;
        self.next();
        loop {
            match self.next() {
                Some('\\') => {
                    self.next();
                }
                Some('"') | None => return &self.text[start..self.at],
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> (u32, u32) {
        let position = Locations::of(text).nearest(pointer);
        (position.line, position.column)
    }

    #[test]
    fn every_part_has_its_line_and_column() {
        let text = "{\n  \"a\": [1, {\"ü\": \"x\\\"}\"},\n    true],\n  \"b/c\": {}\n}";
        assert_eq!(at(text, ""), (1, 1));
        assert_eq!(at(text, "/a"), (2, 3));
        assert_eq!(at(text, "/a/0"), (2, 9));
        assert_eq!(at(text, "/a/1/ü"), (2, 13));
        assert_eq!(at(text, "/a/2"), (3, 5));
        assert_eq!(at(text, "/b~1c"), (4, 3));
    }

    #[test]
    fn a_part_that_is_missing_stands_where_it_would_belong() {
        assert_eq!(at("{\n \"a\": {\"b\": 1}}", "/a/c/d"), (2, 2));
        assert_eq!(at("[]", "/0"), (1, 1));
    }

    #[test]
    fn a_field_that_stands_twice_is_seen_even_if_it_is_spelt_with_an_escape() {
        let found = Locations::of("{\"a\": 1,\n \"\\u0061\": 2, \"b\": {\"a\": 3}}");
        assert_eq!(
            found.duplicates,
            [("/a".to_owned(), Position { line: 2, column: 2 })]
        );
    }

    #[test]
    fn text_that_is_not_json_ends_the_walk() {
        for text in [
            "",
            "{",
            "[1",
            "{\"a\"",
            "\"",
            "{\"a\":",
            "[[[",
            "}",
            "{\"a\" 1 \"b\"",
        ] {
            Locations::of(text);
        }
    }
}
