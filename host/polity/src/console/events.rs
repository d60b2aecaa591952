//! `GET /console/events`: word that something has changed.
//!
//! A nudge carries no content, only what kind of thing it is about; the page then fetches the part that shows it. Nudges
//! are gathered for a moment, so that a thousand decisions a second are two nudges a second, and a tab that was away
//! hears once what it missed.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use polity_ledger::StoredEvent;
use tokio::sync::broadcast::{self, error::RecvError};

use super::visitor::Visitor;
use crate::serve::App;

/// How long nudges are gathered.
const GATHER: Duration = Duration::from_millis(400);

/// What pages listen to.
const TOPICS: [&str; 8] = [
    "inbox",
    "decisions",
    "plugins",
    "constitution",
    "runs",
    "amendments",
    "schema",
    "ledger",
];

/// What there is to tell and where it comes from.
struct Nudges {
    news: broadcast::Receiver<Arc<StoredEvent>>,
    waiting: VecDeque<&'static str>,
    seq: u64,
}

/// The stream of one tab.
pub(super) async fn stream(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // Listening begins before looking: what happens in between is heard.
    let news = app.kernel.ledger().subscribe();
    let head = app
        .kernel
        .ledger()
        .head()
        .ok()
        .flatten()
        .map_or(0, |(seq, _)| seq);
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let rendered = query
        .as_deref()
        .and_then(|query| query.strip_prefix("seen=")?.parse::<u64>().ok());
    let seen = resumed.or(rendered).unwrap_or(head);
    // Revoking the token is news as well, so the stream ends at once and not at whatever happens next.
    let kernel = app.kernel.clone();
    let nudges = nudges(news, head, seen)
        .take_while(move |_| ready(kernel.is_in_force(visitor.token.id)))
        .take_until(app.ending.clone().cancelled_owned());
    Sse::new(nudges)
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn nudges(
    news: broadcast::Receiver<Arc<StoredEvent>>,
    head: u64,
    seen: u64,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // What happened while nobody listened is not looked up: everything may have changed.
    let waiting = if seen == head {
        VecDeque::new()
    } else {
        TOPICS.into()
    };
    stream::unfold(
        Nudges {
            news,
            waiting,
            seq: head,
        },
        |mut nudges| async {
            let topic = nudges.next().await?;
            Some((
                Ok(Event::default()
                    .event(topic)
                    .id(nudges.seq.to_string())
                    .data("{}")),
                nudges,
            ))
        },
    )
}

impl Nudges {
    async fn next(&mut self) -> Option<&'static str> {
        if self.waiting.is_empty() {
            let mut topics = BTreeSet::new();
            let first = self.news.recv().await;
            self.take(first, &mut topics)?;
            tokio::time::sleep(GATHER).await;
            loop {
                match self.news.try_recv() {
                    Ok(event) => self.take(Ok(event), &mut topics)?,
                    Err(broadcast::error::TryRecvError::Lagged(n)) => {
                        self.take(Err(RecvError::Lagged(n)), &mut topics)?
                    }
                    Err(_) => break,
                }
            }
            self.waiting.extend(topics);
        }
        self.waiting.pop_front()
    }

    fn take(
        &mut self,
        news: Result<Arc<StoredEvent>, RecvError>,
        topics: &mut BTreeSet<&'static str>,
    ) -> Option<()> {
        match news {
            Ok(event) => {
                self.seq = event.seq;
                topics.extend(topics_of(&event.kind));
            }
            Err(RecvError::Lagged(_)) => topics.extend(TOPICS),
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }
}

/// What a kind of event is about. Every event is one of the ledger's.
fn topics_of(kind: &str) -> impl Iterator<Item = &'static str> {
    let topic = match kind.split('.').next() {
        Some("inbox") => Some("inbox"),
        Some("decision" | "completion") => Some("decisions"),
        Some("plugin") => Some("plugins"),
        Some("constitution") => Some("constitution"),
        Some("workflow" | "task" | "halt") => Some("runs"),
        Some("amendment") => Some("amendments"),
        Some("schema") => Some("schema"),
        _ => None,
    };
    topic.into_iter().chain(["ledger"])
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use polity_ledger::{Commit, Event as LedgerEvent, Ledger, ManualClock};
    use serde_json::json;

    use super::*;

    async fn commit(ledger: &Ledger, kind: &'static str) {
        let event = LedgerEvent::new(kind, "/test", "thing", json!({}));
        ledger.commit(Commit::new().event(event)).await.unwrap();
    }

    async fn topics(nudges: &mut Nudges, count: usize) -> Vec<&'static str> {
        let mut topics = Vec::new();
        for _ in 0..count {
            topics.push(nudges.next().await.unwrap());
        }
        topics
    }

    #[tokio::test]
    async fn many_events_at_once_are_one_nudge_for_each_topic() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let mut nudges = Nudges {
            news: ledger.subscribe(),
            waiting: VecDeque::new(),
            seq: 0,
        };
        for _ in 0..10 {
            commit(&ledger, "decision.made").await;
        }
        commit(&ledger, "inbox.raised").await;
        assert_eq!(
            topics(&mut nudges, 3).await,
            ["decisions", "inbox", "ledger"]
        );
        assert!(nudges.waiting.is_empty());
        assert_eq!(nudges.seq, 11);
    }

    #[tokio::test]
    async fn a_tab_that_missed_something_looks_at_everything_once() {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        let mut stream = Box::pin(nudges(ledger.subscribe(), 7, 3));
        for _ in TOPICS {
            assert!(stream.next().await.is_some());
        }
        assert!(
            stream.next().now_or_never().is_none(),
            "nothing more happened"
        );
    }
}
