//! `/amendments`: how the constitution is changed, by whom, and what the change would do.

mod difference;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_inbox::Answer;
use polity_kernel::{AmendmentState, AmendmentView, Ending, Preview, VoteView};

use super::form::Form;
use super::page::{self, Section};
use super::text::ago;
use super::visitor::Visitor;
use crate::serve::{App, Fault, Kind, amendment_refused, blocking};

/// Recorded decisions that are judged again for the page.
const DECISIONS: usize = 2_000;

/// `GET /amendments`
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    let kernel = app.kernel.clone();
    let all = match blocking(move || kernel.amendments()).await {
        Ok(Ok(all)) => all,
        Ok(Err(error)) => return page::fault(&app, &visitor, &amendment_refused(error)),
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let now_ms = app.now_ms();
    let body = html! {
        h1 { "Amendments" }
        section.card #list hx-get="/amendments" hx-select="#list" hx-trigger="amendments from:body throttle:1s, inbox from:body throttle:1s" hx-swap="outerMorph" data-testid="amendments" {
            @if all.is_empty() { p.empty { "Nobody has proposed anything yet." } }
            @else {
                ul.rows {
                    @for view in &all {
                        li data-testid="amendment" {
                            div.title { (badge(view.state)) " " a href={ "/amendments/" (view.amendment.name) } { (view.amendment.title) } }
                            div.side { (ago(view.amendment.opened_at_ms, now_ms)) }
                            div.below.small { (count(view)) " · by " (view.amendment.authors.iter().cloned().collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
        p.quiet.small { "An amendment is a branch: " code { "polity amend new NAME" } ", edit, " code { "polity amend submit NAME" } "." }
    };
    page::show(&app, &visitor, Section::Amendments, "Amendments", &body).await
}

/// `GET /amendments/{name}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    amendment_page(&app, &visitor, &name, None, None).await
}

/// `POST /amendments/{name}/vote`
pub(super) async fn vote(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Response {
    let voted = match (answer(&form), form.field("seen").parse()) {
        (Some(answer), Ok(seen)) => {
            let (actor, note) = (&visitor.actor, form.field("note"));
            let voted = app
                .kernel
                .vote_on_amendment(actor, &name, answer, note, Some(seen));
            voted.await.map_err(amendment_refused)
        }
        (None, _) => Err(Fault::new(Kind::Invalid, "a vote is yes, no or words")),
        (_, Err(_)) => Err(Fault::new(
            Kind::Invalid,
            "the form does not say which proposal was read; open it again",
        )),
    };
    done(&app, &visitor, &name, voted, &form).await
}

/// `POST /amendments/{name}/comment`
pub(super) async fn comment(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::ActionsSubmit) {
        return refusal;
    }
    let text = form.field("text");
    let said = app.kernel.comment_on_amendment(&visitor.actor, &name, text);
    let said = said.await.map_err(amendment_refused);
    done(&app, &visitor, &name, said, &form).await
}

/// `POST /amendments/{name}/merge`
pub(super) async fn merge(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::ActionsSubmit) {
        return refusal;
    }
    let merged = app.kernel.merge_amendment(&visitor.actor, &name);
    let merged = merged.await.map_err(amendment_refused);
    done(&app, &visitor, &name, merged, &form).await
}

fn answer(form: &Form) -> Option<Answer> {
    match form.field("vote") {
        "yes" => Some(Answer::Accept),
        "no" => Some(Answer::Reject),
        "words" => Some(Answer::Respond(form.field("note").to_owned())),
        _ => None,
    }
}

async fn done(
    app: &App,
    visitor: &Visitor,
    name: &str,
    result: Result<AmendmentView, Fault>,
    form: &Form,
) -> Response {
    match result {
        Ok(view) => Redirect::to(&format!("/amendments/{}", view.amendment.name)).into_response(),
        Err(fault) => amendment_page(app, visitor, name, Some(&fault), Some(form)).await,
    }
}

async fn amendment_page(
    app: &App,
    visitor: &Visitor,
    name: &str,
    fault: Option<&Fault>,
    form: Option<&Form>,
) -> Response {
    let (kernel, asked) = (app.kernel.clone(), name.to_owned());
    let view = match blocking(move || kernel.amendment(&asked)).await {
        Ok(Ok(view)) => view,
        Ok(Err(error)) => {
            let unknown = amendment_refused(error);
            return page::fault(app, visitor, fault.unwrap_or(&unknown));
        }
        Err(unread) => return page::fault(app, visitor, &unread),
    };
    // What was merged is in force: there is nothing left to compare it with.
    let preview = match view.amendment.ending {
        Some(_) => None,
        None => Some(app.kernel.preview_amendment(name, DECISIONS).await),
    };
    let preview = preview.map(|preview| preview.map_err(amendment_refused));
    let body = body(app, visitor, &view, preview.as_ref(), fault, form);
    let title = view.amendment.title.clone();
    let mut response = page::show(app, visitor, Section::Amendments, &title, &body).await;
    if let Some(fault) = fault {
        *response.status_mut() = fault.kind().status();
    }
    response
}

fn body(
    app: &App,
    visitor: &Visitor,
    view: &AmendmentView,
    preview: Option<&Result<Preview, Fault>>,
    fault: Option<&Fault>,
    form: Option<&Form>,
) -> Markup {
    let amendment = &view.amendment;
    let now_ms = app.now_ms();
    html! {
        h1 { (amendment.title) " " (badge(view.state)) }
        @if let Some(fault) = fault { p.notice.stop role="alert" data-testid="fault" { (fault.detail()) } }
        div.columns {
            div {
                section.card {
                    @for paragraph in amendment.why.split("\n\n") { p { (paragraph) } }
                    @if amendment.why.is_empty() { p.empty { "Nobody has said why." } }
                }
                @match preview {
                    Some(Ok(preview)) => (difference::show(preview)),
                    Some(Err(fault)) => section.card { h2 { "What would change" } p.notice.wait { (fault.detail()) } },
                    None => @if let Some(round) = amendment.current() {
                        section.card { h2 { "What the voters read" } pre { (round.summary) } }
                    },
                }
                (debate(visitor, view, now_ms))
            }
            div {
                section.card #votes hx-get={ "/amendments/" (amendment.name) } hx-select="#votes" hx-trigger="inbox from:body throttle:1s, amendments from:body throttle:1s" hx-swap="outerMorph" data-testid="votes" {
                    (votes(view, now_ms))
                }
                (ballot(visitor, view, form))
                (facts(view, now_ms))
            }
        }
    }
}

fn badge(state: AmendmentState) -> Markup {
    let (class, word) = match state {
        AmendmentState::Voting => ("wait", "voting"),
        AmendmentState::Accepted => ("good", "accepted"),
        AmendmentState::Rejected => ("stop", "rejected"),
        AmendmentState::Merged => ("good", "in force"),
        AmendmentState::Withdrawn => ("stop", "withdrawn"),
    };
    html! { span class={ "state " (class) } data-testid="state" { (word) } }
}

/// `2 of 3 needed, 1 against`
fn count(view: &AmendmentView) -> String {
    let tally = view.tally;
    let mut words = format!("{} of {} needed", tally.yes, tally.quorum);
    if tally.no > 0 {
        words.push_str(&format!(", {} against", tally.no));
    }
    match tally.missing() {
        0 => {}
        missing => words.push_str(&format!(", {missing} not heard")),
    }
    words
}

fn votes(view: &AmendmentView, now_ms: u64) -> Markup {
    let tally = view.tally;
    html! {
        h2 { "Votes" }
        p data-testid="count" { (count(view)) }
        meter min="0" max=(tally.quorum.max(1)) value=(tally.yes.min(tally.quorum)) aria-label="Votes that agree" {}
        ul.rows { @for vote in &view.votes { (vote_row(vote, now_ms)) } }
    }
}

fn vote_row(vote: &VoteView, now_ms: u64) -> Markup {
    let (class, word) = match vote.vote {
        "yes" => ("good", "yes"),
        "no" => ("stop", "no"),
        "words" => ("wait", "words"),
        "waiting" => ("", "not heard"),
        other => ("", other),
    };
    html! {
        li data-testid="vote" {
            div.title { (vote.voter) }
            div.side { span class={ "state " (class) } { (word) } }
            @if let Some(note) = vote.note.as_ref().filter(|note| !note.is_empty()) { div.below.small { (note) } }
            @if let Some(at) = vote.at_ms { div.below.small { (ago(at, now_ms)) } }
        }
    }
}

/// The visitor's own vote, or the button that puts it in force.
fn ballot(visitor: &Visitor, view: &AmendmentView, form: Option<&Form>) -> Markup {
    let name = &view.amendment.name;
    let own = |vote: &&VoteView| vote.voter == visitor.actor.id && vote.vote == "waiting";
    let may_vote = view.votes.iter().any(|vote| own(&vote)) && view.amendment.ending.is_none();
    let kept = form.map_or("", |form| form.field("note"));
    html! {
        @if let Some(digest) = view.proposal_digest.filter(|_| may_vote) {
            section.card {
                h2 { "Your vote" }
                form.answer method="post" action={ "/amendments/" (name) "/vote" } {
                    input type="hidden" name="seen" value=(digest);
                    label {
                        "Why, for the record"
                        textarea.prose name="note" rows="2" required data-testid="note" { (kept) }
                    }
                    div.buttons {
                        button.first type="submit" name="vote" value="yes" data-key="a" data-testid="yes" { "Yes " kbd { "a" } }
                        button type="submit" name="vote" value="no" data-key="r" data-testid="no" { "No " kbd { "r" } }
                        button type="submit" name="vote" value="words" data-key="w" data-testid="words" { "Neither, as I said " kbd { "w" } }
                    }
                }
            }
        }
        @if view.state == AmendmentState::Accepted && visitor.actor.may(Permission::ActionsSubmit) {
            section.card {
                p { "Enough people agree." }
                form method="post" action={ "/amendments/" (name) "/merge" } {
                    button.first type="submit" data-testid="merge" { "Put it in force" }
                }
            }
        }
    }
}

fn debate(visitor: &Visitor, view: &AmendmentView, now_ms: u64) -> Markup {
    let amendment = &view.amendment;
    let is_open = amendment.ending.is_none();
    html! {
        @if is_open || !amendment.comments.is_empty() {
            section.card {
                h2 { "Debate" }
                @if amendment.comments.is_empty() { p.empty { "Nobody has said anything yet." } }
                ol.story data-testid="debate" {
                    @for comment in &amendment.comments {
                        li {
                            b { (comment.by) } span.quiet { ", " (ago(comment.at_ms, now_ms)) }
                            @for paragraph in comment.text.split("\n\n") { p { (paragraph) } }
                        }
                    }
                }
                @if is_open && visitor.actor.may(Permission::ActionsSubmit) {
                    form.answer method="post" action={ "/amendments/" (amendment.name) "/comment" } {
                        label { "Say something" textarea.prose name="text" rows="2" required data-testid="comment" {} }
                        div.buttons { button type="submit" data-testid="say" { "Say it" } }
                    }
                }
            }
        }
    }
}

fn facts(view: &AmendmentView, now_ms: u64) -> Markup {
    let amendment = &view.amendment;
    html! {
        section.card {
            dl {
                dt { "Branch" } dd { code { (amendment.branch) } }
                dt { "By" } dd { (amendment.authors.iter().cloned().collect::<Vec<_>>().join(", ")) }
                dt { "Opened" } dd { (ago(amendment.opened_at_ms, now_ms)) }
                @if let Some(round) = amendment.current() {
                    @if amendment.ending.is_none() { dt { "Vote ends" } dd { (ago(round.due_at_ms, now_ms)) } }
                    dt { "Voters" } dd { (round.role) ", as they were when it opened" }
                    @if amendment.rounds.len() > 1 { dt { "Round" } dd { (amendment.rounds.len()) ": votes on what it was before are void" } }
                    dt { "Commit" } dd { code { (short(&round.proposal.commit)) } }
                    dt { "Digest" } dd { code { (short(&round.proposal.digest)) } }
                }
                @if let Some(other) = &amendment.reverts { dt { "Takes back" } dd { a href={ "/amendments/" (other) } { (other) } } }
                @match &amendment.ending {
                    Some(Ending::Merged { by, at_ms, commit, tag, signed_by }) => {
                        dt { "Merged" } dd { "by " (by) ", " (ago(*at_ms, now_ms)) }
                        dt { "As" } dd { code { (short(commit)) } }
                        dt { "Tag" } dd { code { (tag) } @if signed_by.is_some() { ", signed" } }
                    },
                    Some(Ending::Withdrawn { by, at_ms, why }) => { dt { "Withdrawn" } dd { "by " (by) ", " (ago(*at_ms, now_ms)) ": " (why) } },
                    None => {}
                }
            }
        }
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
