//! `/plugins`: what runs in the sandbox, what it waits for, and the buttons that change it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_runtime::registry::{Entry, State as PluginState};
use serde_json::Value;

use super::form::Form;
use super::page::{self, Section};
use super::text::{count, took};
use super::visitor::Visitor;
use crate::serve::plugins::{self as orders, PluginDetail, Serving};
use crate::serve::{App, Fault, short};

/// `GET /plugins`
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::PluginsRead) {
        return refusal;
    }
    let current = app.kernel.runtime().current();
    let entries: Vec<&Entry> = current.entries().map(|entry| &**entry).collect();
    let body = html! {
        h1 { "Plugins" }
        section.card #list hx-get="/plugins" hx-select="#list" hx-trigger="plugins from:body throttle:1s" hx-swap="outerMorph" data-testid="plugins" {
            (rows(&entries, true))
        }
        p.quiet.small {
            "They lie in " code { (app.kernel.runtime().folder().display()) }
            ". What is put there is loaded, what is taken away is gone; calls in progress finish."
        }
    };
    page::show(&app, &visitor, Section::Plugins, "Plugins", &body).await
}

/// Plugins, one a row.
pub(super) fn rows(entries: &[&Entry], in_full: bool) -> Markup {
    html! {
        @if entries.is_empty() { p.empty { "The plugin folder is empty." } }
        @else {
            ul.rows {
                @for entry in entries { (row(entry, in_full)) }
            }
        }
    }
}

fn row(entry: &Entry, in_full: bool) -> Markup {
    let serving = entry.serving.as_deref();
    html! {
        li data-testid="plugin" {
            div.title {
                a href={ "/plugins/" (entry.name) } { (entry.name) }
                @if in_full && let Some(plugin) = serving {
                    span.quiet {
                        " " (plugin.identity().world)
                        @if let Some(manifest) = &plugin.identity().manifest { " " (manifest.version) }
                        " " code { (short(&plugin.identity().digest)) }
                    }
                }
            }
            div.side { (badge(&entry.state)) }
            @match &entry.state {
                PluginState::Live => {
                    @if in_full && let Some(plugin) = serving {
                        @let stats = plugin.stats();
                        div.below.small {
                            (calls(stats.calls)) ", " (count(stats.failures)) " failed"
                            @if let Some(mean) = stats.busy_ns.checked_div(stats.calls) { ", " (took(mean / 1000)) " on average" }
                        }
                    }
                }
                PluginState::Pending { unmet, .. } => {
                    @for unmet in unmet.iter() { div.below.small { "waits for " (first_line(&unmet.want)) } }
                }
                PluginState::NeedsCredential { unmet, .. } => {
                    @for unmet in unmet.iter() { div.below.small { (unmet.fix) } }
                }
                PluginState::Refused { reason, .. } => div.below.small { (reason) },
                PluginState::Quarantined { reason, .. } => div.below.small { (reason) },
            }
        }
    }
}

/// What is wanted and why; the lines for the grant file are on the plugin's own page.
fn first_line(want: &str) -> &str {
    let line = want.lines().next().unwrap_or_default();
    line.split(" To allow it").next().unwrap_or(line)
}

/// Whether a fix is lines for the grant file, and not a sentence.
fn is_grant(fix: &str) -> bool {
    fix.trim_start().starts_with('[')
}

fn calls(calls: u64) -> String {
    if calls == 1 {
        "1 call".to_owned()
    } else {
        format!("{} calls", count(calls))
    }
}

fn badge(state: &PluginState) -> Markup {
    let class = match state {
        PluginState::Live => "good",
        PluginState::Pending { .. } | PluginState::NeedsCredential { .. } => "wait",
        PluginState::Refused { .. } | PluginState::Quarantined { .. } => "stop",
    };
    html! { span class={ "state " (class) } data-testid="state" { (state.name()) } }
}

/// `GET /plugins/{name}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::PluginsRead) {
        return refusal;
    }
    detail_page(&app, &visitor, &name, None, None).await
}

/// `POST /plugins/{name}/grant`
pub(super) async fn grant(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::PluginsManage) {
        return refusal;
    }
    let grant = format!("{}\n", form.field("grant"));
    match orders::grant_to(&app, &visitor.actor, name.clone(), grant.clone()).await {
        Ok(_) => Redirect::to(&format!("/plugins/{name}")).into_response(),
        Err(fault) => detail_page(&app, &visitor, &name, Some(fault), Some(grant)).await,
    }
}

/// `POST /plugins/{name}/rollback`
pub(super) async fn roll_back(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::PluginsManage) {
        return refusal;
    }
    // The form comes from our own page; what is no digest there means the newest version before.
    let to = form.field("to").parse().ok();
    match orders::roll_back(&app, &visitor.actor, name.clone(), to).await {
        Ok(_) => Redirect::to(&format!("/plugins/{name}")).into_response(),
        Err(fault) => detail_page(&app, &visitor, &name, Some(fault), None).await,
    }
}

/// `POST /plugins/{name}/remove`
pub(super) async fn remove(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::PluginsManage) {
        return refusal;
    }
    match orders::remove(&app, &visitor.actor, name.clone()).await {
        Ok(()) => Redirect::to("/plugins").into_response(),
        Err(fault) => detail_page(&app, &visitor, &name, Some(fault), None).await,
    }
}

