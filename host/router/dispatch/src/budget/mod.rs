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
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    /// 2026-11-23 22:30 UTC.
    const NOW: u64 = 1_795_473_000_000;

    fn limit(scope: Scope, period: Period, limit_micro: u64) -> BudgetLimit {
        BudgetLimit {
            scope,
            id: None,
            period,
            limit_micro,
        }
    }

    fn rules(limits: Vec<BudgetLimit>) -> BudgetRules {
        BudgetRules {
            currency: "EUR".into(),
            utc_offset_minutes: 60,
            limits,
        }
    }

    fn id(attempt: u32) -> ReservationId {
        ReservationId {
            request: Uuid::nil(),
            attempt,
        }
    }

    fn payer(actor: &str) -> Payer {
        Payer {
            actor: actor.into(),
            teams: vec!["support".into(), "support".into()],
            protocol: Some("refunds".into()),
        }
    }

    fn over(result: Result<(), ReserveError>) -> OverBudget {
        match result {
            Err(ReserveError::Over(over)) => *over,
            other => panic!("{other:?}"),
        }
    }

    fn spent(budgets: &Budgets, scope: Scope, period: Period, id: &str) -> (u64, u64) {
        let account = AccountId {
            scope,
            period,
            id: id.into(),
        };
        let row = budgets.account(&account, NOW);
        (row.spent_micro, row.reserved_micro)
    }

    #[test]
    fn an_over_budget_error_names_the_budget_what_is_left_and_when_it_resets() {
        let budgets = Budgets::new(rules(vec![
            limit(Scope::Actor, Period::Hour, 1_000_000),
            limit(Scope::Company, Period::Month, 3_000_000),
        ]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        budgets.reserve(id(0), &ada, &m, 900_000, NOW).unwrap();
        budgets.settle(id(0), 400_000).unwrap();
        budgets.reserve(id(1), &ada, &m, 300_000, NOW).unwrap();
        let hour = over(budgets.reserve(id(2), &ada, &m, 500_000, NOW));
        insta::assert_snapshot!(hour);
        let bob = payer("person:bob");
        let month = over(budgets.reserve(id(2), &bob, &m, 2_500_000, NOW));
        insta::assert_snapshot!(month);
        assert_eq!(month.resets_at_ms % 3_600_000, 0);
    }

    #[test]
    fn a_reservation_is_taken_from_every_budget_or_from_none() {
        let budgets = Budgets::new(rules(vec![
            limit(Scope::Team, Period::Day, 100),
            limit(Scope::Model, Period::Day, 50),
        ]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        assert_eq!(
            over(budgets.reserve(id(0), &ada, &m, 60, NOW)).scope,
            Scope::Model
        );
        assert_eq!(spent(&budgets, Scope::Team, Period::Day, "support"), (0, 0));
        budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
        assert_eq!(
            spent(&budgets, Scope::Team, Period::Day, "support"),
            (0, 40)
        );
        assert_eq!(spent(&budgets, Scope::Model, Period::Day, "m"), (0, 40));
        assert_eq!(
            spent(&budgets, Scope::Actor, Period::Day, "person:ada"),
            (0, 40)
        );
    }

    #[test]
    fn a_reservation_is_settled_once() {
        let budgets = Budgets::new(rules(vec![]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
        assert_eq!(
            budgets.reserve(id(0), &ada, &m, 1, NOW),
            Err(ReserveError::Twice(id(0)))
        );
        let rows = budgets.settle_with(id(0), 30, <[_]>::to_vec).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.spent_micro == 30));
        assert_eq!(budgets.settle(id(0), 30), Err(NotOpen(id(0))));
        assert_eq!(spent(&budgets, Scope::Company, Period::Day, ""), (30, 0));
    }

    #[test]
    fn a_day_ends_at_midnight_on_the_companys_clock() {
        let budgets = Budgets::new(rules(vec![limit(Scope::Company, Period::Day, 10)]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        // 22:30 UTC is half past eleven at night there.
        budgets.reserve(id(0), &ada, &m, 10, NOW).unwrap();
        let full = over(budgets.reserve(id(1), &ada, &m, 1, NOW));
        assert_eq!(full.resets_at_ms - NOW, 30 * 60_000);
        let next = full.resets_at_ms;
        budgets.reserve(id(1), &ada, &m, 10, next).unwrap();
        // What was reserved yesterday is settled against yesterday.
        budgets.settle(id(0), 10).unwrap();
        let company = AccountId {
            scope: Scope::Company,
            period: Period::Day,
            id: "".into(),
        };
        let today = budgets.account(&company, next);
        assert_eq!((today.spent_micro, today.reserved_micro), (0, 10));
    }

    #[test]
    fn what_is_free_is_granted_even_when_nothing_is_left() {
        let budgets = Budgets::new(rules(vec![limit(Scope::Company, Period::Day, 0)]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        assert!(budgets.reserve(id(0), &ada, &m, 0, NOW).is_ok());
        assert!(budgets.reserve(id(1), &ada, &m, 1, NOW).is_err());
    }

    #[test]
    fn the_largest_amounts_there_are_add_up_exactly() {
        let budgets = Budgets::new(rules(vec![]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        for attempt in 0..3 {
            let micro = if attempt == 2 { 5 } else { u64::MAX };
            budgets.reserve(id(attempt), &ada, &m, micro, NOW).unwrap();
        }
        budgets.settle(id(0), 0).unwrap();
        budgets.settle(id(1), 7).unwrap();
        assert_eq!(spent(&budgets, Scope::Company, Period::Day, ""), (7, 5));
    }

    #[test]
    fn a_snapshot_restores_what_was_spent_and_counts_what_was_open_as_spent() {
        let budgets = Budgets::new(rules(vec![]));
        let (ada, m) = (payer("person:ada"), Arc::from("m"));
        budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
        budgets.reserve(id(1), &ada, &m, 9, NOW).unwrap();
        budgets.settle(id(1), 3).unwrap();
        let text = serde_json::to_string(&budgets.snapshot()).unwrap();
        let (restored, lost) =
            Budgets::restore(rules(vec![]), serde_json::from_str(&text).unwrap());
        assert_eq!(lost.len(), 1);
        assert_eq!((lost[0].id, lost[0].micro), (id(0), 40));
        assert_eq!(spent(&restored, Scope::Company, Period::Day, ""), (43, 0));
        assert_eq!(restored.snapshot().open, []);
    }

    #[test]
    fn accounts_whose_day_is_over_are_thrown_away() {
        let budgets = Budgets::new(rules(vec![]));
        let m = Arc::from("m");
        for day in 0..5u32 {
            for actor in 0..2000 {
                let (id, at) = (id(day * 2000 + actor), NOW + u64::from(day) * DAY_MS);
                let actor = payer(&format!("person:{actor}"));
                budgets.reserve(id, &actor, &m, 1, at).unwrap();
                budgets.settle(id, 1).unwrap();
            }
        }
        assert!(budgets.snapshot().accounts.len() < 5000);
    }
}
