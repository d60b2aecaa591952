//! What may be spent: reserved before a request is dispatched, settled when it has ended.
//!
//! A budget that is only charged afterwards is overspent by everything that was in flight when it ran out. Here each
//! attempt first takes what it may cost at most, from every budget that it falls under or from none; what it did cost
//! replaces that when it has ended. So budgets are overspent by no more than what attempts cost beyond their own
//! estimates.
//!
//! The hour, day or month of a request is the one in which it was reserved, by the company's clock. What was open when a
//! process died counts as spent: the provider may have answered and charged, and nobody is left to ask.

mod account;
mod over;
mod period;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use account::Account;
pub use account::{AccountId, AccountRow};
pub use over::OverBudget;
pub use period::{Period, Span};
use rules::Index;
pub use rules::{BudgetLimit, BudgetRules, Payer, Scope};

/// Which reservation: a request, and which of its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReservationId {
    /// The request.
    pub request: Uuid,
    /// Its attempt.
    pub attempt: u32,
}

/// An open reservation, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// Which.
    pub id: ReservationId,
    /// How much.
    pub micro: u64,
    /// The accounts that it is taken from, with the beginning of the span.
    pub accounts: Vec<(AccountId, u64)>,
}

/// Everything that has to survive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSnapshot {
    /// The accounts.
    pub accounts: Vec<AccountRow>,
    /// What was in progress.
    pub open: Vec<ReservationRow>,
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// A budget does not have enough left.
    #[error(transparent)]
    Over(Box<OverBudget>),
    /// The id is in use.
    #[error(
        "the reservation {0:?} is open already; give every attempt of a request a number of its own"
    )]
    Twice(ReservationId),
}

/// A reservation that is not open: it was settled before, or never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no open reservation {0:?}: it has been settled before, or was never made")]
pub struct NotOpen(pub ReservationId);

/// The accounts of a company.
#[derive(Debug, Default)]
pub struct Budgets {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: BudgetRules,
    index: Index,
    accounts: HashMap<AccountId, Account>,
    open: HashMap<ReservationId, Open>,
    /// Accounts above which those whose span is over are thrown away.
    sweep_at: usize,
}

#[derive(Debug)]
struct Open {
    micro: u64,
    accounts: Vec<(AccountId, u64)>,
}

const FIRST_SWEEP: usize = 1024;

impl ReservationId {
    /// The name under which the reservation is stored while it is open.
    pub fn key(&self) -> String {
        format!("reservation/{}/{}", self.request, self.attempt)
    }
}

