//! YAML as another way of writing the same JSON: plain scalars by the core schema, names that are strings, one document.
//! Anchors are refused: a table says what it says where it says it, and references multiply.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

use crate::{MAX_DEPTH, Mark, Marks, Place, Problem, escaped};

pub(super) fn parse(file: &str, text: &str) -> Result<(Value, Marks), Box<Problem>> {
    let mut build = Build {
        file,
        text,
        // Marks count characters; slices want bytes.
        offsets: text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect(),
        open: Vec::new(),
        root: None,
        marks: Marks::default(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = *error.marker();
            build.problem(
                &Span::new(marker, marker),
                format!("this is not YAML: {}", error.info()),
                "look at this place for wrong indentation or a value that needs quotation marks",
            )
        })?;
        build.event(event, &span)?;
    }
    match build.root {
        Some(value) => Ok((value, build.marks)),
        None => Err(Box::new(Problem {
            code: "not-yaml".to_owned(),
            place: Place::of_file(file),
            message: "the file is empty".to_owned(),
            fix: "write the document".to_owned(),
        })),
    }
}

struct Build<'t> {
    file: &'t str,
    text: &'t str,
    offsets: Vec<usize>,
    open: Vec<Open>,
    root: Option<Value>,
    marks: Marks,
}

/// A list or object whose end has not been seen.
struct Open {
    pointer: String,
    start: Mark,
    kind: Kind,
}

enum Kind {
    List(Vec<Value>),
    Object(Map<String, Value>, Option<String>),
}

impl Build<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Box<Problem>> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(self.problem(
                span,
                "a second document begins here".to_owned(),
                "write one document to a file",
            )),
            Event::Alias(_) => Err(self.problem(
                span,
                "references (*name) are not followed".to_owned(),
                "write the value out",
            )),
            Event::Scalar(text, style, _, _) => self.scalar(&text, style, span),
            Event::SequenceStart(..) => self.enter(Kind::List(Vec::new()), span),
            Event::MappingStart(..) => self.enter(Kind::Object(Map::new(), None), span),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let value = match open.kind {
                        Kind::List(items) => Value::Array(items),
                        Kind::Object(fields, _) => Value::Object(fields),
                    };
                    self.add(open.pointer, value, open.start);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Span) -> Result<(), Box<Problem>> {
        let mark = self.mark(span);
        if let Some(Open {
            pointer,
            kind: Kind::Object(fields, name @ None),
            ..
        }) = self.open.last_mut()
        {
            let at = format!("{pointer}/{}", escaped(text));
            if fields.contains_key(text) {
                self.marks.repeated.push((at.clone(), mark.clone()));
            }
            self.marks.by_pointer.insert(at, mark);
            *name = Some(text.to_owned());
            return Ok(());
        }
        let value = if style == ScalarStyle::Plain {
            plain(text)
        } else {
            Value::String(text.to_owned())
        };
        let pointer = self.next_pointer();
        self.add(pointer, value, mark);
        Ok(())
    }

    fn enter(&mut self, kind: Kind, span: &Span) -> Result<(), Box<Problem>> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.problem(
                span,
                format!("lists and objects are nested more than {MAX_DEPTH} deep"),
                "write it flatter",
            ));
        }
        if let Some(Open {
            kind: Kind::Object(_, None),
            ..
        }) = self.open.last()
        {
            return Err(self.problem(
                span,
                "a field's name must be a word".to_owned(),
                "put quotation marks round it",
            ));
        }
        let open = Open {
            pointer: self.next_pointer(),
            start: self.mark(span),
            kind,
        };
        self.open.push(open);
        Ok(())
    }

    fn next_pointer(&self) -> String {
        match self.open.last() {
            None => String::new(),
            Some(Open {
                pointer,
                kind: Kind::List(items),
                ..
            }) => format!("{pointer}/{}", items.len()),
            Some(Open {
                pointer,
                kind: Kind::Object(_, name),
                ..
            }) => {
                format!("{pointer}/{}", escaped(name.as_deref().unwrap_or_default()))
            }
        }
    }

    fn add(&mut self, pointer: String, value: Value, mark: Mark) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(value),
            Some(Kind::List(items)) => {
                self.marks.by_pointer.insert(pointer, mark);
                items.push(value);
            }
            Some(Kind::Object(fields, name)) => {
                fields.insert(name.take().unwrap_or_default(), value);
            }
        }
    }

    fn mark(&self, span: &Span) -> Mark {
        let byte = |index: usize| self.offsets.get(index).copied().unwrap_or(self.text.len());
        let (start, end) = (byte(span.start.index()), byte(span.end.index()));
        Mark {
            line: u32::try_from(span.start.line()).unwrap_or(u32::MAX),
            column: u32::try_from(span.start.col())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            bytes: start..end.max(start),
        }
    }

    fn problem(&self, span: &Span, message: String, fix: &str) -> Box<Problem> {
        Box::new(Problem {
            code: "not-yaml".to_owned(),
            place: Place::at(self.file, "", &self.mark(span)),
            message,
            fix: fix.to_owned(),
        })
    }
}

/// The core schema of YAML 1.2, without its octal numbers, infinities and not-a-numbers.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !numeric.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Value::String(text.to_owned());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Value::Number(whole.into());
    }
    text.parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map_or_else(|| Value::String(text.to_owned()), Value::Number)
}
