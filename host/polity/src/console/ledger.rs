//! `/ledger`: what happened, newest first.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_ledger::StoredEvent;

use super::page::{self, Section};
use super::text::{ago, exact};
use super::visitor::Visitor;
use crate::serve::{App, Fault, blocking, verify as verify_all};

/// Events on a page.
const ROWS: u64 = 50;

/// `GET /ledger`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::LedgerRead) {
        return refusal;
    }
    let until = query
        .as_deref()
        .and_then(|query| query.strip_prefix("until=")?.parse::<u64>().ok());
    match rows(&app, until).await {
        Ok(body) => page::show(&app, &visitor, Section::Ledger, "Ledger", &body).await,
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

/// `POST /ledger/verify`
pub(super) async fn verify(State(app): State<App>, visitor: Visitor) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::LedgerRead) {
        return refusal;
    }
    let found = match verify_all(&app).await {
        Ok(found) => found,
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let body = html! {
        h1 { "Ledger" }
        p class={ "notice " (if found.is_ok() { "good" } else { "stop" }) } role="status" data-testid="verified" { (found.sentence()) }
        p { a href="/ledger" { "Back to the ledger" } }
    };
    page::show(&app, &visitor, Section::Ledger, "Ledger", &body).await
}

async fn rows(app: &App, until: Option<u64>) -> Result<Markup, Fault> {
    let kernel = app.kernel.clone();
    // Numbers have no gaps, so a page is a range of them.
    let events = blocking(move || {
        let head = kernel.ledger().head()?.map_or(0, |(seq, _)| seq);
        let last = until.unwrap_or(head).min(head);
        let first = last.saturating_sub(ROWS);
        kernel
            .ledger()
            .events(first, usize::try_from(last - first).unwrap_or(0))
    });
    let events = events.await?.map_err(Fault::internal)?;
    let now_ms = app.now_ms();
    let older = events
        .first()
        .map(|event| event.seq - 1)
        .filter(|seq| *seq > 0);
    Ok(html! {
        h1 { "Ledger" }
        section.card #events hx-get="/ledger" hx-select="#events" hx-trigger=[until.is_none().then_some("ledger from:body throttle:1s")] hx-swap="outerMorph" data-testid="events" {
            @if events.is_empty() { p.empty { "Nothing has happened." } }
            @else { ul.rows { @for event in events.iter().rev() { (row(event, now_ms)) } } }
            @if let Some(seq) = older { p.more { a href={ "/ledger?until=" (seq) } data-testid="older" { "Older" } } }
        }
        form method="post" action="/ledger/verify" {
            button type="submit" data-testid="verify" { "Verify every event" }
        }
    })
}

fn row(event: &StoredEvent, now_ms: u64) -> Markup {
    html! {
        li id={ "event-" (event.seq) } {
            div.title {
                span.quiet { (event.seq) } " " b { (event.kind) }
            }
            div.side.small { (ago(event.time_ms, now_ms)) }
            div.below.small {
                details {
                    summary { (event.subject) }
                    pre { (serde_json::to_string_pretty(&event.data).unwrap_or_default()) }
                    p.more { (exact(event.time_ms)) ", hash " code { (event.hash) } }
                    @if let Some((page, id)) = page_of(&event.subject) {
                        p { a href={ "/" (page) "/" (id) } { "Its own page" } }
                    }
                }
            }
        }
    }
}

/// Where a subject is shown in full.
fn page_of(subject: &str) -> Option<(&'static str, &str)> {
    let (kind, id) = subject.split_once('/')?;
    let page = match kind {
        "decision" => "decisions",
        "inbox" => "inbox",
        "plugin" => "plugins",
        "instance" => "runs",
        "schema" => "schema",
        "amendment" => "amendments",
        _ => return None,
    };
    Some((page, id))
}
