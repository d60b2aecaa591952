//! What today has cost.

use maud::{Markup, html};
use polity_constitution::Permission;
use polity_kernel::Account;

use super::text::money;
use super::visitor::Visitor;
use crate::serve::App;

/// Today's spending against the company's limit and the visitor's own.
pub(super) fn show(app: &App, visitor: &Visitor) -> Markup {
    let constitution = app.kernel.constitution();
    let charter = constitution.charter();
    let (currency, budgets) = (&charter.company().currency, charter.budgets());
    html! {
        section.card #spending hx-get="/" hx-select="#spending" hx-trigger="decisions from:body throttle:2s" hx-swap="outerMorph" data-testid="spending" {
            h2 { "Spent today" }
            @match app.kernel.spent_today(&visitor.actor.id) {
                Ok(spent) => {
                    (line("The company", spent.company, budgets.company_daily_micro, currency))
                    (line("You", spent.actor, budgets.of(&visitor.actor.id), currency))
                }
                Err(error) => p.notice.stop { (error) }
            }
            @if visitor.actor.may(Permission::DecisionsRead) { p.more { a href="/cost" { "What it went into" } } }
        }
    }
}

fn line(who: &str, account: Account, limit: Option<u64>, currency: &str) -> Markup {
    html! {
        dl {
            dt { (who) }
            dd {
                (money(account.spent, currency))
                @if account.reserved > 0 { span.quiet { " and up to " (money(account.reserved, currency)) " in progress" } }
                @if let Some(limit) = limit { span.quiet { " of " (money(limit, currency)) } }
                @else { span.quiet { ", without a limit" } }
            }
        }
        @if let Some(limit) = limit.filter(|limit| *limit > 0) {
            meter min="0" max=(limit) high=(limit / 5 * 4) value=(account.spent.min(limit)) aria-label={ (who) " today" } {}
        }
    }
}
