//! Answers of any length: a line for each row, and a last line that says whether these were all.

use std::io::{self, Write};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use polity_database::{EngineError, Format, StatementKind};
use polity_kernel::{RecordAnswer, RecordBackup, RecordError, RecordExport, RecordPiece};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::fault::of_statement;

/// Bytes of one piece of an export.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow reader.
const PIECES: usize = 4;

/// Streams an answer as it comes.
pub(super) fn respond(answer: RecordAnswer) -> Response {
    let head = json!({ "columns": answer.columns, "decision_id": answer.decision_id });
    let head = Bytes::from(format!("{head}\n"));
    let pieces = stream::unfold(Some((Some(head), answer)), |state| async move {
        let (head, mut answer) = state?;
        if let Some(head) = head {
            return Some((Ok::<_, io::Error>(head), Some((None, answer))));
        }
        match answer.next().await {
            Some(RecordPiece::Rows(rows)) => {
                let mut text = Vec::new();
                for row in &rows {
                    if let Err(error) = serde_json::to_writer(&mut text, row) {
                        return Some((Err(error.into()), None));
                    }
                    text.push(b'\n');
                }
                Some((Ok(text.into()), Some((None, answer))))
            }
            last => Some((Ok(end(last, answer.kind)), None)),
        }
    });
    as_type(
        Response::new(Body::from_stream(pieces)),
        "application/x-ndjson",
    )
}

fn end(last: Option<RecordPiece>, kind: StatementKind) -> Bytes {
    let line = match last {
        Some(RecordPiece::End { summary, more }) => {
            let counted = if kind == StatementKind::Query {
                "rows"
            } else {
                "changed"
            };
            json!({
                counted: summary.rows,
                "more": more,
                "examined": summary.examined,
                "took_us": summary.micros,
            })
        }
        Some(RecordPiece::Failed(error)) => stopped(RecordError::Engine(error)),
        // Rows have their own arm; without any piece the work broke off.
        Some(RecordPiece::Rows(_)) | None => stopped(RecordError::Broken),
    };
    Bytes::from(format!("{line}\n"))
}

fn stopped(error: RecordError) -> serde_json::Value {
    let fault = of_statement(error);
    json!({ "error": { "title": fault.kind().title(), "detail": fault.detail() } })
}

/// Streams a collection.
pub(super) fn export(export: RecordExport, format: Format) -> Response {
    let kind = match format {
        Format::Ndjson => "application/x-ndjson",
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8",
    };
    written(kind, |out| export.write(out))
}

/// Streams all collections.
pub(super) fn backup(backup: RecordBackup) -> Response {
    written("application/x-ndjson", |out| backup.write(out))
}

/// Streams what is written.
fn written(
    kind: &'static str,
    write: impl FnOnce(&mut dyn Write) -> Result<u64, EngineError> + Send + 'static,
) -> Response {
    let (pieces, body) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(PIECE, Pieces { pieces });
        let written = write(&mut out)
            .map_err(io::Error::other)
            .and_then(|_| out.flush());
        if let Err(error) = written {
            tracing::warn!(%error, "an export of records broke off");
            let _ = out.get_ref().pieces.blocking_send(Err(error));
        }
    });
    as_type(
        Response::new(Body::from_stream(ReceiverStream::new(body))),
        kind,
    )
}

fn as_type(mut response: Response, kind: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pieces
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
