//! `/inbox`: what waits for a person, and the card on which it is decided.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_inbox::{
    Answer, AnswerKind, Filter, Item, OnExpiry, State as ItemState, Which, authority,
};
use serde_json::Value;
use uuid::Uuid;

use super::form::Form;
use super::page::{self, Section};
use super::text::{ago, money};
use super::visitor::Visitor;
use crate::serve::{App, Fault, Kind, as_decider, blocking, decide_refused};

/// Items on the page of closed ones.
const CLOSED: usize = 50;

/// `GET /inbox`
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::InboxRead) {
        return refusal;
    }
    let closed = query.as_deref() == Some("closed");
    let filter = if closed {
        Filter {
            which: Which::Closed,
            limit: Some(CLOSED),
            ..Filter::default()
        }
    } else {
        Filter::default()
    };
    let kernel = app.kernel.clone();
    let items = match blocking(move || kernel.inbox().list(&filter)).await {
        Ok(Ok(items)) => items,
        Ok(Err(error)) => return page::fault(&app, &visitor, &Fault::internal(error)),
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let decider = as_decider(&visitor.actor);
    let (mine, others): (Vec<_>, Vec<_>) = items
        .into_iter()
        .partition(|item| closed || authority(item, &decider).is_ok());
    let address = if closed { "/inbox?closed" } else { "/inbox" };
    let body = html! {
        h1 { "Inbox" }
        p.filter {
            a href="/inbox" aria-current=[(!closed).then_some("page")] { "Open" }
            a href="/inbox?closed" aria-current=[closed.then_some("page")] { "Closed" }
        }
        section.card #items hx-get=(address) hx-select="#items" hx-trigger="inbox from:body throttle:1s" hx-swap="outerMorph" data-testid="inbox" {
            (rows(&app, &mine, if closed { "Nothing has been closed yet." } else { "Nothing waits for you." }))
        }
        @if !others.is_empty() {
            section.card {
                h2 { "Waits for others" }
                (rows(&app, &others, ""))
            }
        }
    };
    page::show(&app, &visitor, Section::Inbox, "Inbox", &body).await
}

