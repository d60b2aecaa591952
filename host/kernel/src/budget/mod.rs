//! What an hour, a day and a month may cost: reserved before a completion is dispatched, settled when it has ended.
//!
//! A budget that is only charged afterwards is overspent by everything that was in flight when it ran out. Here each
//! completion first takes what it may cost at most; what it did cost replaces that when it has ended. The day is the UTC
//! day in which the completion was asked for.
//!
//! Totals lie in the ledger's state, written in the same commit as the event of the completion. Reservations of
//! completions that may cost something lie there too, so that a crash in the middle of one counts as spent what may have
//! been spent: see [`Spending::recover`].

mod account;
mod over;
mod payer;
mod period;
mod recovery;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use polity_constitution::Charter;
use polity_ledger::{Commit, CommitError, Ledger, ReadError, Receipt};
use serde::Serialize;
use uuid::Uuid;

pub use account::Account;
use account::{Day, Wanted};
pub use over::OverBudget;
pub(crate) use payer::Asker;
pub use payer::Scope;
pub use period::Period;
pub(crate) use recovery::RecoverError;

pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Days whose totals are held in memory. Two are needed at midnight; the rest is in the ledger.
const DAYS_HELD: usize = 3;

/// What has been spent today, and is reserved, in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) actor: u64,
    pub(crate) company: u64,
}

/// How today stands with an actor and with everyone together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SpentToday {
    /// The actor alone.
    pub actor: Account,
    /// Everyone together.
    pub company: Account,
}

/// The accounts of the days.
pub(crate) struct Spending {
    ledger: Ledger,
    days: Mutex<BTreeMap<u64, Day>>,
}

/// Money set aside for one completion. It is given back by [`Spending::settle`] and by nothing else.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// The decision that it is for.
    id: Uuid,
    day: u64,
    at_ms: u64,
    /// Who pays it.
    payers: Vec<Scope>,
    pub(crate) micro: u64,
}

impl Spending {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            days: Mutex::default(),
        }
    }

    /// What an actor and everyone together have spent and reserved on the day of a time.
    pub(crate) fn today(&self, actor: &str, at_ms: u64) -> Result<Spent, ReadError> {
        self.on(at_ms / DAY_MS, |day| day.spent(actor))
    }

    /// The same, with what is spent and what is set aside apart.
    pub(crate) fn accounts(&self, actor: &str, at_ms: u64) -> Result<SpentToday, ReadError> {
        self.on(at_ms / DAY_MS, |day| day.accounts(actor))
    }

    /// Sets money aside, or says why there is not enough. What is free is always granted.
    pub(crate) fn reserve(
        &self,
        id: Uuid,
        asker: Asker<'_>,
        at_ms: u64,
        micro: u64,
        charter: &Charter,
    ) -> Result<Result<Reservation, OverBudget>, ReadError> {
        let day = at_ms / DAY_MS;
        let payers = asker.payers(charter.budgets());
        self.on(day, |accounts| {
            accounts.look_back(&self.ledger, day, &payers, charter)?;
            let wanted = Wanted {
                payers: &payers,
                micro,
                charter,
                at_ms,
            };
            let reserved = accounts.reserve(&wanted);
            Ok(reserved.map(|()| Reservation {
                id,
                day,
                at_ms,
                payers,
                micro,
            }))
        })?
    }

    /// Sets more aside for a completion that turns out to be dearer, or says why there is not enough.
    pub(crate) fn raise(
        &self,
        reservation: &mut Reservation,
        micro: u64,
        charter: &Charter,
    ) -> Result<Result<(), OverBudget>, ReadError> {
        let Some(more) = micro.checked_sub(reservation.micro) else {
            return Ok(Ok(()));
        };
        let (day, at_ms) = (reservation.day, reservation.at_ms);
        self.on(day, |accounts| {
            let wanted = Wanted {
                payers: &reservation.payers,
                micro: more,
                charter,
                at_ms,
            };
            accounts.reserve(&wanted)?;
            reservation.micro = micro;
            Ok(())
        })
    }

    /// Notes a reservation where a crash cannot take it. One of nothing needs no note.
    pub(crate) fn note(&self, reservation: &Reservation) -> Result<(), CommitError> {
        match reservation.micro {
            0 => Ok(()),
            _ => self
                .ledger
                .commit_relaxed(recovery::note(reservation))
                .map(drop),
        }
    }

    /// Puts what was spent in the place of what was reserved, in one commit with the record of it.
    ///
    /// The accounts stay locked until the commit has been handed in: it carries totals, and totals must reach the ledger
    /// in the order in which they were added up. Handing in does not wait for the disk.
    pub(crate) fn settle(
        &self,
        reservation: Reservation,
        cost_micro: u64,
        record: Commit,
    ) -> Result<Receipt, CommitError> {
        let Reservation {
            id,
            day,
            at_ms,
            payers,
            micro,
        } = reservation;
        let payers: Vec<String> = payers.iter().map(Scope::key).collect();
        let mut days = self.days.lock();
        // The day was there when the money was reserved; after a long answer it may have been let go of since.
        let accounts = match days.entry(day) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(gone) => gone.insert(
                Day::read(&self.ledger, day)
                    .map_err(|error| CommitError::Stopped(error.to_string()))?,
            ),
        };
        let mut commit = accounts.settle(
            day,
            &payers,
            Some(at_ms / period::HOUR_MS),
            micro,
            cost_micro,
            record,
        );
        if micro > 0 {
            commit = commit.delete(recovery::key(id));
        }
        self.ledger.commit_relaxed(commit)
    }

    fn on<T>(&self, day: u64, work: impl FnOnce(&mut Day) -> T) -> Result<T, ReadError> {
        let mut days = self.days.lock();
        if let Some(accounts) = days.get_mut(&day) {
            return Ok(work(accounts));
        }
        // Once a day. Nobody's request is faster than the first reader of the day's totals.
        let mut accounts = Day::read(&self.ledger, day)?;
        let result = work(&mut accounts);
        days.insert(day, accounts);
        while days.len() > DAYS_HELD {
            let Some(oldest) = days
                .iter()
                .find(|(_, day)| !day.has_reservations())
                .map(|(day, _)| *day)
            else {
                break;
            };
            days.remove(&oldest);
        }
        Ok(result)
    }
}
