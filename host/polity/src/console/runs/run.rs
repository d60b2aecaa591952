//! `/runs/{id}`: one run: what it waits for, where it is in its tree, and its journal.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_kernel::{InstanceStory, InstanceView, Waiting};
use polity_workflow::Tree;
use serde_json::Value;
use uuid::Uuid;

use super::tree::{self, Marks};
use super::{badge, stops, waits_for};
use crate::console::form::Form;
use crate::console::page::{self, Section};
use crate::console::text::{ago, exact};
use crate::console::visitor::Visitor;
use crate::serve::{App, Fault, Kind, blocking, cancel_refused};

/// Lines of a journal on its page; the ledger has all of them.
const LINES: usize = 400;

/// All that the page shows.
struct Shown {
    story: InstanceStory,
    tree: Option<Tree>,
    marks: Marks,
}

/// `GET /runs/{id}`
pub(in crate::console) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    run_page(&app, &visitor, &id, None).await
}

/// `POST /runs/{id}/cancel`
pub(in crate::console) async fn cancel(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::ActionsSubmit) {
        return refusal;
    }
    let cancelled = match (id.parse::<Uuid>(), form.field("reason")) {
        (Err(_), _) => Err(unknown(&id)),
        (_, reason) if reason.is_empty() || reason.len() > 1_000 => Err(Fault::new(
            Kind::Invalid,
            "say in a sentence of at most 1000 bytes why it is to end",
        )),
        (Ok(id), reason) => {
            let cancelled = app.kernel.cancel_instance(&visitor.actor, id, reason);
            cancelled.await.map_err(cancel_refused)
        }
    };
    match cancelled {
        Ok(_) => Redirect::to(&format!("/runs/{id}")).into_response(),
        Err(fault) => run_page(&app, &visitor, &id, Some(&fault)).await,
    }
}

async fn run_page(app: &App, visitor: &Visitor, id: &str, fault: Option<&Fault>) -> Response {
    let shown = match find(app, id).await {
        Ok(shown) => shown,
        Err(unknown) => return page::fault(app, visitor, fault.unwrap_or(&unknown)),
    };
    let body = body(app, visitor, &shown, fault);
    let title = &shown.story.instance.workflow;
    let mut response = page::show(app, visitor, Section::Runs, title, &body).await;
    if let Some(fault) = fault {
        *response.status_mut() = fault.kind().status();
    }
    response
}

async fn find(app: &App, id: &str) -> Result<Shown, Fault> {
    let run: Uuid = id.parse().map_err(|_| unknown(id))?;
    let kernel = app.kernel.clone();
    let found = blocking(move || {
        let Some(story) = kernel.instance_story(run)? else {
            return Ok(None);
        };
        let events = kernel.instance_events(run, 2_000)?;
        let tree = kernel.tree_of(&story.instance);
        let marks = Marks::of(&story.instance, &events);
        Ok::<_, polity_ledger::ReadError>(Some(Shown { story, tree, marks }))
    });
    let found = found.await?.map_err(Fault::internal)?;
    found.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Fault {
    Fault::new(Kind::NotFound, format!("there is no run {id}"))
}

fn body(app: &App, visitor: &Visitor, shown: &Shown, fault: Option<&Fault>) -> Markup {
    let run = &shown.story.instance;
    let now_ms = app.now_ms();
    let title = shown
        .tree
        .as_ref()
        .map_or(&run.workflow, |tree| &tree.title);
    html! {
        h1 { (title) " " (badge(run)) }
        @if let Some(fault) = fault { p.notice.stop role="alert" data-testid="fault" { (fault.detail()) } }
        section #run hx-get={ "/runs/" (run.id) } hx-select="#run" hx-trigger=[(!run.has_ended()).then_some("runs from:body throttle:1s")] hx-swap="outerMorph" {
            div.columns {
                div {
                    @if !run.waits.is_empty() && !run.has_ended() { (waiting(app, visitor, run, now_ms)) }
                    @if let Some(error) = &run.error { (ended_badly(error)) }
                    @if let Some(output) = &run.output {
                        section.card { h2 { "What it came to" } pre data-testid="output" { (pretty(output)) } }
                    }
                    @if let Some(tree) = &shown.tree {
                        section.card {
                            h2 { "Where it is" }
                            (tree::show(tree, &shown.marks))
                            p.more.small.quiet {
                                span.key.is-good {} " done " span.key.is-wait {} " here now " span.key.is-stop {} " failed " span.key {} " not reached"
                            }
                        }
                    }
                }
                div {
                    (facts(run, now_ms))
                    (journal(&shown.story))
                }
            }
        }
        @if !run.has_ended() && visitor.actor.may(Permission::ActionsSubmit) { (cancel_card(run)) }
    }
}