/// `GET /inbox/{id}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::InboxRead) {
        return refusal;
    }
    match find(&app, &id).await {
        Ok(item) => card_page(&app, &visitor, &item, None, None).await,
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

/// `POST /inbox/{id}`
pub(super) async fn decide(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::InboxDecide) {
        return refusal;
    }
    let item = match find(&app, &id).await {
        Ok(item) => item,
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let decided = match (answer(&form), form.field("seen").parse()) {
        (Ok(answer), Ok(seen)) => {
            let decided = app
                .kernel
                .decide(
                    item.id,
                    &visitor.actor,
                    answer,
                    form.field("note"),
                    Some(seen),
                )
                .await;
            decided.map_err(decide_refused)
        }
        (Err(fault), _) => Err(fault),
        (_, Err(_)) => Err(Fault::new(
            Kind::Invalid,
            "the form does not say which proposal was read; open it again",
        )),
    };
    match decided {
        Ok(item) => Redirect::to(&format!("/inbox/{}", item.id)).into_response(),
        Err(fault) => {
            // As it is now: somebody else may have been faster.
            let item = find(&app, &id).await.unwrap_or(item);
            let mut response = card_page(&app, &visitor, &item, Some(&fault), Some(&form)).await;
            *response.status_mut() = fault.kind().status();
            response
        }
    }
}

fn answer(form: &Form) -> Result<Answer, Fault> {
    match form.field("answer") {
        "accept" => Ok(Answer::Accept),
        "reject" => Ok(Answer::Reject),
        "respond" => Ok(Answer::Respond(form.field("reply").to_owned())),
        "edit" => serde_json::from_str(form.field("proposal"))
            .map(Answer::Edit)
            .map_err(|error| {
                Fault::new(
                    Kind::Invalid,
                    format!("the changed proposal is not JSON: {error}"),
                )
            }),
        other => Err(Fault::new(
            Kind::Invalid,
            format!("\"{other}\" is no answer"),
        )),
    }
}

async fn find(app: &App, id: &str) -> Result<Item, Fault> {
    let unknown = || Fault::new(Kind::NotFound, format!("there is no inbox item {id}"));
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let kernel = app.kernel.clone();
    let item = blocking(move || kernel.inbox().get(id))
        .await?
        .map_err(Fault::internal)?;
    item.ok_or_else(unknown)
}

/// Items, one a row.
pub(super) fn rows(app: &App, items: &[Item], empty: &str) -> Markup {
    let now_ms = app.now_ms();
    html! {
        @if items.is_empty() { p.empty { (empty) } }
        @else {
            ul.rows {
                @for item in items {
                    li data-testid="item" {
                        div.title { a href={ "/inbox/" (item.id) } { (item.title) } }
                        div.side {
                            @match (&item.state, item.due_at_ms) {
                                (ItemState::Open, Some(due)) => { span.state.wait { "due " (ago(due, now_ms)) } }
                                (ItemState::Open, None) => { span.state.wait { "open" } }
                                (state, _) => (state_of(state))
                            }
                        }
                        div.below.small { (first_line(&item.question)) }
                        div.below.small { (item.requested_by) " asks " (item.role) ", " (ago(item.raised_at_ms, now_ms)) }
                    }
                }
            }
        }
    }
}

fn state_of(state: &ItemState) -> Markup {
    let (class, word) = match state {
        ItemState::Open => ("wait", "open"),
        ItemState::Expired { .. } => ("stop", "expired"),
        ItemState::Withdrawn { .. } => ("stop", "withdrawn"),
        ItemState::Decided(decision) => match decision.answer {
            Answer::Accept => ("good", "accepted"),
            Answer::Edit(_) => ("good", "accepted with changes"),
            Answer::Respond(_) => ("wait", "answered"),
            Answer::Reject => ("stop", "rejected"),
        },
    };
    html! { span class={ "state " (class) } data-testid="state" { (word) } }
}

async fn card_page(
    app: &App,
    visitor: &Visitor,
    item: &Item,
    fault: Option<&Fault>,
    form: Option<&Form>,
) -> Response {
    let now_ms = app.now_ms();
    let currency = app
        .kernel
        .constitution()
        .charter()
        .company()
        .currency
        .clone();
    let body = html! {
        h1 { (item.title) " " (state_of(&item.state)) }
        @if let Some(fault) = fault {
            p.notice.stop role="alert" data-testid="fault" { (fault.detail()) }
        }
        section.card {
            @for paragraph in item.question.split("\n\n") { p { (paragraph) } }
            dl {
                dt { "Asked by" } dd { (item.requested_by) ", " (ago(item.raised_at_ms, now_ms)) }
                dt { "Decided by" } dd { (item.role) }
                @if let Some(due) = item.due_at_ms {
                    dt { "Due" }
                    dd {
                        (ago(due, now_ms)) ", then "
                        @match &item.on_expiry {
                            OnExpiry::Reject => "it is rejected",
                            OnExpiry::Escalate { to_role } => { (to_role) " is asked" }
                        }
                    }
                }
                @if let Some(cost) = item.cost_at_stake { dt { "At stake" } dd { (money(cost, &currency)) } }
                @if let Some(clause) = &item.clause { dt { "Clause" } dd { (clause) } }
            }
        }
        section.card {
            h2 { "What will happen" }
            pre data-testid="proposal" { (pretty(&item.proposal)) }
        }
        (verdict(visitor, item, now_ms, form))
        section.card {
            details {
                summary { "Evidence" }
                @if !is_empty(&item.evidence) { pre { (pretty(&item.evidence)) } }
                p.more.small.quiet { "Item " code { (item.id) } ", about " code { (item.subject) } }
            }
        }
    };
    page::show(app, visitor, Section::Inbox, &item.title, &body).await
}

/// How it was closed, why it is not for this visitor, or the form that decides it.
fn verdict(visitor: &Visitor, item: &Item, now_ms: u64, form: Option<&Form>) -> Markup {
    if let Some(decision) = item.decision() {
        return html! {
            section.card {
                p { (decision.by) " as " (decision.role) ", " (ago(decision.at_ms, now_ms)) ": " (state_of(&item.state)) }
                p { (decision.note) }
                @match &decision.answer {
                    Answer::Edit(proposal) => pre { (pretty(proposal)) },
                    Answer::Respond(text) => pre { (text) },
                    Answer::Accept | Answer::Reject => {}
                }
                p { a href="/inbox" data-testid="back" { "Back to the inbox" } }
            }
        };
    }
    if !item.is_open() {
        return html! { section.card { p { "It is closed: " (item.closing()) "." } } };
    }
    if let Err(refusal) = authority(item, &as_decider(&visitor.actor)) {
        return html! { section.card { p data-testid="why-not" { "Not yours to decide: " (refusal.to_string()) "." } } };
    }
    answer_form(item, form)
}

fn answer_form(item: &Item, form: Option<&Form>) -> Markup {
    let kept = |name: &str| {
        form.map(|form| form.field(name).to_owned())
            .filter(|text| !text.is_empty())
    };
    let allows = |kind: AnswerKind| item.allowed.contains(&kind);
    let chosen = kept("answer");
    html! {
        section.card {
            form.answer method="post" action={ "/inbox/" (item.id) } {
                input type="hidden" name="seen" value=(item.proposal_digest);
                label {
                    "Why, for whoever asked and for the record"
                    textarea.prose name="note" rows="2" required data-testid="note" { (kept("note").unwrap_or_default()) }
                }
                div.buttons {
                    @if allows(AnswerKind::Accept) {
                        button.first type="submit" name="answer" value="accept" data-key="a" data-testid="accept" { "Accept " kbd { "a" } }
                    }
                    @if allows(AnswerKind::Reject) {
                        button type="submit" name="answer" value="reject" data-key="r" data-testid="reject" { "Reject " kbd { "r" } }
                    }
                }
                @if allows(AnswerKind::Edit) {
                    details open[chosen.as_deref() == Some("edit")] {
                        summary data-key="e" data-testid="edit-open" { "Accept with changes " kbd { "e" } }
                        label {
                            "The proposal as it shall be, JSON"
                            textarea name="proposal" rows="8" spellcheck="false" data-testid="edit-proposal" {
                                (kept("proposal").unwrap_or_else(|| pretty(&item.proposal)))
                            }
                        }
                        p.more { button type="submit" name="answer" value="edit" data-testid="edit" { "Accept as changed" } }
                    }
                }
                @if allows(AnswerKind::Respond) {
                    details open[chosen.as_deref() == Some("respond")] {
                        summary data-key="w" data-testid="respond-open" { "Reply with words " kbd { "w" } }
                        label {
                            "Neither yes nor no: what " (item.requested_by) " has to know before asking again"
                            textarea.prose name="reply" rows="3" data-testid="reply" { (kept("reply").unwrap_or_default()) }
                        }
                        p.more { button type="submit" name="answer" value="respond" data-testid="respond" { "Send the reply" } }
                    }
                }
            }
        }
    }
}

/// The beginning of a question, for a list.
fn first_line(question: &str) -> &str {
    question.lines().next().unwrap_or_default()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
