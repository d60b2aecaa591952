//! `/cost`: what completions have cost, day by day, and what it went into.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use polity_constitution::Permission;
use polity_kernel::{CostSum, Costs};

use super::page::{self, Section};
use super::text::{count, money};
use super::visitor::Visitor;
use super::{spending, text};
use crate::serve::{App, Fault, blocking};

/// The spans that can be looked at, in days.
const SPANS: [u64; 3] = [7, 30, 90];

/// Lines of each list.
const ROWS: usize = 90;

/// `GET /cost`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refusal) = visitor.lacks(&app, Permission::DecisionsRead) {
        return refusal;
    }
    let asked = query
        .as_deref()
        .and_then(|query| query.strip_prefix("days=")?.parse().ok());
    let days = SPANS
        .into_iter()
        .find(|span| Some(*span) == asked)
        .unwrap_or(SPANS[1]);
    let kernel = app.kernel.clone();
    let costs = match blocking(move || kernel.costs(days)).await {
        Ok(Ok(costs)) => costs,
        Ok(Err(error)) => return page::fault(&app, &visitor, &Fault::internal(error)),
        Err(fault) => return page::fault(&app, &visitor, &fault),
    };
    let body = html! {
        h1 { "Cost" }
        p.filter {
            @for span in SPANS {
                a href={ "/cost?days=" (span) } aria-current=[(span == days).then_some("page")] { (span) " days" }
            }
        }
        section.stack #cost hx-get={ "/cost?days=" (days) } hx-select="#cost" hx-trigger="decisions from:body throttle:5s" hx-swap="outerMorph" {
            div.columns {
                div {
                    (total(&costs))
                    (chart(&costs, days))
                }
                div { (spending::show(&app, &visitor)) }
            }
            (list("By model", &costs.by_model, &costs.currency))
            (list("By task", &costs.by_task, &costs.currency))
            (list("By actor", &costs.by_actor, &costs.currency))
        }
        @if !costs.is_complete { p.quiet.small { "There are more records than were looked at; the oldest of these days are missing." } }
    };
    page::show(&app, &visitor, Section::Cost, "Cost", &body).await
}

fn total(costs: &Costs) -> Markup {
    let Costs {
        total, currency, ..
    } = costs;
    let saved = total.dearest_micro.saturating_sub(total.cost_micro);
    html! {
        section.card data-testid="total" {
            p.figure { (money(total.cost_micro, currency)) }
            dl {
                dt { "Requests" } dd { (count(total.requests)) ", " (count(total.answered)) " answered" }
                @if total.cached > 0 { dt { "From the cache" } dd { (count(total.cached)) } }
                dt { "Tokens" } dd { (count(total.input_tokens)) " in, " (count(total.output_tokens)) " out" }
                @if saved > 0 {
                    dt { "Saved" }
                    dd { (money(saved, currency)) " against the dearest model that might have answered, " (share(saved, total.dearest_micro)) "\u{a0}%" }
                }
            }
        }
    }
}

/// The days as bars, the newest on the right. The numbers stand in the list beneath it for whoever does not see bars.
fn chart(costs: &Costs, days: u64) -> Markup {
    const HEIGHT: u64 = 80;
    let most = costs.by_day.iter().map(|day| day.cost_micro).max();
    let most = most.unwrap_or(0).max(1);
    let step = 600 / days;
    // A day is the place in the span that its distance from the first day says.
    let first = text::exact(costs.since_ms);
    let bars: Vec<(u64, &CostSum)> = costs
        .by_day
        .iter()
        .filter_map(|day| Some((days_between(first.get(..10)?, &day.name)?, day)))
        .filter(|(at, _)| *at < days)
        .collect();
    html! {
        section.card {
            h2 { "By day" }
            @if costs.by_day.is_empty() { p.empty { "Nothing was asked of a model in these days." } }
            @else {
                svg.bars viewBox={ "0 0 " (step * days) " " (HEIGHT + 2) } preserveAspectRatio="none" role="img" aria-label="Cost by day" {
                    @for (at, day) in &bars {
                        @let height = (u128::from(day.cost_micro) * u128::from(HEIGHT) / u128::from(most)) as u64;
                        rect x=(at * step + 1) width=(step.saturating_sub(2).max(1)) y=(HEIGHT - height) height=(height + 2) {
                            title { (day.name) ": " (money(day.cost_micro, &costs.currency)) }
                        }
                    }
                }
                details {
                    summary { "Day by day" }
                    (table(&costs.by_day, &costs.currency))
                }
            }
        }
    }
}

/// Whole days from one date to another, both as people write them.
fn days_between(from: &str, to: &str) -> Option<u64> {
    let (from, to): (jiff::civil::Date, jiff::civil::Date) = (from.parse().ok()?, to.parse().ok()?);
    u64::try_from(from.until(to).ok()?.get_days()).ok()
}

fn list(title: &str, sums: &[CostSum], currency: &str) -> Markup {
    html! {
        @if !sums.is_empty() {
            section.card { h2 { (title) } (table(sums, currency)) }
        }
    }
}

fn table(sums: &[CostSum], currency: &str) -> Markup {
    html! {
        div.wide {
            table {
                thead { tr { th {} th.number { "Requests" } th.number { "Tokens in" } th.number { "Tokens out" } th.number { "Cost" } th.number { "Saved" } } }
                tbody {
                    @for sum in sums.iter().take(ROWS) {
                        tr {
                            td { @if sum.name.is_empty() { span.quiet { "a model was named" } } @else { (sum.name) } }
                            td.number { (count(sum.requests)) }
                            td.number { (count(sum.input_tokens)) }
                            td.number { (count(sum.output_tokens)) }
                            td.number { (money(sum.cost_micro, currency)) }
                            td.number { (share(sum.dearest_micro.saturating_sub(sum.cost_micro), sum.dearest_micro)) "\u{a0}%" }
                        }
                    }
                }
            }
        }
    }
}

/// Whole percent.
fn share(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_and_shares_never_divide_by_nothing() {
        assert_eq!(days_between("2026-02-27", "2026-03-01"), Some(2));
        assert_eq!(days_between("2026-03-01", "2026-02-27"), None);
        assert_eq!(days_between("x", "2026-02-27"), None);
        assert_eq!((share(1, 4), share(1, 0)), (25, 0));
    }
}
