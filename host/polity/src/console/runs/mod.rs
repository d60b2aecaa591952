//! `/runs`: workflows that run, where each of them is, and the buttons that stop them.

mod run;
mod stops;
mod tree;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_kernel::{InstanceFilter, InstanceView, Waiting};
use polity_workflow::Phase;
use serde_json::{Value, json};
use uuid::Uuid;

use super::form::Form;
use super::page::{self, Section};
use super::text::ago;
use super::visitor::Visitor;
use crate::serve::{App, Fault, Kind, blocking, run_refused};

pub(super) use run::{cancel, show};
pub(super) use stops::{halt, lift};

/// Runs on a page.
const ROWS: usize = 50;

/// The states that the list can be narrowed to, and how the address and the page call them.
const STATES: [(&str, &str, Option<bool>, Option<Phase>); 4] = [
    ("open", "Going on", Some(true), None),
    (
        "completed",
        "Completed",
        Some(false),
        Some(Phase::Completed),
    ),
    ("failed", "Failed", Some(false), Some(Phase::Faulted)),
    (
        "cancelled",
        "Cancelled",
        Some(false),
        Some(Phase::Cancelled),
    ),
];

/// What the list is narrowed to.
#[derive(Clone, Default)]
struct Narrowed {
    state: Option<&'static str>,
    workflow: Option<String>,
    before: Option<Uuid>,
}

impl Narrowed {
    fn read(query: Option<String>) -> Self {
        let mut narrowed = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "state" => {
                    narrowed.state = STATES
                        .iter()
                        .find(|(name, ..)| *name == value)
                        .map(|(name, ..)| *name);
                }
                "workflow" => narrowed.workflow = Some(value.into_owned()),
                "before" => narrowed.before = value.parse().ok(),
                _ => {}
            }
        }
        narrowed
    }

    fn filter(&self) -> InstanceFilter {
        let state = STATES.iter().find(|(name, ..)| Some(*name) == self.state);
        InstanceFilter {
            workflow: self.workflow.clone(),
            open: state.and_then(|(_, _, open, _)| *open),
            phase: state.and_then(|(.., phase)| *phase),
        }
    }

    fn address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(state) = self.state {
            query.append_pair("state", state);
        }
        if let Some(workflow) = &self.workflow {
            query.append_pair("workflow", workflow);
        }
        if let Some(before) = self.before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish().as_str() {
            "" => "/runs".to_owned(),
            query => format!("/runs?{query}"),
        }
    }

    fn of_state(&self, state: Option<&'static str>) -> String {
        let other = Self {
            state,
            before: None,
            ..self.clone()
        };
        other.address()
    }
}

/// `GET /runs`
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    list_page(&app, &visitor, &Narrowed::read(query), None, None).await
}

/// `POST /runs`: begins one.
pub(super) async fn begin(State(app): State<App>, visitor: Visitor, form: Form) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::ActionsSubmit) {
        return refusal;
    }
    let begun = match input(form.field("input")) {
        Ok(input) => {
            let name = form.field("workflow");
            let begun = app.kernel.run_workflow(&visitor.actor, name, input, None);
            begun.await.map_err(run_refused)
        }
        Err(fault) => Err(fault),
    };
    match begun {
        Ok(run) => Redirect::to(&format!("/runs/{}", run.id)).into_response(),
        Err(fault) => {
            let all = Narrowed::default();
            list_page(&app, &visitor, &all, Some(&fault), Some(&form)).await
        }
    }
}

fn input(text: &str) -> Result<Value, Fault> {
    if text.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_str(text)
        .map_err(|error| Fault::new(Kind::Invalid, format!("the input is not JSON: {error}")))
}

async fn list_page(
    app: &App,
    visitor: &Visitor,
    narrowed: &Narrowed,
    fault: Option<&Fault>,
    form: Option<&Form>,
) -> Response {
    let (kernel, filter, before) = (app.kernel.clone(), narrowed.filter(), narrowed.before);
    let found = blocking(move || kernel.instances(&filter, before, ROWS)).await;
    let runs = match found {
        Ok(Ok(runs)) => runs,
        Ok(Err(error)) => return page::fault(app, visitor, &Fault::internal(error)),
        Err(fault) => return page::fault(app, visitor, &fault),
    };
    let older = runs
        .last()
        .filter(|_| runs.len() == ROWS)
        .map(|last| Narrowed {
            before: Some(last.id),
            ..narrowed.clone()
        });
    let is_newest = narrowed.before.is_none();
    let body = html! {
        h1 {
            "Runs"
            @if let Some(workflow) = &narrowed.workflow {
                span.quiet { " of " (workflow) } " " a.small href="/runs" { "of all" }
            }
        }
        @if let Some(fault) = fault { p.notice.stop role="alert" data-testid="fault" { (fault.detail()) } }
        p.filter {
            a href=(narrowed.of_state(None)) aria-current=[narrowed.state.is_none().then_some("page")] { "All" }
            @for (state, word, ..) in STATES {
                a href=(narrowed.of_state(Some(state))) aria-current=[(narrowed.state == Some(state)).then_some("page")] { (word) }
            }
        }
        section.card #list hx-get=(narrowed.address()) hx-select="#list" hx-trigger=[is_newest.then_some("runs from:body throttle:1s")] hx-swap="outerMorph" data-testid="runs" {
            (rows(app, &runs))
            @if let Some(older) = older { p.more { a href=(older.address()) data-testid="older" { "Older" } } }
        }
        (stops::card(app, visitor))
        @if visitor.actor.may(Permission::ActionsSubmit) { (begin_card(app, form)) }
    };
    let mut response = page::show(app, visitor, Section::Runs, "Runs", &body).await;
    if let Some(fault) = fault {
        *response.status_mut() = fault.kind().status();
    }
    response
}

