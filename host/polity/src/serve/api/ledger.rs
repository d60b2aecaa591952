//! `/api/ledger`: everything that happened, in order.

use std::collections::VecDeque;
use std::io::{self, Write};

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use polity_constitution::Permission;
use polity_kernel::Kernel;
use polity_ledger::{Ledger, ReadError, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

use super::page::{Page, Parameters, Query, cursor, limit};
use super::schema;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Problem};
use crate::serve::{App, blocking};

/// Events read at a time for somebody who follows.
const FOLLOWED: usize = 256;

/// Bytes of an export that are written at a time, and how many such pieces may wait for a slow reader.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// Which events are wanted.
#[derive(Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// About this subject: `plugin/triage`.
    #[param(required = false, nullable = false)]
    subject: Option<String>,
    /// Of this kind: `plugin.loaded`.
    #[param(required = false, nullable = false)]
    kind: Option<String>,
    /// `true`: the newest, in place of the oldest.
    #[param(required = false, nullable = false)]
    last: Option<bool>,
    /// The `next` of the page before, which is the number of its last event.
    #[param(required = false, nullable = false, pattern = "^[0-9]{1,19}$")]
    after: Option<String>,
    /// Items on the page.
    #[param(value_type = u32, required = false, nullable = false, minimum = 1, maximum = 500, default = 50)]
    limit: Option<u64>,
}

