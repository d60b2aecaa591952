//! `/decisions`: what was decided, and the story of one decision.

use axum::extract::{Path, RawQuery, State as Extract};
use axum::response::Response;
use maud::{Markup, html};
use polity_constitution::{OutcomeKind, Permission, Verdict};
use polity_inbox::{Answer, State};
use polity_kernel::{
    CompletionRecord, CompletionStatus, Decision, DecisionFilter, HumanState, ItemAnswer,
    RuleFinding, Story,
};
use serde_json::Value;
use uuid::Uuid;

use super::page::{self, Section};
use super::text::{ago, count, exact, money, took};
use super::visitor::Visitor;
use crate::serve::{App, Fault, Kind, blocking, short};

/// Decisions on a page.
const ROWS: usize = 50;

/// The outcomes that a list can be narrowed to.
const OUTCOMES: [(OutcomeKind, &str, &str); 4] = [
    (OutcomeKind::Allow, "allow", "Allowed"),
    (OutcomeKind::Amend, "amend", "Amended"),
    (OutcomeKind::Escalate, "escalate", "Escalated"),
    (OutcomeKind::Deny, "deny", "Denied"),
];

/// `GET /decisions`
pub(super) async fn list(
    Extract(app): Extract<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    let (mut outcome, mut before) = (None, None);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "outcome" => outcome = OUTCOMES.iter().find(|(_, name, _)| *name == value),
            "before" => before = value.parse().ok(),
            _ => {}
        }
    }
    let filter = DecisionFilter {
        outcome: outcome.map(|(outcome, _, _)| *outcome),
        before_seq: before,
        limit: ROWS,
        ..DecisionFilter::default()
    };
    let kernel = app.kernel.clone();
    let decisions = match blocking(move || kernel.decisions(&filter)).await {
        Ok(Ok(decisions)) => decisions,
        Ok(Err(error)) => return page::fault(&app, &visitor, &Fault::internal(error)),
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let narrowed = outcome.map(|(_, name, _)| *name);
    let address = |before: Option<u64>| match (narrowed, before) {
        (None, None) => "/decisions".to_owned(),
        (Some(name), None) => format!("/decisions?outcome={name}"),
        (None, Some(seq)) => format!("/decisions?before={seq}"),
        (Some(name), Some(seq)) => format!("/decisions?outcome={name}&before={seq}"),
    };
    let older = decisions
        .last()
        .filter(|_| decisions.len() == ROWS)
        .and_then(|last| last.ledger);
    let body = html! {
        h1 { "Decisions" }
        p.filter {
            a href="/decisions" aria-current=[narrowed.is_none().then_some("page")] { "All" }
            @for (_, name, word) in OUTCOMES {
                a href={ "/decisions?outcome=" (name) } aria-current=[(narrowed == Some(name)).then_some("page")] { (word) }
            }
        }
        section.card #list hx-get=(address(before)) hx-select="#list" hx-trigger=[before.is_none().then_some("decisions from:body throttle:1s")] hx-swap="outerMorph" data-testid="decisions" {
            (rows(&app, &decisions))
            @if let Some(place) = older { p.more { a href=(address(Some(place.seq))) data-testid="older" { "Older" } } }
        }
    };
    page::show(&app, &visitor, Section::Decisions, "Decisions", &body).await
}

/// Decisions, one a row.
pub(super) fn rows(app: &App, decisions: &[Decision]) -> Markup {
    let now_ms = app.now_ms();
    html! {
        @if decisions.is_empty() { p.empty { "No decisions." } }
        @else {
            ul.rows {
                @for decision in decisions {
                    li data-testid="decision" {
                        div.title {
                            (badge(decision.outcome)) " "
                            a href={ "/decisions/" (decision.id) } { (decision.kind) }
                            span.quiet { " " (decision.actor) }
                        }
                        div.side { (ago(decision.at_ms, now_ms)) }
                        div.below.small { (decision.reason) }
                    }
                }
            }
        }
    }
}

fn badge(outcome: OutcomeKind) -> Markup {
    let (class, word) = match outcome {
        OutcomeKind::Allow => ("good", "allowed"),
        OutcomeKind::Amend => ("good", "amended"),
        OutcomeKind::Escalate => ("wait", "escalated"),
        OutcomeKind::Deny => ("stop", "denied"),
    };
    html! { span class={ "state " (class) } { (word) } }
}