/// Runs, one a row.
fn rows(app: &App, runs: &[InstanceView]) -> Markup {
    let now_ms = app.now_ms();
    html! {
        @if runs.is_empty() { p.empty { "No runs." } }
        @else {
            ul.rows {
                @for run in runs {
                    li data-testid="run" {
                        div.title {
                            (badge(run)) " "
                            a href={ "/runs/" (run.id) } { (run.workflow) }
                            span.quiet { " " (run.version) }
                        }
                        div.side { (ago(run.updated_ms, now_ms)) }
                        div.below.small {
                            @if let Some(step) = run.position.last() { "at " b { (step_name(step)) } ", " }
                            (run.actor) " by " (run.cause)
                            @for waits in run.waits.iter().take(2) { " · " (waits_for(waits, now_ms)) }
                        }
                    }
                }
            }
        }
    }
}

/// How a run stands, in a word.
fn badge(run: &InstanceView) -> Markup {
    let waits = |is: fn(&Waiting) -> bool| run.waits.iter().any(is);
    let (class, word) = match run.phase {
        Phase::Completed => ("good", "completed"),
        Phase::Faulted => ("stop", "failed"),
        Phase::Cancelled => ("stop", "cancelled"),
        Phase::Suspended => ("wait", "suspended"),
        _ if waits(|waits| matches!(waits, Waiting::Halt { .. })) => ("stop", "stopped"),
        _ if waits(|waits| matches!(waits, Waiting::Person { .. })) => {
            ("wait", "waits for a person")
        }
        Phase::Waiting => ("wait", "waits"),
        Phase::Pending | Phase::Running => ("good", "runs"),
    };
    html! { span class={ "state " (class) } data-testid="state" { (word) } }
}

/// What a run waits for, with the way there.
fn waits_for(waits: &Waiting, now_ms: u64) -> Markup {
    html! {
        @match waits {
            Waiting::Person { item, role, title, due_at_ms } => {
                a href={ "/inbox/" (item) } data-testid="respond" { (title) }
                " asks " (role)
                @if let Some(due) = due_at_ms { ", due " (ago(*due, now_ms)) }
            }
            Waiting::Time { at_ms } => { "goes on " (ago(*at_ms, now_ms)) },
            Waiting::Event { types } if types.is_empty() => "waits for any event",
            Waiting::Event { types } => { "waits for " @for (at, kind) in types.iter().enumerate() { @if at > 0 { " or " } code { (kind) } } }
            Waiting::Workflow { instance } => { "waits for " a href={ "/runs/" (instance) } { "another run" } },
            Waiting::Effect { task, call } => { "has " code { (call) } " done at " (step_name(task)) },
            Waiting::Halt { task, call } => { "was stopped before " code { (call) } " at " (step_name(task)) },
        }
    }
}

/// The name of a step in a pointer to it.
fn step_name(pointer: &str) -> String {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    last.replace("~1", "/").replace("~0", "~")
}

fn begin_card(app: &App, form: Option<&Form>) -> Markup {
    let constitution = app.kernel.constitution();
    let chosen = form.map_or("", |form| form.field("workflow"));
    html! {
        section.card {
            details open[form.is_some()] {
                summary data-testid="begin-open" { "Run a workflow" }
                form.answer method="post" action="/runs" {
                    label {
                        "Workflow"
                        select name="workflow" data-testid="begin-workflow" {
                            @for workflow in constitution.workflows() {
                                option value=(workflow.name()) selected[workflow.name() == chosen] { (workflow.name()) }
                            }
                        }
                    }
                    label {
                        "Input, JSON"
                        textarea name="input" rows="4" spellcheck="false" data-testid="begin-input" {
                            (form.map_or("{}", |form| form.field("input")))
                        }
                    }
                    div.buttons { button.first type="submit" data-testid="begin" { "Run it" } }
                }
            }
        }
    }
}