impl Budgets {
    /// Nothing spent yet.
    pub fn new(rules: BudgetRules) -> Self {
        let state = State {
            index: Index::new(&rules),
            rules,
            sweep_at: FIRST_SWEEP,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// As a snapshot has it. What was open counts as spent, and is handed back for the record.
    pub fn restore(rules: BudgetRules, snapshot: BudgetSnapshot) -> (Self, Vec<ReservationRow>) {
        let budgets = Self::new(rules);
        let mut state = budgets.state.lock();
        for row in snapshot.accounts {
            let account = Account {
                span: row.span,
                spent: row.spent_micro.into(),
                reserved: 0,
            };
            state.accounts.insert(row.account, account);
        }
        for row in &snapshot.open {
            for (account, start_ms) in &row.accounts {
                if let Some(account) = state.accounts.get_mut(account)
                    && account.span.start_ms == *start_ms
                {
                    account.spent += u128::from(row.micro);
                }
            }
        }
        drop(state);
        (budgets, snapshot.open)
    }

    /// Everything that has to survive.
    pub fn snapshot(&self) -> BudgetSnapshot {
        let state = self.state.lock();
        let mut accounts: Vec<_> = state
            .accounts
            .iter()
            .map(|(id, account)| account.row(id))
            .collect();
        accounts.sort_by(|a, b| a.account.cmp(&b.account));
        let mut open: Vec<_> = state
            .open
            .iter()
            .map(|(id, open)| ReservationRow {
                id: *id,
                micro: open.micro,
                accounts: open.accounts.clone(),
            })
            .collect();
        open.sort_by_key(|row| row.id);
        BudgetSnapshot { accounts, open }
    }

    /// Takes over other limits. What has been spent and reserved stays. Spans in progress keep their end.
    pub fn set_rules(&self, rules: BudgetRules) {
        let mut state = self.state.lock();
        state.index = Index::new(&rules);
        state.rules = rules;
    }

    /// Takes what an attempt may cost from every budget that it falls under, or from none. What is free is always
    /// granted.
    pub fn reserve(
        &self,
        id: ReservationId,
        payer: &Payer,
        model: &Arc<str>,
        micro: u64,
        now_ms: u64,
    ) -> Result<(), ReserveError> {
        self.state.lock().reserve(id, payer, model, micro, now_ms)
    }

    /// What [`Budgets::reserve`] would say, without taking anything.
    pub fn check(
        &self,
        payer: &Payer,
        model: &Arc<str>,
        micro: u64,
        now_ms: u64,
    ) -> Result<(), Box<OverBudget>> {
        let mut state = self.state.lock();
        state.accounts_of(payer, model, micro, now_ms).map(drop)
    }

    /// Puts what was spent in the place of what was reserved; 0 where nothing was.
    pub fn settle(&self, id: ReservationId, spent_micro: u64) -> Result<(), NotOpen> {
        self.settle_with(id, spent_micro, |_| ())
    }

    /// The same, handing the changed accounts to `write` while they are locked. They carry totals, and totals must reach
    /// the store in the order in which they were added up; `write` should hand them in and not wait.
    pub fn settle_with<T>(
        &self,
        id: ReservationId,
        spent_micro: u64,
        write: impl FnOnce(&[AccountRow]) -> T,
    ) -> Result<T, NotOpen> {
        let mut state = self.state.lock();
        let Open { micro, accounts } = state.open.remove(&id).ok_or(NotOpen(id))?;
        let mut rows = Vec::with_capacity(accounts.len());
        for (account_id, start_ms) in accounts {
            // Where the span is over, the account has begun anew and owes nothing to the old one.
            if let Some(account) = state.accounts.get_mut(&account_id)
                && account.span.start_ms == start_ms
            {
                account.reserved = account.reserved.saturating_sub(micro.into());
                account.spent = account.spent.saturating_add(spent_micro.into());
                rows.push(account.row(&account_id));
            }
        }
        Ok(write(&rows))
    }

    /// An account as it stands now; nothing spent where it has not been used.
    pub fn account(&self, account: &AccountId, now_ms: u64) -> AccountRow {
        let mut state = self.state.lock();
        let offset = state.rules.utc_offset_minutes;
        let mut held = state.accounts.get_mut(account).copied().unwrap_or_default();
        held.turn(account.period, now_ms, offset);
        held.row(account)
    }

    /// The open reservation with this id, as it is stored.
    pub fn open(&self, id: ReservationId) -> Option<ReservationRow> {
        let state = self.state.lock();
        let open = state.open.get(&id)?;
        Some(ReservationRow {
            id,
            micro: open.micro,
            accounts: open.accounts.clone(),
        })
    }
}

impl State {
    fn reserve(
        &mut self,
        id: ReservationId,
        payer: &Payer,
        model: &Arc<str>,
        micro: u64,
        now_ms: u64,
    ) -> Result<(), ReserveError> {
        if self.open.contains_key(&id) {
            return Err(ReserveError::Twice(id));
        }
        self.sweep(now_ms);
        let accounts = self
            .accounts_of(payer, model, micro, now_ms)
            .map_err(ReserveError::Over)?;
        for (account, _) in &accounts {
            if let Some(account) = self.accounts.get_mut(account) {
                account.reserved += u128::from(micro);
            }
        }
        self.open.insert(id, Open { micro, accounts });
        Ok(())
    }

    /// The accounts that a request falls under, if each of them has enough left.
    fn accounts_of(
        &mut self,
        payer: &Payer,
        model: &Arc<str>,
        micro: u64,
        now_ms: u64,
    ) -> Result<Vec<(AccountId, u64)>, Box<OverBudget>> {
        let company = Arc::from("");
        let mut teams: Vec<&Arc<str>> = payer.teams.iter().collect();
        teams.sort_unstable();
        // A team that is named twice pays once.
        teams.dedup();
        let scopes = [(Scope::Company, &company), (Scope::Actor, &payer.actor)]
            .into_iter()
            .chain(teams.into_iter().map(|team| (Scope::Team, team)))
            .chain(payer.protocol.iter().map(|it| (Scope::Protocol, it)))
            .chain([(Scope::Model, model)]);
        let offset = self.rules.utc_offset_minutes;
        let mut accounts = Vec::with_capacity(4);
        let mut over: Option<Box<OverBudget>> = None;
        for (scope, id) in scopes {
            for period in self.index.counted(scope) {
                let account_id = AccountId {
                    scope,
                    period: *period,
                    id: id.clone(),
                };
                let account = self.accounts.entry(account_id.clone()).or_default();
                account.turn(*period, now_ms, offset);
                let taken = account.spent + account.reserved;
                let limit = self.index.limit(scope, *period, id);
                if let Some(limit) = limit
                    && micro > 0
                    && taken + u128::from(micro) > u128::from(limit)
                {
                    let resets_at_ms = account.span.end_ms;
                    // The one that resets last is the one that has to be waited for.
                    if over
                        .as_ref()
                        .is_none_or(|it| it.resets_at_ms < resets_at_ms)
                    {
                        let row = account.row(&account_id);
                        over = Some(Box::new(OverBudget {
                            scope,
                            id: id.clone(),
                            period: *period,
                            limit_micro: limit,
                            spent_micro: row.spent_micro,
                            reserved_micro: row.reserved_micro,
                            needed_micro: micro,
                            left_micro: u64::try_from(u128::from(limit).saturating_sub(taken))
                                .unwrap_or(u64::MAX),
                            currency: self.rules.currency.clone(),
                            resets_at_ms,
                            resets_at: over::clock_text(resets_at_ms, offset),
                        }));
                    }
                }
                accounts.push((account_id, account.span.start_ms));
            }
        }
        match over {
            Some(over) => Err(over),
            None => Ok(accounts),
        }
    }

    /// Throws away accounts whose span is over, once there are many: actors come and go.
    fn sweep(&mut self, now_ms: u64) {
        if self.accounts.len() < self.sweep_at {
            return;
        }
        self.accounts
            .retain(|_, account| now_ms < account.span.end_ms);
        self.sweep_at = (self.accounts.len() * 2).max(FIRST_SWEEP);
    }
}

#[cfg(test)]
mod tests;