impl Parameters for EventQuery {
    const NAMES: &'static [&'static str] = &["subject", "kind", "last", "after", "limit"];
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verification {
    /// Whether the chain is what was written.
    ok: bool,
    /// How many events were verified; those before the first that is wrong.
    events: u64,
    /// The hash of the newest event, to be compared with one noted elsewhere; null where the chain is broken.
    head: Option<String>,
    /// The first event that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Read the ledger
///
/// CloudEvents 1.0, oldest first. With `Accept: text/event-stream` the answer goes on with what happens from then on; an
/// event's id is its number, so `Last-Event-ID` resumes.
#[utoipa::path(
    get,
    path = "/api/ledger",
    tag = "ledger",
    params(EventQuery),
    responses(
        (status = 200, description = "A page of events, or a stream of them.", content((Page<schema::CloudEvent> = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
) -> Result<Response, Fault> {
    caller.allowed(Permission::LedgerRead)?;
    let limit = limit(query.limit)?;
    let wants_stream = headers
        .get(ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let after = query.after.clone().or(resumed.filter(|_| wants_stream));
    let after: Option<u64> = cursor(after)?;
    // Somebody who follows hears of everything after what is read here.
    let news = app.kernel.ledger().subscribe();
    let (kernel, wanted) = (app.kernel.clone(), query.clone());
    let is_page = !wants_stream && query.last != Some(true);
    let farther = limit + usize::from(is_page);
    let events = blocking(move || read(kernel.ledger(), &wanted, after, farther))
        .await?
        .map_err(Fault::internal)?;
    if wants_stream {
        let stream = follow(app.kernel.clone(), query, events, after.unwrap_or(0), news);
        let stream = stream.take_until(app.ending.clone().cancelled_owned());
        return Ok(Sse::new(stream)
            .keep_alive(KeepAlive::default())
            .into_response());
    }
    let Page { items, next } = Page::cut(events, limit, |last| Some(last.seq.to_string()));
    let items: Vec<Value> = items.iter().map(StoredEvent::to_cloud_event).collect();
    Ok(Answer(Page { items, next }).into_response())
}

/// Verify the ledger
///
/// Computes every hash anew from the stored bytes. That something is wrong is told in the answer, not by its status.
#[utoipa::path(
    post,
    path = "/api/ledger/verify",
    tag = "ledger",
    responses(
        (status = 200, description = "What was found.", body = Verification),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify_ledger(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Verification>, Fault> {
    caller.allowed(Permission::LedgerRead)?;
    verify(&app).await.map(Answer)
}

/// Verifies every event.
pub(crate) async fn verify(app: &App) -> Result<Verification, Fault> {
    let kernel = app.kernel.clone();
    let verified = blocking(move || kernel.ledger().verify(|_| ())).await?;
    Ok(match verified {
        Ok(verified) => Verification {
            ok: true,
            events: verified.events,
            head: Some(verified.head.to_string()),
            seq: None,
            reason: None,
        },
        Err(broken) => Verification {
            ok: false,
            events: broken.seq.saturating_sub(1),
            head: None,
            seq: Some(broken.seq),
            reason: Some(broken.to_string()),
        },
    })
}

impl Verification {
    /// What was found, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        match (&self.head, &self.reason) {
            (Some(head), _) => format!(
                "All {} events are what was written. The newest has the hash {head}.",
                self.events
            ),
            (None, Some(reason)) => format!("{reason}."),
            (None, None) => "Nothing is known.".to_owned(),
        }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.ok
    }
}

/// Export the ledger
///
/// One CloudEvent a line, the stored bytes with the hash before the last brace, so that a stranger can check it.
#[utoipa::path(
    get,
    path = "/api/ledger/export",
    tag = "ledger",
    responses(
        (status = 200, description = "Newline-delimited JSON. An export that fails half-way breaks the connection.", body = String, content_type = "application/x-ndjson"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn export_ledger(
    State(app): State<App>,
    caller: Caller,
) -> Result<Response, Fault> {
    caller.allowed(Permission::LedgerRead)?;
    let (pieces, body) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut out = Pieces {
            buffer: BytesMut::with_capacity(PIECE),
            pieces,
        };
        if let Err(error) = app.kernel.ledger().export(&mut out) {
            tracing::warn!(%error, "an export of the ledger broke off");
            let _ = out.pieces.blocking_send(Err(error));
        }
    });
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(body)));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"ledger.ndjson\""),
    );
    Ok(response)
}

fn read(
    ledger: &Ledger,
    query: &EventQuery,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredEvent>, ReadError> {
    let (after, last) = (after.unwrap_or(0), query.last.unwrap_or(false));
    // One index is read; the other filter is applied to what it finds, page by page.
    let mut found = Vec::new();
    let mut begin = after;
    loop {
        let page = match (&query.subject, &query.kind, last) {
            (Some(subject), _, true) => ledger.last_of(subject, limit)?,
            (Some(subject), _, false) => ledger.events_of(subject, begin, limit)?,
            (None, Some(kind), true) => ledger.last_of_kind(kind, limit)?,
            (None, Some(kind), false) => ledger.events_of_kind(kind, begin, limit)?,
            (None, None, true) => ledger.last(limit)?,
            (None, None, false) => ledger.events(begin, limit)?,
        };
        let is_all = page.len() < limit;
        begin = page.last().map_or(begin, |event| event.seq);
        let page = page.into_iter().filter(|event| event.seq > after);
        found.extend(page.filter(|event| is_wanted(event, query)));
        found.truncate(limit);
        if is_all || last || found.len() == limit {
            return Ok(found);
        }
    }
}

fn is_wanted(event: &StoredEvent, query: &EventQuery) -> bool {
    query
        .subject
        .as_ref()
        .is_none_or(|subject| *subject == event.subject)
        && query.kind.as_ref().is_none_or(|kind| *kind == event.kind)
}

struct Follower {
    kernel: Kernel,
    query: EventQuery,
    waiting: VecDeque<StoredEvent>,
    /// The last event that was looked at, wanted or not.
    seen: u64,
    news: broadcast::Receiver<std::sync::Arc<StoredEvent>>,
}

/// What was read, and from then on whatever is written. News only say that there is something to read: a reader who
/// falls behind reads on where it was, and misses nothing.
fn follow(
    kernel: Kernel,
    query: EventQuery,
    read: Vec<StoredEvent>,
    after: u64,
    news: broadcast::Receiver<std::sync::Arc<StoredEvent>>,
) -> impl Stream<Item = Result<Event, axum::Error>> {
    let seen = read.last().map_or(after, |event| event.seq);
    let follower = Follower {
        kernel,
        query,
        waiting: read.into(),
        seen,
        news,
    };
    stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        let event = Event::default()
            .id(event.seq.to_string())
            .json_data(event.to_cloud_event());
        Some((event, follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Option<StoredEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let (kernel, seen) = (self.kernel.clone(), self.seen);
            let page = blocking(move || kernel.ledger().events(seen, FOLLOWED))
                .await
                .ok()?
                .ok()?;
            match page.last() {
                Some(last) => {
                    self.seen = last.seq;
                    self.waiting.extend(
                        page.into_iter()
                            .filter(|event| is_wanted(event, &self.query)),
                    );
                }
                None => match self.news.recv().await {
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }
}

/// A writer whose bytes go to the body of a response. It waits while the reader is slow, and fails once the reader has
/// gone.
struct Pieces {
    buffer: BytesMut,
    pieces: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for &mut Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.pieces
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polity_ledger::{Commit, ManualClock};
    use serde_json::json;

    use super::*;

    async fn ledger() -> Ledger {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(1_700_000_000_000)));
        for n in 0..20 {
            let kind = if n % 2 == 0 { "test.even" } else { "test.odd" };
            let event =
                polity_ledger::Event::new(kind, "/test", format!("thing/{}", n % 3), json!({}));
            ledger.commit(Commit::new().event(event)).await.unwrap();
        }
        ledger
    }

    fn query(subject: Option<&str>, kind: Option<&str>, last: bool) -> EventQuery {
        EventQuery {
            subject: subject.map(str::to_owned),
            kind: kind.map(str::to_owned),
            last: Some(last),
            after: None,
            limit: None,
        }
    }

    #[tokio::test]
    async fn two_filters_hold_at_once_and_a_page_is_filled_across_what_they_leave_out() {
        let ledger = ledger().await;
        let found = read(
            &ledger,
            &query(Some("thing/1"), Some("test.even"), false),
            None,
            3,
        )
        .unwrap();
        let seqs: Vec<_> = found.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [5, 11, 17]);
        let rest = read(
            &ledger,
            &query(Some("thing/1"), Some("test.even"), false),
            Some(5),
            3,
        )
        .unwrap();
        assert_eq!(rest.len(), 2);
    }

    #[tokio::test]
    async fn the_newest_events_come_in_their_order() {
        let ledger = ledger().await;
        let found = read(&ledger, &query(None, None, true), None, 3).unwrap();
        assert_eq!(
            found.iter().map(|event| event.seq).collect::<Vec<_>>(),
            [18, 19, 20]
        );
    }
}
