//! What all pages have in common: the frame, the policies, the number of what waits.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use polity_constitution::Permission;
use polity_inbox::{Filter, Item};

use super::assets::ASSETS;
use super::visitor::Visitor;
use crate::serve::{App, Fault, as_decider, blocking};

/// Nothing from elsewhere, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the script library is told: no styles of its own, and no page of an error in the place of a fragment.
const SETTINGS: &str =
    r#"{"includeIndicatorCSS":false,"noSwap":[204,304,"4xx","5xx"],"history":false}"#;

/// The entries of the menu.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Today,
    Inbox,
    Runs,
    Decisions,
    Amendments,
    Schema,
    Cost,
    Plugins,
    Ledger,
    /// None of them.
    Elsewhere,
}

const MENU: [(Section, &str, &str); 9] = [
    (Section::Today, "/", "Today"),
    (Section::Inbox, "/inbox", "Inbox"),
    (Section::Runs, "/runs", "Runs"),
    (Section::Decisions, "/decisions", "Decisions"),
    (Section::Amendments, "/amendments", "Amendments"),
    (Section::Schema, "/schema", "Schema"),
    (Section::Cost, "/cost", "Cost"),
    (Section::Plugins, "/plugins", "Plugins"),
    (Section::Ledger, "/ledger", "Ledger"),
];

/// A whole page.
pub(super) async fn show(
    app: &App,
    visitor: &Visitor,
    section: Section,
    title: &str,
    body: &Markup,
) -> Response {
    let waiting = count(app, visitor).await;
    respond(
        StatusCode::OK,
        &frame(app, visitor, section, title, waiting, body),
    )
}

/// A page that says why another one is not shown.
pub(super) fn fault(app: &App, visitor: &Visitor, fault: &Fault) -> Response {
    let body = html! {
        h1 { (fault.kind().title()) }
        p.notice.stop role="alert" data-testid="fault" { (fault.detail()) }
        p { a href="/" { "Back to Today" } }
    };
    let title = fault.kind().title();
    respond(
        fault.kind().status(),
        &frame(app, visitor, Section::Elsewhere, title, 0, &body),
    )
}

/// A response with a page's headers.
pub(super) fn respond(status: StatusCode, page: &Markup) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("content-security-policy"), POLICY),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        // A link's secret stays out of the next site's log; our own forms still say where they come from.
        (HeaderName::from_static("referrer-policy"), "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let mut response = Response::new(Body::from(page.0.clone()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// The head of every page, with or without a visitor.
pub(super) fn document(title: &str, company: &str, body: &Markup) -> Markup {
    let assets = &*ASSETS;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="htmx-config" content=(SETTINGS);
                title { (title) " · " (company) }
                link rel="icon" href=(assets.icon.path) type="image/svg+xml";
                link rel="stylesheet" href=(assets.style.path);
                script src=(assets.htmx.path) defer {}
                script src=(assets.sse.path) defer {}
                script src=(assets.keys.path) defer {}
            }
            body { (body) }
        }
    }
}

fn frame(
    app: &App,
    visitor: &Visitor,
    section: Section,
    title: &str,
    waiting: usize,
    body: &Markup,
) -> Markup {
    let constitution = app.kernel.constitution();
    let company = &constitution.charter().company().name;
    let seen = app
        .kernel
        .ledger()
        .head()
        .ok()
        .flatten()
        .map_or(0, |(seq, _)| seq);
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        header.bar {
            a.company href="/" { (company) }
            nav aria-label="Pages" {
                @for (entry, path, name) in MENU {
                    a href=(path) aria-current=[(entry == section).then_some("page")] data-testid={ "nav-" (name) } {
                        (name)
                        @if entry == Section::Inbox { (badge(waiting)) }
                    }
                }
            }
            div.who {
                span { (visitor.actor.name) }
                form method="post" action="/logout" { button.plain type="submit" data-testid="logout" { "Log out" } }
            }
        }
        main #main { (body) }
        div hidden hx-sse:connect={ "/console/events?seen=" (seen) } {}
    };
    document(title, company, &body)
}

/// The number of items that wait for the visitor.
fn badge(waiting: usize) -> Markup {
    html! {
        span #waiting hx-get="/console/waiting" hx-trigger="inbox from:body throttle:1s" hx-swap="outerMorph" {
            @if waiting > 0 {
                span.count data-testid="waiting" title={ (waiting) " wait for you" } { (waiting) }
            }
        }
    }
}

/// `GET /console/waiting`: the number alone.
pub(super) async fn waiting(State(app): State<App>, visitor: Visitor) -> Response {
    let waiting = count(&app, &visitor).await;
    respond(StatusCode::OK, &badge(waiting))
}

async fn count(app: &App, visitor: &Visitor) -> usize {
    needs(app, visitor, 100)
        .await
        .map_or(0, |items| items.len())
}

/// The open items that the visitor may decide, by when they are due.
pub(super) async fn needs(app: &App, visitor: &Visitor, limit: usize) -> Result<Vec<Item>, Fault> {
    if !visitor.actor.may(Permission::InboxRead) {
        return Ok(Vec::new());
    }
    let kernel = app.kernel.clone();
    let filter = Filter {
        decidable_by: Some(as_decider(&visitor.actor)),
        limit: Some(limit),
        ..Filter::default()
    };
    blocking(move || kernel.inbox().list(&filter))
        .await?
        .map_err(Fault::internal)
}
