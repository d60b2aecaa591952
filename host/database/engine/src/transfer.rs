//! In and out: NDJSON, JSON, CSV, and whole backups.
//!
//! Everything is read and written as a stream, so the size of a file does not matter, and tells its progress. A line that
//! is refused is told with its number and stops the import; what came before it is in. An export and a backup read one
//! consistent state while writing goes on.

use std::io::{BufRead, Read, Write};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::catalogue::Collection;
use crate::change::mutation::{Aggregate, Mutation};
use crate::codec::row::RowRef;
use crate::engine::{Engine, document};
use crate::error::EngineError;
use crate::exec::damaged;
use crate::front::Durability;
use crate::kv::KvError;
use crate::value::{Decimal, Document, MAX_DOCUMENT, Value};

/// Documents of one write.
const BATCH: usize = 500;

/// The forms of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects.
    Json,
    /// A line of names, then lines of values (RFC 4180). Values that look like numbers or booleans become such.
    Csv,
}

/// Called with the documents and bytes so far.
pub type OnProgress<'p> = &'p mut dyn FnMut(u64, u64);

impl Engine {
    /// Reads documents into a collection. Returns how many.
    ///
    /// # Errors
    /// The place of the first document that is refused, or the store or the input failed.
    pub fn import(
        &self,
        collection: &str,
        format: Format,
        input: &mut dyn BufRead,
        progress: OnProgress<'_>,
    ) -> Result<u64, EngineError> {
        let documents = read_documents(
            format,
            input,
            &mut |batch| {
                self.insert(collection, batch, Durability::Relaxed)
                    .map(drop)
            },
            progress,
        )?;
        self.flush()?;
        Ok(documents)
    }

