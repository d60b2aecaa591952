//! One day's accounts: everyone together, and each actor.

use std::collections::HashMap;

use polity_constitution::Charter;
use polity_ledger::{Commit, Ledger, ReadError};
use serde::Serialize;

use super::{OverBudget, Scope, Spent, SpentToday};

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

    pub(super) fn reserve(
        &mut self,
        actor: &str,
        micro: u64,
        charter: &Charter,
        resets_at_ms: u64,
    ) -> Result<(), OverBudget> {
        if micro == 0 {
            return Ok(());
        }
        let own = self.of(actor);
        let budgets = charter.budgets();
        let limits = [
            (Scope::Actor(actor.to_owned()), budgets.of(actor), own),
            (Scope::Company, budgets.company_daily_micro, self.company),
        ];
        for (scope, limit, account) in limits {
            if let Some(limit) = limit
                && account.total().saturating_add(micro) > limit
            {
                return Err(OverBudget {
                    scope,
                    limit_micro: limit,
                    spent_micro: account.spent,
                    reserved_micro: account.reserved,
                    needed_micro: micro,
                    currency: charter.company().currency.clone(),
                    resets_at_ms,
                });
            }
        }
        self.company.reserved = self.company.reserved.saturating_add(micro);
        self.account(actor).reserved = own.reserved.saturating_add(micro);
        Ok(())
    }

    /// Adds the new totals to the record's commit, where anything was spent.
    pub(super) fn settle(
        &mut self,
        day: u64,
        actor: &str,
        reserved: u64,
        cost: u64,
        record: Commit,
    ) -> Commit {
        if reserved == 0 && cost == 0 {
            return record;
        }
        let prefix = prefix(day);
        let mut commit = record;
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

fn prefix(day: u64) -> String {
    format!("spend/{day}/")
}
