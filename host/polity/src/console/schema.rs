//! `/schema`: how the schema of the records changes by itself: what was proposed, on what evidence, what became of it, and
//! the button that takes it back.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_database::{MutationView, Rehearsal, StrategyView};
use serde_json::Value;
use uuid::Uuid;

use super::page::{self, Section};
use super::text::{ago, exact};
use super::visitor::Visitor;
use crate::serve::{App, Fault, Kind, schema_refused};

/// Mutations on the page; the command line has all of them.
const ROWS: usize = 100;

/// What the list can be narrowed to, and the states that belong to it.
const STATES: [(&str, &str, &[&str]); 4] = [
    (
        "under-way",
        "Under way",
        &[
            "proposed",
            "asked",
            "queued",
            "building",
            "canary",
            "activating",
            "undoing",
        ],
    ),
    ("kept", "Kept", &["kept"]),
    ("reverted", "Taken back", &["reverted"]),
    ("refused", "Refused", &["refused"]),
];

/// `GET /schema`
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::RecordsRead) {
        return refusal;
    }
    let state = query.as_deref().and_then(|query| {
        let wanted = query.strip_prefix("state=")?;
        STATES.iter().find(|(name, ..)| *name == wanted)
    });
    let (all, strategies) = match both(&app).await {
        Ok(found) => found,
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let wanted: Vec<_> = all
        .iter()
        .filter(|view| state.is_none_or(|(.., states)| states.contains(&view.state.as_str())))
        .take(ROWS)
        .collect();
    let address = state.map_or_else(
        || "/schema".to_owned(),
        |(name, ..)| format!("/schema?state={name}"),
    );
    let body = html! {
        h1 { "Schema" }
        p.filter {
            a href="/schema" aria-current=[state.is_none().then_some("page")] { "All" }
            @for (name, word, _) in STATES {
                a href={ "/schema?state=" (name) } aria-current=[state.is_some_and(|(known, ..)| *known == name).then_some("page")] { (word) }
            }
        }
        div.columns {
            section.card #list hx-get=(address) hx-select="#list" hx-trigger="schema from:body throttle:1s" hx-swap="outerMorph" data-testid="mutations" {
                (rows(&app, &wanted))
            }
            div {
                section.card {
                    h2 { "Strategies" }
                    (standings(&app, &strategies))
                    form.more method="post" action="/schema/rehearse" {
                        button type="submit" data-testid="rehearse" { "What would they propose now?" }
                    }
                    p.more.quiet.small { "Nothing is stored, judged or built by asking." }
                }
            }
        }
    };
    page::show(&app, &visitor, Section::Schema, "Schema", &body).await
}

async fn both(app: &App) -> Result<(Vec<MutationView>, Vec<StrategyView>), Fault> {
    let mutations = app.kernel.mutations(None).await.map_err(schema_refused)?;
    let strategies = app.kernel.strategies().await.map_err(schema_refused)?;
    Ok((mutations, strategies))
}

fn rows(app: &App, views: &[&MutationView]) -> Markup {
    let now_ms = app.now_ms();
    html! {
        @if views.is_empty() { p.empty { "No changes of the schema." } }
        @else {
            ul.rows {
                @for view in views {
                    li data-testid="mutation" {
                        div.title { (badge(&view.state)) " " a href={ "/schema/" (view.id) } { (view.summary) } }
                        div.side { (ago(view.since_ms, now_ms)) }
                        div.below.small { (view.strategy) ": " (view.reason) }
                    }
                }
            }
        }
    }
}

fn badge(state: &str) -> Markup {
    let class = match state {
        "kept" => "good",
        "reverted" | "refused" | "undoing" => "stop",
        _ => "wait",
    };
    let word = match state {
        "reverted" => "taken back",
        "asked" => "waits for a person",
        "canary" => "on trial",
        state => state,
    };
    html! { span class={ "state " (class) } data-testid="state" { (word) } }
}