/// What it waits for, each with what can be done about it.
fn waiting(app: &App, visitor: &Visitor, run: &InstanceView, now_ms: u64) -> Markup {
    html! {
        section.card data-testid="waits" {
            h2 { "What it waits for" }
            ul.rows {
                @for waits in &run.waits {
                    li {
                        div.title { (waits_for(waits, now_ms)) }
                        div.side {
                            @match waits {
                                Waiting::Person { item, .. } => a.button href={ "/inbox/" (item) } data-testid="answer" { "Respond" },
                                Waiting::Halt { call, .. } => (stops::lift_button(app, visitor, call)),
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
    }
}

fn ended_badly(error: &Value) -> Markup {
    let title = error["title"].as_str().or(error.as_str());
    html! {
        section.card {
            h2 { "Why it ended" }
            p.notice.stop data-testid="error" {
                (title.unwrap_or("an error"))
                @if let Some(detail) = error["detail"].as_str() { ": " (detail) }
            }
            @if let Some(place) = error["instance"].as_str() { p.more.small.quiet { "at " code { (place) } } }
        }
    }
}

fn facts(run: &InstanceView, now_ms: u64) -> Markup {
    let all = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("workflow", &run.workflow)
        .finish();
    html! {
        section.card {
            dl {
                dt { "Workflow" } dd { a href={ "/runs?" (all) } { (run.workflow) } " " span.quiet { (run.version) } }
                dt { "Run by" } dd { (run.actor) span.quiet { " by " (run.cause) } }
                @if let Some(parent) = run.parent { dt { "Part of" } dd { a href={ "/runs/" (parent) } { "another run" } } }
                dt { "Began" } dd { (exact(run.started_ms)) ", " (ago(run.started_ms, now_ms)) }
                dt { "Last step" } dd { (ago(run.updated_ms, now_ms)) }
                dt { "Constitution" } dd { code { (run.constitution.to_string()) } }
                dt { "Run" } dd { code { (run.id) } }
            }
        }
    }
}

fn journal(story: &InstanceStory) -> Markup {
    // That a task began is told by what came of it, and by the tree where nothing has yet.
    let lines: Vec<_> = story
        .lines
        .iter()
        .filter(|line| line.kind != "task.started")
        .collect();
    let left_out = lines.len().saturating_sub(LINES);
    html! {
        section.card {
            h2 { "Journal" }
            @if left_out > 0 { p.quiet.small { (left_out) " earlier lines are in the ledger." } }
            ol.story data-testid="journal" {
                @for line in lines.iter().skip(left_out) {
                    li class=(class_of(&line.kind, &line.words)) {
                        @if let Some(task) = &line.task { b { (task) } " " }
                        (line.words)
                        div.small.quiet {
                            time datetime=(exact(line.time_ms)) title=(exact(line.time_ms)) { (clock(line.time_ms)) }
                            " · " a href={ "/ledger?until=" (line.seq) } { (line.kind) }
                            @if let Some(decision) = &line.decision { " · " a href={ "/decisions/" (decision) } data-testid="verdict" { "the rules' decision" } }
                        }
                    }
                }
            }
            @if story.cut { p.quiet.small { "There is more; " code { "polity ledger tail" } " has all of it." } }
        }
    }
}

fn class_of(kind: &str, words: &str) -> &'static str {
    match kind {
        "workflow.completed" | "task.completed" | "workflow.decided" => "is-good",
        "workflow.asked" | "workflow.suspended" | "task.retried" => "is-wait",
        "workflow.faulted" | "task.faulted" | "workflow.cancelled" | "task.cancelled" => "is-stop",
        "workflow.judged" if words.contains(": deny") => "is-stop",
        "workflow.judged" if words.contains(": escalate") => "is-wait",
        "workflow.judged" => "is-good",
        _ => "",
    }
}

/// The time of day, in UTC, to the second.
fn clock(at_ms: u64) -> String {
    exact(at_ms).get(11..19).unwrap_or_default().to_owned()
}

fn cancel_card(run: &InstanceView) -> Markup {
    html! {
        section.card {
            details {
                summary data-testid="cancel-open" { "End this run" }
                form.answer method="post" action={ "/runs/" (run.id) "/cancel" } {
                    label {
                        "Why. It ends for good: what it has done stays done, and what it asked people is withdrawn"
                        textarea.prose name="reason" rows="2" required data-testid="cancel-reason" {}
                    }
                    div.buttons { button type="submit" data-testid="cancel" { "End it" } }
                }
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
