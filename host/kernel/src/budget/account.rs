//! One day's accounts: everyone together, and each actor; and where hours and months are limited, theirs.

use std::collections::HashMap;

use polity_constitution::Charter;
use polity_ledger::{Commit, Ledger, ReadError};
use serde::Serialize;

use super::period::{HOUR_MS, month};
use super::{OverBudget, Period, Scope, Spent, SpentToday};

/// Totals read in one scan.
const PAGE: usize = 1000;

/// What one account has spent, and what is set aside from it, in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// What ended completions have cost.
    #[serde(rename = "spent_micro")]
    pub spent: u64,
    /// What completions in progress may cost.
    #[serde(rename = "reserved_micro")]
    pub reserved: u64,
}

/// The accounts of one day.
#[derive(Debug, Default)]
pub(super) struct Day {
    company: Account,
    actors: HashMap<String, Account>,
    /// By hour since the epoch, then `company` or `actor/…`: only of hours in which there was a limit.
    hours: HashMap<u64, HashMap<String, Account>>,
    /// What was spent in the days of the month before this one, where there is a limit.
    before: Option<HashMap<String, u64>>,
}

/// Money that somebody wants.
pub(super) struct Wanted<'w> {
    pub(super) actor: &'w str,
    pub(super) micro: u64,
    pub(super) charter: &'w Charter,
    pub(super) at_ms: u64,
}

impl Account {
    fn total(self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }
}

impl Day {
    /// The totals as the ledger has them.
    pub(super) fn read(ledger: &Ledger, day: u64) -> Result<Self, ReadError> {
        let mut read = Self::default();
        let prefix = prefix(day);
        let mut after: Option<String> = None;
        loop {
            let rows = ledger.scan(&prefix, after.as_deref(), PAGE)?;
            let Some((last, _)) = rows.last() else {
                return Ok(read);
            };
            after = Some(last.clone());
            for (key, value) in &rows {
                let spent = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                let account = Account { spent, reserved: 0 };
                match key.strip_prefix(&prefix) {
                    Some("company") => read.company = account,
                    Some(hour) if hour.starts_with("hour/") => {
                        let hour = hour.trim_start_matches("hour/").split_once('/');
                        if let Some((hour, whose)) = hour
                            && let Ok(hour) = hour.parse()
                        {
                            let hour: &mut HashMap<_, _> = read.hours.entry(hour).or_default();
                            hour.insert(whose.to_owned(), account);
                        }
                    }
                    Some(actor) => drop(
                        read.actors
                            .insert(actor.trim_start_matches("actor/").to_owned(), account),
                    ),
                    None => {}
                }
            }
        }
    }

    pub(super) fn spent(&self, actor: &str) -> Spent {
        Spent {
            actor: self.of(actor).total(),
            company: self.company.total(),
        }
    }

    pub(super) fn accounts(&self, actor: &str) -> SpentToday {
        SpentToday {
            actor: self.of(actor),
            company: self.company,
        }
    }

    pub(super) fn has_reservations(&self) -> bool {
        self.company.reserved > 0
    }

    /// Adds up what was spent in the month before this day, where a month is limited and nobody has yet.
    pub(super) fn look_back(
        &mut self,
        ledger: &Ledger,
        day: u64,
        charter: &Charter,
    ) -> Result<(), ReadError> {
        let budgets = charter.budgets();
        let is_limited =
            budgets.company_monthly_micro.is_some() || budgets.actor_monthly_micro.is_some();
        if !is_limited || self.before.is_some() {
            return Ok(());
        }
        let mut before: HashMap<String, u64> = HashMap::new();
        for earlier in month(day).0..day {
            let spent = Self::read(ledger, earlier)?;
            let actors = spent.actors.iter();
            let actors = actors.map(|(actor, account)| (whose(Some(actor)), account.spent));
            let company = std::iter::once((whose(None), spent.company.spent));
            for (name, micro) in company.chain(actors) {
                let sum = before.entry(name).or_default();
                *sum = sum.saturating_add(micro);
            }
        }
        self.before = Some(before);
        Ok(())
    }

