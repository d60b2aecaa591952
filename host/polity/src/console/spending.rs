//! What today has cost.

use maud::{Markup, html};
use polity_ledger::ReadError;

use super::text::money;
use super::visitor::Visitor;
use crate::serve::App;

/// A day, from 00:00 to 24:00 UTC.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Today's spending against the company's limit and the visitor's own.
pub(super) fn show(app: &App, visitor: &Visitor) -> Markup {
    let constitution = app.kernel.constitution();
    let charter = constitution.charter();
    let (currency, budgets) = (&charter.company().currency, charter.budgets());
    let spent = spent_today(app, &visitor.actor.id);
    html! {
        section.card #spending hx-get="/" hx-select="#spending" hx-trigger="decisions from:body throttle:2s" hx-swap="outerMorph" data-testid="spending" {
            h2 { "Spent today" }
            @match spent {
                Ok(spent) => {
                    (line("The company", spent.0, budgets.company_daily_micro, currency))
                    (line("You", spent.1, budgets.of(&visitor.actor.id), currency))
                }
                Err(error) => p.notice.stop { (error) }
            }
        }
    }
}

/// What everyone together and one actor have spent today, as the ledger's state has it.
fn spent_today(app: &App, actor: &str) -> Result<(u64, u64), ReadError> {
    let day = app.now_ms() / DAY_MS;
    let read = |account: &str| -> Result<u64, ReadError> {
        let total = app.kernel.ledger().get(&format!("spend/{day}/{account}"))?;
        Ok(total
            .and_then(|total| std::str::from_utf8(&total).ok()?.parse().ok())
            .unwrap_or(0))
    };
    Ok((read("company")?, read(&format!("actor/{actor}"))?))
}

fn line(who: &str, spent: u64, limit: Option<u64>, currency: &str) -> Markup {
    html! {
        dl {
            dt { (who) }
            dd {
                (money(spent, currency))
                @if let Some(limit) = limit { span.quiet { " of " (money(limit, currency)) } }
                @else { span.quiet { ", without a limit" } }
            }
        }
        @if let Some(limit) = limit.filter(|limit| *limit > 0) {
            meter min="0" max=(limit) high=(limit / 5 * 4) value=(spent.min(limit)) aria-label={ (who) " today" } {}
        }
    }
}