async fn detail_page(
    app: &App,
    visitor: &Visitor,
    name: &str,
    fault: Option<Fault>,
    grant: Option<String>,
) -> Response {
    let detail = match orders::detail(app, name.to_owned()).await {
        Ok(detail) => detail,
        Err(unknown) => return page::fault(app, visitor, &fault.unwrap_or(unknown)),
    };
    let grant = match grant {
        Some(grant) => grant,
        None => orders::grant_text(app, name).await.unwrap_or_default(),
    };
    let may_manage = visitor.actor.may(Permission::PluginsManage);
    let body = body(&detail, &grant, may_manage, fault.as_ref());
    let mut response = page::show(app, visitor, Section::Plugins, name, &body).await;
    if let Some(fault) = fault {
        *response.status_mut() = fault.kind().status();
    }
    response
}

fn body(detail: &PluginDetail, grant: &str, may_manage: bool, fault: Option<&Fault>) -> Markup {
    let plugin = &detail.plugin;
    let class = match plugin.state {
        "live" => "good",
        "pending" | "needs-credential" => "wait",
        _ => "stop",
    };
    html! {
        h1 { (plugin.name) " " span class={ "state " (class) } data-testid="state" { (plugin.state) } }
        @if let Some(fault) = fault { p.notice.stop role="alert" data-testid="fault" { (fault.detail()) } }
        @if let Some(reason) = &plugin.reason {
            p class={ "notice " (class) } { "The file in the folder does not serve: " (reason) }
        }
        @match &plugin.serving {
            Some(serving) => (facts(serving)),
            None => section.card { p.empty { "No version serves." } },
        }
        @if !plugin.unmet.is_empty() {
            section.card data-testid="unmet" {
                h2 { "What it waits for" }
                @for unmet in &plugin.unmet {
                    p { (first_line(&unmet.want)) }
                    @if is_grant(&unmet.fix) { pre { (unmet.fix.trim_end()) } }
                    @else { p { (unmet.fix) } }
                }
            }
        }
        section.card {
            h2 { "What is granted" }
            @if may_manage {
                form.answer method="post" action={ "/plugins/" (plugin.name) "/grant" } {
                    label {
                        (plugin.name) ".grant.toml"
                        textarea name="grant" rows=(grant.lines().count().clamp(4, 24)) spellcheck="false" data-testid="grant" { (grant) }
                    }
                    div.buttons { button type="submit" data-testid="save-grant" { "Save and load again" } }
                }
            } @else if grant.is_empty() { p.empty { "Nothing." } }
            @else { pre { (grant) } }
        }
        @if !detail.versions.is_empty() { (versions(detail, may_manage)) }
        @if may_manage {
            section.card {
                details {
                    summary data-testid="remove-open" { "Remove this plugin" }
                    p { "Calls in progress finish. The grant file stays." }
                    form method="post" action={ "/plugins/" (plugin.name) "/remove" } {
                        button type="submit" data-testid="remove" { "Remove " (plugin.name) }
                    }
                }
            }
        }
    }
}

fn facts(serving: &Serving) -> Markup {
    let list = |items: &[String]| items.join(", ");
    html! {
        section.card data-testid="serving" {
            @if let Some(summary) = &serving.summary { p { (summary) } }
            dl {
                dt { "Kind" } dd { (serving.world) }
                @if let Some(version) = &serving.version { dt { "Version" } dd { (version) } }
                dt { "Bytes" } dd { code { (serving.digest) } }
                dt { "Vouched for" } dd { (serving.provenance) }
                @if !serving.applies_to.is_empty() { dt { "Speaks to" } dd { (list(&serving.applies_to)) } }
                @if !serving.operations.is_empty() { dt { "Operations" } dd { (list(&serving.operations)) } }
                @if !serving.models.is_empty() { dt { "Models" } dd { (list(&serving.models)) } }
                dt { "Calls" }
                dd {
                    (count(serving.stats.calls)) ", " (count(serving.stats.problems)) " with a problem, "
                    (count(serving.stats.failures)) " failed, " (serving.in_progress) " in progress"
                }
                @if serving.stats.fuel > 0 { dt { "Fuel" } dd { (count(serving.stats.fuel)) } }
            }
        }
        section.card {
            details {
                summary { "Limits" }
                dl {
                    @for (name, value) in serving.limits.as_object().into_iter().flatten() {
                        dt { (name) }
                        dd { @match value { Value::Number(number) => (number.as_u64().map(count).unwrap_or_default()), Value::Null => "none", other => (other.to_string()) } }
                    }
                }
            }
        }
    }
}

fn versions(detail: &PluginDetail, may_manage: bool) -> Markup {
    let serving = detail
        .plugin
        .serving
        .as_ref()
        .map(|serving| serving.digest.as_str());
    html! {
        section.card data-testid="versions" {
            h2 { "Versions" }
            ul.rows {
                @for version in detail.versions.iter().rev() {
                    li {
                        div.title { code { (version) } }
                        div.side {
                            @if serving == Some(version) { span.state.good { "serves" } }
                            @else if may_manage {
                                form method="post" action={ "/plugins/" (detail.plugin.name) "/rollback" } {
                                    input type="hidden" name="to" value=(version);
                                    button type="submit" data-testid="rollback" { "Roll back" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