    /// Writes a collection. Returns how many documents.
    ///
    /// # Errors
    /// There is no such collection, or the store or the output failed.
    pub fn export(
        &self,
        collection: &str,
        format: Format,
        output: &mut dyn Write,
        progress: OnProgress<'_>,
    ) -> Result<u64, EngineError> {
        let found = self.catalogue().collection(collection)?.clone();
        let rows = self.front.snapshot(&[found.tree])?.tree(found.tree);
        let (mut count, mut bytes) = (0, 0);
        let mut outcome = Ok(());
        let mut put = |text: &str| output.write_all(text.as_bytes()).map_err(io);
        match format {
            Format::Json => put("[")?,
            Format::Csv => {
                let names: Vec<_> = found.fields.iter().map(|f| csv_cell(&f.name)).collect();
                put(&(names.join(",") + "\r\n"))?;
            }
            Format::Ndjson => {}
        }
        rows.each(&[], None, false, &mut |_, value| {
            let step = line(&found, value, format, count == 0).and_then(|text| {
                bytes += text.len() as u64;
                put(&text)
            });
            count += 1;
            if count % BATCH as u64 == 0 {
                progress(count, bytes);
            }
            match step {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    outcome = Err(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        outcome?;
        if format == Format::Json {
            output.write_all(b"]\n").map_err(io)?;
        }
        output.flush().map_err(io)?;
        progress(count, bytes);
        Ok(count)
    }

    /// Writes everything as one stream of lines: the schema of each collection, its documents, a count at the end. Nobody
    /// is held up; each collection is one consistent state.
    ///
    /// # Errors
    /// The store or the output failed.
    pub fn backup(
        &self,
        output: &mut dyn Write,
        progress: OnProgress<'_>,
    ) -> Result<u64, EngineError> {
        let catalogue = self.catalogue();
        let trees: Vec<_> = catalogue.collections.values().map(|c| c.tree).collect();
        // One snapshot for all collections: what belongs together stays together.
        let snapshot = self.front.snapshot(&trees)?;
        let mut total = 0;
        for (name, collection) in &catalogue.collections {
            let head = Line::Collection {
                name: name.clone(),
                fields: collection.fields.iter().map(|f| f.name.clone()).collect(),
                mutations: schema_of(collection),
            };
            write_line(output, &head)?;
            let mut outcome = Ok(());
            let mut count = 0;
            snapshot
                .tree(collection.tree)
                .each(&[], None, false, &mut |_, value| {
                    outcome = line(collection, value, Format::Ndjson, true)
                        .and_then(|text| output.write_all(text.as_bytes()).map_err(io));
                    count += 1;
                    if outcome.is_ok() {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })?;
            outcome?;
            write_line(output, &Line::End { documents: count })?;
            total += count;
            progress(total, 0);
        }
        output.flush().map_err(io)?;
        Ok(total)
    }

    /// Reads a backup into an empty database.
    ///
    /// # Errors
    /// The database is not empty, the backup is incomplete, or the store failed.
    pub fn restore(
        &self,
        input: &mut dyn BufRead,
        progress: OnProgress<'_>,
    ) -> Result<u64, EngineError> {
        if !self.catalogue().collections.is_empty() {
            return Err(EngineError::invalid(
                "a backup is restored into an empty database: open a new folder",
            ));
        }
        let mut total = 0;
        let mut text = Vec::new();
        while read_line(input, &mut text)? {
            let head: Line = serde_json::from_slice(&text)
                .map_err(|e| EngineError::invalid(format!("this is no backup: {e}")))?;
            let Line::Collection {
                name,
                fields,
                mutations,
            } = head
            else {
                return Err(EngineError::invalid(
                    "this is no backup: a collection was expected",
                ));
            };
            self.declare(&name, &fields)?;
            let mut insert =
                |batch: &[Document]| self.insert(&name, batch, Durability::Relaxed).map(drop);
            let mut sink = Importer::new(&mut insert, &mut *progress);
            loop {
                if !read_line(input, &mut text)? {
                    return Err(EngineError::invalid(format!(
                        "the backup ends inside of {name:?}: it is not complete"
                    )));
                }
                if text.starts_with(b"{\"backup\":")
                    && let Ok(Line::End { documents }) = serde_json::from_slice(&text)
                {
                    if documents != sink.documents + sink.batch.len() as u64 {
                        return Err(EngineError::invalid(format!(
                            "{name:?} has {} documents in the backup and should have {documents}",
                            sink.documents
                        )));
                    }
                    break;
                }
                sink.take(Document::parse(&text)?, text.len())?;
            }
            sink.hand_over()?;
            total += sink.documents;
            for mutation in &mutations {
                self.apply(mutation)?;
            }
        }
        self.flush()?;
        Ok(total)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "backup", rename_all = "kebab-case")]
enum Line {
    Collection {
        name: String,
        fields: Vec<String>,
        mutations: Vec<Mutation>,
    },
    End {
        documents: u64,
    },
}

/// What makes the schema again once the documents are there.
fn schema_of(collection: &Collection) -> Vec<Mutation> {
    let at = || collection.name.clone();
    let mut out = Vec::new();
    for field in &collection.fields {
        let known = !matches!(field.ty, crate::catalogue::Type::Unknown);
        if known {
            out.push(Mutation::SetFieldType {
                collection: at(),
                field: field.name.clone(),
                ty: field.ty,
                declared: field.declared,
            });
        }
        if known || field.state != crate::catalogue::FieldState::Emergent {
            out.push(Mutation::SetFieldState {
                collection: at(),
                field: field.name.clone(),
                state: field.state,
            });
        }
        out.extend(field.aliases.iter().map(|alias| Mutation::AddAlias {
            collection: at(),
            field: field.name.clone(),
            alias: alias.clone(),
        }));
    }
    out.extend(
        collection
            .indexes
            .iter()
            .map(|index| Mutation::CreateIndex {
                collection: at(),
                name: index.name.clone(),
                fields: collection.names_of(&index.fields),
            }),
    );
    out.extend(collection.rollups.iter().map(|rollup| {
        Mutation::CreateRollup {
            collection: at(),
            name: rollup.name.clone(),
            group_by: collection.names_of(&rollup.group),
            aggregates: rollup
                .aggregates
                .iter()
                .filter_map(|(function, field)| {
                    field.map(|f| Aggregate {
                        function: *function,
                        field: collection.field(f).name.clone(),
                    })
                })
                .collect(),
        }
    }));
    out
}

/// Takes a batch of documents, all or none.
type Take<'t> = &'t mut dyn FnMut(&[Document]) -> Result<(), EngineError>;

/// Reads documents in batches, for whoever puts them somewhere. Returns how many.
///
/// # Errors
/// The place of the first document that is refused, or the input failed, or a batch was not taken.
pub fn read_documents(
    format: Format,
    input: &mut dyn BufRead,
    take: &mut dyn FnMut(&[Document]) -> Result<(), EngineError>,
    progress: OnProgress<'_>,
) -> Result<u64, EngineError> {
    let mut sink = Importer::new(take, progress);
    match format {
        Format::Ndjson => ndjson(input, &mut sink)?,
        Format::Json => {
            let text = whole(input)?;
            for_each_in_array(&text, &mut |item| {
                sink.take(Document::parse(item.as_bytes())?, item.len())
            })?;
        }
        Format::Csv => csv(input, &mut sink)?,
    }
    sink.hand_over()?;
    Ok(sink.documents)
}

struct Importer<'i> {
    insert: Take<'i>,
    batch: Vec<Document>,
    documents: u64,
    bytes: u64,
    progress: OnProgress<'i>,
}

impl<'i> Importer<'i> {
    fn new(insert: Take<'i>, progress: OnProgress<'i>) -> Self {
        Self {
            insert,
            batch: Vec::new(),
            documents: 0,
            bytes: 0,
            progress,
        }
    }

    fn take(&mut self, document: Document, bytes: usize) -> Result<(), EngineError> {
        self.batch.push(document);
        self.bytes += bytes as u64;
        if self.batch.len() >= BATCH {
            self.hand_over()
        } else {
            Ok(())
        }
    }

    fn hand_over(&mut self) -> Result<(), EngineError> {
        if !self.batch.is_empty() {
            (self.insert)(&self.batch)?;
            self.documents += self.batch.len() as u64;
            self.batch.clear();
        }
        (self.progress)(self.documents, self.bytes);
        Ok(())
    }
}

fn io(error: std::io::Error) -> EngineError {
    KvError::Failed {
        reason: error.to_string(),
    }
    .into()
}

fn write_line(output: &mut dyn Write, line: &Line) -> Result<(), EngineError> {
    let text = serde_json::to_string(line).map_err(|e| EngineError::invalid(e.to_string()))?;
    writeln!(output, "{text}").map_err(io)
}

/// Without its end; `false` at the end of the input. A line longer than a document may be is refused before it is read.
fn read_line(input: &mut dyn BufRead, text: &mut Vec<u8>) -> Result<bool, EngineError> {
    text.clear();
    let mut limited = Read::take(&mut *input, MAX_DOCUMENT as u64 + 2);
    let read = limited.read_until(b'\n', text).map_err(io)?;
    if text.len() > MAX_DOCUMENT {
        return Err(crate::error::DocumentError::TooBig {
            bytes: text.len(),
            limit: MAX_DOCUMENT,
        }
        .into());
    }
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    Ok(read > 0)
}

fn whole(input: &mut dyn BufRead) -> Result<String, EngineError> {
    const LIMIT: u64 = 256 << 20;
    let mut bytes = Vec::new();
    Read::take(input, LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > LIMIT {
        return Err(EngineError::invalid(
            "a JSON array is read whole and this one is over 256 MiB: convert it to NDJSON (jq -c '.[]')",
        ));
    }
    String::from_utf8(bytes).map_err(|e| {
        crate::error::DocumentError::Encoding {
            at: e.utf8_error().valid_up_to(),
        }
        .into()
    })
}

fn ndjson(input: &mut dyn BufRead, sink: &mut Importer<'_>) -> Result<(), EngineError> {
    let mut text = Vec::new();
    let mut number = 0u64;
    while read_line(input, &mut text)? {
        number += 1;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let document = Document::parse(&text)
            .map_err(|e| EngineError::invalid(format!("line {number}: {e}")))?;
        sink.take(document, text.len())?;
    }
    Ok(())
}

/// Hands over the text of each object of an array.
fn for_each_in_array(
    text: &str,
    take: &mut dyn FnMut(&str) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text)
        .map_err(|e| EngineError::invalid(format!("this is not a JSON array: {e}")))?;
    for (n, item) in items.iter().enumerate() {
        take(item.get()).map_err(|e| EngineError::invalid(format!("item {}: {e}", n + 1)))?;
    }
    Ok(())
}

fn line(
    collection: &Collection,
    bytes: &[u8],
    format: Format,
    first: bool,
) -> Result<String, EngineError> {
    let row = RowRef::new(bytes).ok_or_else(damaged)?;
    let text = match format {
        Format::Csv => {
            let cells = collection.fields.iter().map(|f| match row.get(f.id) {
                Value::Null => String::new(),
                // An empty text is not nothing.
                Value::Text(t) if t.is_empty() => "\"\"".to_owned(),
                Value::Bool(b) => b.to_string(),
                value => csv_cell(&value.to_string()),
            });
            cells.collect::<Vec<_>>().join(",") + "\r\n"
        }
        Format::Ndjson => document(collection, row.fields()).to_json() + "\n",
        Format::Json => format!(
            "{}{}",
            if first { "" } else { ",\n" },
            document(collection, row.fields()).to_json()
        ),
    };
    Ok(text)
}

fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn csv(input: &mut dyn BufRead, sink: &mut Importer<'_>) -> Result<(), EngineError> {
    let mut number = 0;
    let Some(names) = csv_record(input, &mut number)? else {
        return Ok(());
    };
    let names: Vec<String> = names
        .into_iter()
        .map(|(n, _)| n.trim_start_matches('\u{feff}').to_owned())
        .collect();
    if let Some(twice) = names
        .iter()
        .enumerate()
        .find(|(n, name)| names[..*n].contains(name))
    {
        return Err(EngineError::invalid(format!(
            "the column {:?} is there twice",
            twice.1
        )));
    }
    while let Some(cells) = csv_record(input, &mut number)? {
        if cells.len() != names.len() {
            return Err(EngineError::invalid(format!(
                "line {number}: {} values for {} columns",
                cells.len(),
                names.len()
            )));
        }
        let bytes = cells.iter().map(|(c, _)| c.len() + 1).sum();
        let fields = names
            .iter()
            .zip(cells)
            .filter(|(_, (text, quoted))| *quoted || !text.is_empty());
        let fields = fields.map(|(name, (text, quoted))| {
            (
                name.as_str().into(),
                if quoted {
                    Value::from(text)
                } else {
                    infer(text)
                },
            )
        });
        sink.take(
            Document {
                fields: fields.collect(),
            },
            bytes,
        )?;
    }
    Ok(())
}

/// The value that prints as this text: what would print differently (leading zeros, a plus) stays text.
fn infer(text: String) -> Value {
    match text.as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(int) = text.parse::<i64>()
        && int.to_string() == text
    {
        return Value::Int(int);
    }
    match Decimal::parse(&text) {
        Some(decimal) if decimal.to_string() == text => Value::Dec(decimal),
        _ => Value::from(text),
    }
}

/// The cells of the next record and whether each was quoted; a quoted cell may go over lines.
fn csv_record(
    input: &mut dyn BufRead,
    number: &mut u64,
) -> Result<Option<Vec<(String, bool)>>, EngineError> {
    let mut text = Vec::new();
    let mut part = Vec::new();
    loop {
        if !read_line(input, &mut part)? {
            if text.is_empty() {
                return Ok(None);
            }
            return Err(EngineError::invalid(format!(
                "line {number}: a quoted value does not end"
            )));
        }
        *number += 1;
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(&part);
        if text.iter().filter(|b| **b == b'"').count() % 2 == 0 {
            if text.is_empty() {
                continue;
            }
            break;
        }
        if text.len() > MAX_DOCUMENT {
            return Err(EngineError::invalid(format!(
                "line {number}: a quoted value does not end"
            )));
        }
    }
    let text = String::from_utf8(text).map_err(|_| {
        EngineError::invalid(format!(
            "line {number} is not UTF-8: convert the file first"
        ))
    })?;
    let (mut cells, mut cell, mut quoted, mut inside) = (Vec::new(), String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if inside && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => {
                inside = !inside;
                quoted = true;
            }
            ',' if !inside => cells.push((std::mem::take(&mut cell), std::mem::take(&mut quoted))),
            c => cell.push(c),
        }
    }
    cells.push((cell, quoted));
    Ok(Some(cells))
}