fn standings(app: &App, strategies: &[StrategyView]) -> Markup {
    let now_ms = app.now_ms();
    html! {
        @if strategies.is_empty() { p.empty { "No strategy is loaded." } }
        @else {
            ul.rows {
                @for view in strategies {
                    @let standing = &view.standing;
                    li data-testid="strategy" {
                        div.title { (view.strategy) }
                        div.side {
                            @if !view.loaded { span.state { "not loaded" } }
                            @else if standing.muted_until_ms > now_ms { span.state.stop { "muted" } }
                            @else if view.doubtful { span.state.wait { "a person decides" } }
                            @else { span.state.good { "heard" } }
                        }
                        div.below.small {
                            (standing.kept) " kept, " (standing.reverted) " taken back"
                            @if standing.muted_until_ms > now_ms { ", heard again " (ago(standing.muted_until_ms, now_ms)) }
                            @if let Some(complaint) = &standing.complaint { ". In vain: " (complaint) }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /schema/{id}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::RecordsRead) {
        return refusal;
    }
    mutation_page(&app, &visitor, &id, None).await
}

/// `POST /schema/{id}/revert`
pub(super) async fn revert(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::RecordsWrite) {
        return refusal;
    }
    let reverted = match parse(&id) {
        Ok(id) => app
            .kernel
            .revert_mutation(&visitor.actor, id)
            .await
            .map_err(schema_refused),
        Err(fault) => Err(fault),
    };
    match reverted {
        Ok(_) => Redirect::to(&format!("/schema/{id}")).into_response(),
        Err(fault) => mutation_page(&app, &visitor, &id, Some(&fault)).await,
    }
}

async fn mutation_page(app: &App, visitor: &Visitor, id: &str, fault: Option<&Fault>) -> Response {
    let found = match parse(id) {
        Ok(id) => app.kernel.mutation(id).await.map_err(schema_refused),
        Err(unknown) => Err(unknown),
    };
    let view = match found {
        Ok(view) => view,
        Err(unknown) => return page::fault(app, visitor, fault.unwrap_or(&unknown)),
    };
    let may_revert = visitor.actor.may(Permission::RecordsWrite);
    let body = body(&view, may_revert, app.now_ms(), fault);
    let mut response = page::show(app, visitor, Section::Schema, &view.summary, &body).await;
    if let Some(fault) = fault {
        *response.status_mut() = fault.kind().status();
    }
    response
}

fn parse(id: &str) -> Result<Uuid, Fault> {
    id.parse()
        .map_err(|_| Fault::new(Kind::NotFound, format!("there is no mutation {id}")))
}

fn body(view: &MutationView, may_revert: bool, now_ms: u64, fault: Option<&Fault>) -> Markup {
    let is_revertible =
        view.taken_back_by.is_none() && !matches!(view.state.as_str(), "reverted" | "refused");
    html! {
        h1 { (view.summary) " " (badge(&view.state)) }
        @if let Some(fault) = fault { p.notice.stop role="alert" data-testid="fault" { (fault.detail()) } }
        div.columns {
            div {
                section.card {
                    p data-testid="words" { "It " (view.words) "." }
                    p { b { (view.strategy) } ": " (view.reason) }
                    @if may_revert && is_revertible {
                        form method="post" action={ "/schema/" (view.id) "/revert" } {
                            button type="submit" data-testid="revert" { "Take it back" }
                        }
                    }
                }
                section.card {
                    h2 { "Evidence" }
                    (evidence(&view.evidence))
                }
                @if let Some(measured) = &view.measured {
                    section.card data-testid="measured" {
                        h2 { "What the trial measured" }
                        dl {
                            dt { "Pairs of runs" } dd { (measured.pairs) }
                            dt { "Time with it" } dd { (percent(measured.effect)) " of the time without it, for the typical pair" }
                            dt { "Chance of that without a gain" } dd { (chance(measured.p_gain)) }
                            dt { "Saved by all runs so far" } dd { (span(measured.saved_us)) }
                            dt { "Writes have cost" } dd { (span(measured.upkeep_us)) }
                        }
                    }
                }
                section.card {
                    details { summary { "What takes it back" } pre { (pretty(&serde_json::to_value(&view.inverse).unwrap_or_default())) } }
                }
                section.card {
                    details { summary { "The same in words" } pre data-testid="story" { (view.story) } }
                }
            }
            section.card {
                dl {
                    dt { "Collection" } dd { (view.collection) }
                    dt { "Kind" } dd { code { (view.kind) } }
                    dt { "Proposed" } dd { (exact(view.proposed_ms)) ", " (ago(view.proposed_ms, now_ms)) }
                    dt { "Since" } dd { (ago(view.since_ms, now_ms)) }
                    dt { "Expected" } dd { (span(view.benefit_us_per_day as f64)) " of query time saved a day, " (span(view.write_cost_us_per_day as f64)) " of write time spent" }
                    @if let Some(by) = &view.approved_by { dt { "Approved" } dd { (by) } }
                    @if let Some(other) = view.takes_back { dt { "Takes back" } dd { a href={ "/schema/" (other) } { "another change" } } }
                    @if let Some(other) = view.taken_back_by { dt { "Taken back by" } dd { a href={ "/schema/" (other) } { "another change" } } }
                    @if let Some(seq) = view.seq { dt { "History" } dd { "entry " (seq) } }
                    @if let Some(hash) = &view.hash { dt { "Hash" } dd { code { (hash.get(..12).unwrap_or(hash)) } } }
                    dt { "Mutation" } dd { code { (view.id) } }
                }
            }
        }
    }
}

/// What was observed: a list of facts where it is one, and as it is where it is not.
fn evidence(evidence: &Value) -> Markup {
    html! {
        @match evidence {
            Value::Object(facts) if !facts.is_empty() && facts.values().all(|fact| !fact.is_object() && !fact.is_array()) => {
                dl data-testid="evidence" {
                    @for (name, fact) in facts {
                        dt { (name.replace('_', " ")) }
                        dd { @match fact { Value::String(text) => (text), fact => code { (fact) } } }
                    }
                }
            },
            Value::Object(facts) if facts.is_empty() => p.empty { "None was given." },
            Value::Null => p.empty { "None was given." },
            evidence => pre data-testid="evidence" { (pretty(evidence)) },
        }
    }
}

/// `POST /schema/rehearse`
pub(super) async fn rehearse(State(app): State<App>, visitor: Visitor) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::RecordsRead) {
        return refusal;
    }
    let rehearsal = match app.kernel.rehearse_mutations().await {
        Ok(rehearsal) => rehearsal,
        Err(error) => return page::fault(&app, &visitor, &schema_refused(error)),
    };
    let body = rehearsed(&rehearsal);
    page::show(&app, &visitor, Section::Schema, "A rehearsal", &body).await
}

fn rehearsed(rehearsal: &Rehearsal) -> Markup {
    html! {
        h1 { "What the strategies would propose now" }
        section.card data-testid="rehearsal" {
            @if rehearsal.proposals.is_empty() { p.empty { "Nothing." } }
            @else {
                ul.rows {
                    @for proposal in &rehearsal.proposals {
                        @let admitted = serde_json::to_value(&proposal.admitted).unwrap_or_default();
                        li {
                            div.title { (proposal.summary) }
                            div.side { span.state { (admission(&admitted)) } }
                            div.below.small { (proposal.strategy) ": " (proposal.argument) }
                            div.below.small {
                                (span(proposal.benefit_us_per_day as f64)) " a day saved, "
                                (span(proposal.write_cost_us_per_day as f64)) " a day spent, "
                                (span(proposal.build_us as f64)) " to build; waiting has cost " (span(proposal.waited_us as f64))
                            }
                            @if let Some(why) = admitted["reason"].as_str() { div.below.small { (why) } }
                            div.below.small { details { summary { "Evidence" } (evidence(&proposal.evidence)) } }
                        }
                    }
                }
            }
        }
        @if !rehearsal.failed.is_empty() {
            section.card {
                h2 { "Failed" }
                ul.rows { @for (strategy, why) in &rehearsal.failed { li { div.title { (strategy) } div.side {} div.below.small { (why) } } } }
            }
        }
        p { a href="/schema" { "Back to the schema" } }
    }
}

fn admission(admitted: &Value) -> &'static str {
    match admitted["admission"].as_str() {
        Some("begun") => "would be made",
        Some("waiting") => "waits until it is worth it",
        Some("observed") => "is only observed",
        Some("under_way") => "under way",
        Some("too_young") => "the collection is too young",
        Some("in_vain") => "cannot be",
        _ => "is not heard",
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn chance(p: f64) -> String {
    if p < 0.001 {
        format!("{p:.0e}")
    } else {
        percent(p)
    }
}

/// A time in microseconds, which may be spent rather than saved.
fn span(us: f64) -> String {
    match us.abs() {
        size if size < 1e3 => format!("{us:.0} µs"),
        size if size < 1e6 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_chance_is_not_rounded_to_none() {
        assert_eq!(chance(0.25), "25.0 %");
        assert_eq!(chance(0.000_04), "4e-5");
        assert_eq!(span(-1_500.0), "-1.5 ms");
    }
}
