//! `GET /`: what needs you, what happens, what it costs, what runs.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_inbox::Item;
use polity_kernel::DecisionFilter;
use polity_runtime::registry::Entry;

use super::page::{self, Section};
use super::visitor::Visitor;
use super::{decisions, inbox, plugins, spending};
use crate::serve::{App, Fault, blocking};

/// Rows of each list.
const ROWS: usize = 12;

/// The first page.
pub(super) async fn show(State(app): State<App>, visitor: Visitor) -> Response {
    match body(&app, &visitor).await {
        Ok(body) => page::show(&app, &visitor, Section::Today, "Today", &body).await,
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

async fn body(app: &App, visitor: &Visitor) -> Result<Markup, Fault> {
    let needs = page::needs(app, visitor, ROWS).await?;
    let decisions = if visitor.actor.may(Permission::DecisionsRead) {
        let (kernel, filter) = (
            app.kernel.clone(),
            DecisionFilter {
                limit: ROWS,
                ..DecisionFilter::default()
            },
        );
        Some(
            blocking(move || kernel.decisions(&filter))
                .await?
                .map_err(Fault::internal)?,
        )
    } else {
        None
    };
    Ok(html! {
        h1 { "Today" }
        (refused(app))
        div.columns {
            div {
                (needs_you(app, &needs))
                @if let Some(decisions) = &decisions {
                    section.card #latest hx-get="/" hx-select="#latest" hx-trigger="decisions from:body throttle:1s" hx-swap="outerMorph" {
                        h2 { "Latest decisions" }
                        (decisions::rows(app, decisions))
                        @if !decisions.is_empty() { p.more { a href="/decisions" { "All decisions" } } }
                    }
                }
            }
            div {
                (spending::show(app, visitor))
                @if visitor.actor.may(Permission::PluginsRead) { (health(app)) }
            }
        }
    })
}

/// A constitution that was pushed and is not in force.
fn refused(app: &App) -> Markup {
    let refused = app.kernel.refused_constitution();
    html! {
        section #constitution hx-get="/" hx-select="#constitution" hx-trigger="constitution from:body throttle:1s" hx-swap="outerMorph" {
            @if let Some(refused) = &refused {
                div.notice.stop role="alert" data-testid="constitution-refused" {
                    p { "What the constitution's folder holds is not in force; the version before it is." }
                    ul {
                        @for problem in &refused.problems.list {
                            li {
                                code {
                                    (problem.file)
                                    @if problem.line > 0 { ":" (problem.line) }
                                }
                                " " (problem.message) ". " (problem.fix) "."
                            }
                        }
                    }
                }
            }
        }
    }
}

fn needs_you(app: &App, needs: &[Item]) -> Markup {
    html! {
        section.card #needs hx-get="/" hx-select="#needs" hx-trigger="inbox from:body throttle:1s" hx-swap="outerMorph" data-testid="needs-you" {
            h2 { "Needs you" }
            (inbox::rows(app, needs, "Nothing waits for you."))
        }
    }
}

/// The plugins, those that need a look first.
fn health(app: &App) -> Markup {
    let current = app.kernel.runtime().current();
    let mut entries: Vec<&Entry> = current.entries().map(|entry| &**entry).collect();
    entries.sort_by_key(|entry| entry.state.name() == "live");
    html! {
        section.card #health hx-get="/" hx-select="#health" hx-trigger="plugins from:body throttle:1s" hx-swap="outerMorph" data-testid="plugins-health" {
            h2 { "Plugins" }
            (plugins::rows(&entries, false))
            p.more { a href="/plugins" { "All about them" } }
        }
    }
}
