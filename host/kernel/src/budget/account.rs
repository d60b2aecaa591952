//! One day's accounts: everyone's together, each actor's, those of teams and protocols that have a budget; and where hours
//! and months are limited, theirs.

use std::collections::HashMap;

use polity_constitution::Charter;
use polity_ledger::{Commit, Ledger, ReadError};
use serde::Serialize;

use super::payer::{COMPANY, actor_key};
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
    /// By whose they are: see [`Scope::key`].
    accounts: HashMap<String, Account>,
    /// By hour since the epoch, then by whose they are: only of hours in which there was a limit.
    hours: HashMap<u64, HashMap<String, Account>>,
    /// What was spent in the days of the month before this one, where there is a limit.
    before: Option<HashMap<String, u64>>,
}

/// Money that somebody wants.
pub(super) struct Wanted<'w> {
    pub(super) payers: &'w [Scope],
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
                    Some(hour) if hour.starts_with("hour/") => {
                        let hour = hour.trim_start_matches("hour/").split_once('/');
                        if let Some((hour, whose)) = hour
                            && let Ok(hour) = hour.parse()
                        {
                            let hour: &mut HashMap<_, _> = read.hours.entry(hour).or_default();
                            hour.insert(whose.to_owned(), account);
                        }
                    }
                    Some(whose) => drop(read.accounts.insert(whose.to_owned(), account)),
                    None => {}
                }
            }
        }
    }

    pub(super) fn spent(&self, actor: &str) -> Spent {
        Spent {
            actor: self.of(&actor_key(actor)).total(),
            company: self.of(COMPANY).total(),
        }
    }

    pub(super) fn accounts(&self, actor: &str) -> SpentToday {
        SpentToday {
            actor: self.of(&actor_key(actor)),
            company: self.of(COMPANY),
        }
    }

    pub(super) fn has_reservations(&self) -> bool {
        self.of(COMPANY).reserved > 0
    }

    /// Adds up what was spent in the month before this day, where a month is limited and nobody has yet.
    pub(super) fn look_back(
        &mut self,
        ledger: &Ledger,
        day: u64,
        payers: &[Scope],
        charter: &Charter,
    ) -> Result<(), ReadError> {
        let budgets = charter.budgets();
        let is_limited = payers
            .iter()
            .any(|payer| Period::Month.limit(budgets, payer).is_some());
        if !is_limited || self.before.is_some() {
            return Ok(());
        }
        let mut before: HashMap<String, u64> = HashMap::new();
        for earlier in month(day).0..day {
            let spent = Self::read(ledger, earlier)?;
            let accounts = spent.accounts.into_iter();
            for (name, micro) in accounts.map(|(name, account)| (name, account.spent)) {
                let sum = before.entry(name).or_default();
                *sum = sum.saturating_add(micro);
            }
        }
        self.before = Some(before);
        Ok(())
    }

    pub(super) fn reserve(&mut self, wanted: &Wanted<'_>) -> Result<(), OverBudget> {
        let Wanted {
            payers,
            micro,
            charter,
            at_ms,
        } = *wanted;
        if micro == 0 {
            return Ok(());
        }
        let budgets = charter.budgets();
        let mut counts_hours = false;
        for period in Period::ALL {
            for payer in payers {
                let Some(limit) = period.limit(budgets, payer) else {
                    continue;
                };
                counts_hours |= period == Period::Hour;
                let account = self.within(period, &payer.key(), at_ms);
                if account.total().saturating_add(micro) > limit {
                    return Err(OverBudget {
                        scope: payer.clone(),
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
        for payer in payers {
            let key = payer.key();
            if counts_hours {
                let hour = self.hours.entry(at_ms / HOUR_MS).or_default();
                let account = hour.entry(key.clone()).or_default();
                account.reserved = account.reserved.saturating_add(micro);
            }
            let account = self.accounts.entry(key).or_default();
            account.reserved = account.reserved.saturating_add(micro);
        }
        Ok(())
    }

    /// What is spent and set aside in a period so far.
    fn within(&self, period: Period, whose: &str, at_ms: u64) -> Account {
        let today = self.of(whose);
        match period {
            Period::Hour => {
                let hour = self.hours.get(&(at_ms / HOUR_MS));
                hour.and_then(|hour| hour.get(whose).copied())
                    .unwrap_or_default()
            }
            Period::Day => today,
            Period::Month => {
                let before = self.before.as_ref();
                let before = before.and_then(|before| before.get(whose).copied());
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
        payers: &[String],
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
        let settled = |account: &mut Account| {
            account.reserved = account.reserved.saturating_sub(reserved);
            account.spent = account.spent.saturating_add(cost);
            account.spent.to_string()
        };
        for key in payers {
            let hour = hour.and_then(|number| Some((number, self.hours.get_mut(&number)?)));
            if let Some((number, hour)) = hour {
                let spent = settled(hour.entry(key.clone()).or_default());
                if cost > 0 {
                    commit = commit.put(format!("{prefix}hour/{number}/{key}"), spent);
                }
            }
            let spent = settled(self.accounts.entry(key.clone()).or_default());
            if cost > 0 {
                commit = commit.put(format!("{prefix}{key}"), spent);
            }
        }
        commit
    }

    fn of(&self, whose: &str) -> Account {
        self.accounts.get(whose).copied().unwrap_or_default()
    }
}

fn prefix(day: u64) -> String {
    format!("spend/{day}/")
}