    pub(super) fn reserve(&mut self, wanted: &Wanted<'_>) -> Result<(), OverBudget> {
        let Wanted {
            actor,
            micro,
            charter,
            at_ms,
        } = *wanted;
        if micro == 0 {
            return Ok(());
        }
        let budgets = charter.budgets();
        for period in Period::ALL {
            let limits = [
                (Some(actor), period.of_actor(budgets, actor)),
                (None, period.of_company(budgets)),
            ];
            for (of, limit) in limits {
                let Some(limit) = limit else { continue };
                let account = self.within(period, of, at_ms);
                if account.total().saturating_add(micro) > limit {
                    return Err(OverBudget {
                        scope: of.map_or(Scope::Company, |actor| Scope::Actor(actor.to_owned())),
                        period,
                        limit_micro: limit,
                        spent_micro: account.spent,
                        reserved_micro: account.reserved,
                        needed_micro: micro,
                        currency: charter.company().currency.clone(),
                        resets_at_ms: period.ends_at(at_ms),
                    });
                }
            }
        }
        if budgets.company_hourly_micro.is_some() || budgets.actor_hourly_micro.is_some() {
            let hour = self.hours.entry(at_ms / HOUR_MS).or_default();
            for of in [Some(actor), None] {
                let account = hour.entry(whose(of)).or_default();
                account.reserved = account.reserved.saturating_add(micro);
            }
        }
        self.company.reserved = self.company.reserved.saturating_add(micro);
        let own = self.account(actor);
        own.reserved = own.reserved.saturating_add(micro);
        Ok(())
    }

    /// What is spent and set aside in a period so far.
    fn within(&self, period: Period, of: Option<&str>, at_ms: u64) -> Account {
        let today = of.map_or(self.company, |actor| self.of(actor));
        match period {
            Period::Hour => {
                let hour = self.hours.get(&(at_ms / HOUR_MS));
                hour.and_then(|hour| hour.get(&whose(of)).copied())
                    .unwrap_or_default()
            }
            Period::Day => today,
            Period::Month => {
                let before = self.before.as_ref();
                let before = before.and_then(|before| before.get(&whose(of)).copied());
                Account {
                    spent: today.spent.saturating_add(before.unwrap_or(0)),
                    ..today
                }
            }
        }
    }

    /// Adds the new totals to the record's commit, where anything was spent.
    pub(super) fn settle(
        &mut self,
        day: u64,
        actor: &str,
        hour: Option<u64>,
        reserved: u64,
        cost: u64,
        record: Commit,
    ) -> Commit {
        if reserved == 0 && cost == 0 {
            return record;
        }
        let prefix = prefix(day);
        let mut commit = record;
        if let Some(number) = hour
            && let Some(hour) = self.hours.get_mut(&number)
        {
            for of in [Some(actor), None] {
                let name = whose(of);
                let account = hour.entry(name.clone()).or_default();
                account.reserved = account.reserved.saturating_sub(reserved);
                account.spent = account.spent.saturating_add(cost);
                if cost > 0 {
                    let key = format!("{prefix}hour/{number}/{name}");
                    commit = commit.put(key, account.spent.to_string());
                }
            }
        }
        let settle = |account: &mut Account| {
            account.reserved = account.reserved.saturating_sub(reserved);
            account.spent = account.spent.saturating_add(cost);
            account.spent.to_string()
        };
        let company = settle(&mut self.company);
        let own = settle(self.account(actor));
        if cost > 0 {
            commit = commit
                .put(format!("{prefix}company"), company)
                .put(format!("{prefix}actor/{actor}"), own);
        }
        commit
    }

    fn of(&self, actor: &str) -> Account {
        self.actors.get(actor).copied().unwrap_or_default()
    }

    fn account(&mut self, actor: &str) -> &mut Account {
        self.actors.entry(actor.to_owned()).or_default()
    }
}

/// Whose account: an actor's, or everyone's.
fn whose(actor: Option<&str>) -> String {
    actor.map_or_else(|| "company".to_owned(), |actor| format!("actor/{actor}"))
}

fn prefix(day: u64) -> String {
    format!("spend/{day}/")
}