/// `GET /decisions/{id}`
pub(super) async fn show(
    Extract(app): Extract<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    match find(&app, &id).await {
        Ok(story) => {
            let body = story_page(&app, &story);
            page::show(
                &app,
                &visitor,
                Section::Decisions,
                &story.decision.kind,
                &body,
            )
            .await
        }
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

async fn find(app: &App, id: &str) -> Result<Story, Fault> {
    let unknown = || Fault::new(Kind::NotFound, format!("there is no decision {id}"));
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let kernel = app.kernel.clone();
    let story = blocking(move || kernel.story(id))
        .await?
        .map_err(Fault::internal)?;
    story.ok_or_else(unknown)
}

fn story_page(app: &App, story: &Story) -> Markup {
    let decision = &story.decision;
    let now_ms = app.now_ms();
    html! {
        h1 { (decision.kind) " " (badge(decision.outcome)) }
        section.card {
            p data-testid="reason" { (decision.reason) }
            dl {
                dt { "Wanted by" }
                dd { (decision.actor) @if let Some(name) = &story.actor_name { span.quiet { " " (name) } } }
                dt { "When" } dd { (exact(decision.at_ms)) ", " (ago(decision.at_ms, now_ms)) }
                dt { "Judged in" } dd { (took(decision.took_us)) }
                dt { "Constitution" } dd { code { (decision.constitution.to_string()) } }
                @if let Some(place) = &decision.ledger {
                    dt { "Ledger" } dd { a href={ "/ledger?until=" (place.seq) } { "event " (place.seq) } }
                }
                dt { "Decision" } dd { code { (decision.id) } }
            }
        }
        section.card {
            h2 { "How it came about" }
            ol.story data-testid="story" {
                @for finding in &decision.findings { (finding_line(finding, &story.policies)) }
                (outcome_line(decision))
                @if let Some(completion) = &decision.completion { (completion_line(completion, &story.currency)) }
            }
        }
        section.card {
            h2 { "What was asked" }
            @match &decision.omitted_input {
                Some(omitted) => { p.quiet { "Too long for the record: " (count(omitted.bytes)) " bytes, sha256 " code { (omitted.sha256) } } }
                None => pre { (pretty(&decision.input)) },
            }
            @if let Some(amended) = &decision.amended_input {
                h2.more { "What it became" }
                pre { (pretty(amended)) }
            }
        }
        section.card {
            details {
                summary { "What the rules were told of the situation" }
                pre { (pretty(&decision.context)) }
            }
        }
        section.card {
            details {
                summary { "The same in words" }
                pre data-testid="words" { (story.to_string()) }
                p.more.small.quiet { code { "polity explain " (decision.id) } }
            }
        }
    }
}

fn finding_line(found: &RuleFinding, policies: &[(String, String)]) -> Markup {
    let finding = &found.finding;
    let (class, said) = match &finding.result {
        Ok(Verdict::Allow) => ("good", "allows".to_owned()),
        Ok(Verdict::Deny { reason }) => ("stop", format!("denies: {reason}")),
        Ok(Verdict::Escalate { reason, role, .. }) => ("wait", format!("asks {role}: {reason}")),
        Ok(Verdict::Amend { .. }) => ("good", "amends".to_owned()),
        Err(failure) => ("stop", failure.to_string()),
    };
    let policy = policies
        .iter()
        .find(|(binding, _)| *binding == finding.binding);
    html! {
        li class={ "is-" (class) } data-testid="finding" {
            b { (finding.binding) } " (" (finding.rule) ") " (said)
            @if !finding.is_enforced() { span.quiet { ", in shadow mode: without effect" } }
            @if found.round > 1 { span.quiet { ", on the amended input" } }
            @if let Some((_, policy)) = policy { div.quiet { (policy) } }
            @if let Ok(Verdict::Amend { patch }) = &finding.result { pre { (pretty(patch)) } }
            div.small.quiet {
                @if let Some(version) = &found.version { (version) " " }
                @if let Some(digest) = &found.digest { code { (short(digest)) } " " }
                (took(found.took_us))
                @if found.fuel > 0 { ", " (count(found.fuel)) " fuel" }
            }
        }
    }
}

fn outcome_line(decision: &Decision) -> Markup {
    let class = match decision.outcome {
        OutcomeKind::Allow | OutcomeKind::Amend => "good",
        OutcomeKind::Escalate => "wait",
        OutcomeKind::Deny => "stop",
    };
    html! {
        li class={ "is-" (class) } {
            (badge(decision.outcome))
            @if decision.decided_by.is_empty() { span.quiet { " by the charter's defaults" } }
        }
        @if let Some(resolution) = &decision.resolution {
            @for item in &resolution.items { (people_line(item)) }
            @if resolution.state == HumanState::Disagreed {
                li.is-stop { "Those who were asked accepted different forms, so it must not happen." }
            }
        }
    }
}

/// What became of one question to people.
fn people_line(item: &ItemAnswer) -> Markup {
    let class = match &item.state {
        State::Open => "wait",
        State::Expired { .. } | State::Withdrawn { .. } => "stop",
        State::Decided(decision) => match decision.answer {
            Answer::Accept | Answer::Edit(_) => "good",
            Answer::Respond(_) => "wait",
            Answer::Reject => "stop",
        },
    };
    html! {
        li class={ "is-" (class) } {
            a href={ "/inbox/" (item.id) } data-testid="inbox-item" { "The question to " (item.role) } ": " (item.words)
        }
    }
}

fn completion_line(completion: &CompletionRecord, currency: &str) -> Markup {
    let is_answered = completion.status == CompletionStatus::Answered;
    html! {
        li class={ "is-" (if is_answered { "good" } else { "stop" }) } data-testid="completion" {
            b { (completion.model) } " by " (completion.plugin) ": "
            @match serde_json::to_value(completion.status).ok().as_ref().and_then(Value::as_str) {
                Some(status) => (status),
                None => "ended",
            }
            " in " (took(completion.took_us))
            div.small.quiet {
                (count(completion.input_tokens)) " tokens in, " (count(completion.output_tokens)) " out"
                @if completion.disbelieved.is_some() {
                    " (guessed: what the provider claims cannot be)"
                } @else if completion.is_estimate { " (guessed)" }
                ", " (money(completion.cost_micro, currency))
                @if let Some(first) = completion.first_piece_us { ", first piece after " (took(first)) }
            }
            @if let Some(error) = &completion.error { div { (error.detail) } }
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
