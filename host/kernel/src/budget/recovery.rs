//! What was in progress when the process died: reservations that nobody has settled.
//!
//! The provider may have answered and charged for it, and nobody is left to ask. So it counts as spent in full, and the
//! ledger says so.

use polity_ledger::{Commit, CommitError, Event, ReadError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::account::Day;
use super::payer::{COMPANY, actor_key};
use super::{Reservation, Scope};
use crate::record::subject;

const PREFIX: &str = "reservation/";

/// Reservations settled in one commit.
const BATCH: usize = 100;

/// The event of a completion whose end nobody saw.
pub(crate) const LOST: &str = "completion.lost";

/// What was found unsettled at a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// How many completions.
    pub(crate) completions: u64,
    /// What was reserved for them, and counts as spent.
    pub(crate) micro: u64,
}

/// A reservation as the ledger's state has it.
#[derive(Serialize, Deserialize)]
struct Note {
    day: u64,
    actor: String,
    micro: u64,
    /// Accounts of teams and protocols that it is taken from, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<String>,
}

impl Note {
    fn payers(&self) -> Vec<String> {
        let own = [actor_key(&self.actor), COMPANY.to_owned()];
        own.into_iter().chain(self.shared.iter().cloned()).collect()
    }
}

/// Why the reservations of an earlier run could not be settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

pub(super) fn key(id: Uuid) -> String {
    format!("{PREFIX}{id}")
}

pub(super) fn note(reservation: &Reservation) -> Commit {
    let Reservation {
        id,
        day,
        payers,
        micro,
        ..
    } = reservation;
    let actor = payers.iter().find_map(|payer| match payer {
        Scope::Actor(actor) => Some(actor.clone()),
        _ => None,
    });
    let is_shared = |payer: &&Scope| matches!(payer, Scope::Team(_) | Scope::Protocol(_));
    let note = json!(Note {
        day: *day,
        actor: actor.unwrap_or_default(),
        micro: *micro,
        shared: payers.iter().filter(is_shared).map(Scope::key).collect(),
    });
    Commit::new().put(key(*id), note.to_string())
}

impl super::Spending {
    /// Counts as spent what an earlier run has reserved and never settled. To be called once, before anything is
    /// reserved.
    pub(crate) fn recover(&self) -> Result<Recovered, RecoverError> {
        let mut recovered = Recovered::default();
        loop {
            let rows = self.ledger.scan(PREFIX, None, BATCH)?;
            if rows.is_empty() {
                return Ok(recovered);
            }
            for (key, value) in rows {
                let note = serde_json::from_slice::<Note>(&value).ok();
                let id = key.strip_prefix(PREFIX).and_then(|id| id.parse().ok());
                let mut commit = Commit::new().delete(key);
                if let (Some(note), Some(id)) = (note, id) {
                    let (
                        payers,
                        Note {
                            day, actor, micro, ..
                        },
                    ) = (note.payers(), note);
                    recovered.completions += 1;
                    recovered.micro = recovered.micro.saturating_add(micro);
                    let data = json!({ "actor": actor, "counted_micro": micro });
                    commit = commit.event(Event::new(LOST, "/kernel", subject(id), data));
                    commit =
                        Day::read(&self.ledger, day)?.settle(day, &payers, None, 0, micro, commit);
                }
                self.ledger.commit_relaxed(commit)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polity_constitution::{Constitution, Sources};
    use polity_ledger::{Ledger, ManualClock};

    use super::super::{Asker, DAY_MS, Spending, Spent};
    use super::*;

    const NOW: u64 = 20_000 * DAY_MS + 5;

    fn ledger() -> Ledger {
        Ledger::in_memory(Arc::new(ManualClock::new(NOW)))
    }

    fn constitution(company: u64, actor: u64) -> Constitution {
        let charter = json!({
            "company": {"name": "Example", "currency": "EUR"},
            "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
            "defaults": {"unmatched": "allow"},
            "budgets": {"company_daily_micro": company, "actor_daily_micro": actor}
        });
        Constitution::from_sources(&Sources::new().with("charter.json", charter.to_string()))
            .unwrap()
    }

    #[test]
    fn what_is_reserved_is_taken_until_it_is_settled() {
        let spending = Spending::new(ledger());
        let constitution = constitution(100, 80);
        let reserve = |actor, micro| {
            spending
                .reserve(
                    Uuid::nil(),
                    Asker::alone(actor),
                    NOW,
                    micro,
                    constitution.charter(),
                )
                .unwrap()
        };
        let first = reserve("person:ada", 60).unwrap();
        let over = reserve("person:ada", 21).unwrap_err();
        assert_eq!(
            (over.limit_micro, over.reserved_micro, over.needed_micro),
            (80, 60, 21)
        );
        assert_eq!(over.resets_at_ms, 20_001 * DAY_MS);
        assert_eq!(
            reserve("person:bob", 41).unwrap_err().scope,
            super::super::Scope::Company
        );
        spending.settle(first, 10, Commit::new()).unwrap();
        assert_eq!(
            spending.today("person:ada", NOW).unwrap(),
            Spent {
                actor: 10,
                company: 10
            }
        );
        reserve("person:bob", 41).unwrap();
        assert_eq!(
            spending.today("person:bob", NOW).unwrap(),
            Spent {
                actor: 41,
                company: 51
            }
        );
        assert_eq!(
            spending.today("person:bob", NOW + DAY_MS).unwrap(),
            Spent::default()
        );
    }

    #[test]
    fn what_is_free_is_granted_even_when_nothing_is_left() {
        let spending = Spending::new(ledger());
        let constitution = constitution(0, 0);
        let reserve = |micro| {
            spending
                .reserve(
                    Uuid::nil(),
                    Asker::alone("person:ada"),
                    NOW,
                    micro,
                    constitution.charter(),
                )
                .unwrap()
        };
        assert!(reserve(0).is_ok());
        assert!(reserve(1).is_err());
    }

    #[test]
    fn totals_survive_and_unsettled_reservations_count_as_spent() {
        let ledger = ledger();
        let constitution = constitution(1000, 1000);
        let spending = Spending::new(ledger.clone());
        for (id, micro) in [(1, 100), (2, 30), (3, 0)] {
            let id = Uuid::from_u128(id);
            let reservation = spending
                .reserve(
                    id,
                    Asker::alone("person:ada"),
                    NOW,
                    micro,
                    constitution.charter(),
                )
                .unwrap()
                .unwrap();
            spending.note(&reservation).unwrap();
            if micro == 100 {
                spending.settle(reservation, 7, Commit::new()).unwrap();
            }
        }
        let after = Spending::new(ledger.clone());
        assert_eq!(
            after.recover().unwrap(),
            Recovered {
                completions: 1,
                micro: 30
            }
        );
        assert_eq!(
            after.today("person:ada", NOW).unwrap(),
            Spent {
                actor: 37,
                company: 37
            }
        );
        let lost = ledger
            .events_of(&subject(Uuid::from_u128(2)), 0, 10)
            .unwrap();
        assert_eq!(lost[0].kind, LOST);
        assert_eq!(
            Spending::new(ledger).recover().unwrap(),
            Recovered::default()
        );
    }

    fn limited(limits: serde_json::Value) -> Constitution {
        let charter = json!({
            "company": {"name": "Example", "currency": "EUR"},
            "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
            "defaults": {"unmatched": "allow"},
            "budgets": limits,
        });
        let refund = "document: {dsl: 1.0.3, namespace: test, name: refund, version: 1.0.0}\ndo:\n  - pay:\n      set: {paid: true}\n";
        let sources = Sources::new()
            .with("charter.json", charter.to_string())
            .with("workflows/refund.yaml", refund);
        Constitution::from_sources(&sources).unwrap()
    }

    #[test]
    fn an_hour_and_a_month_have_limits_of_their_own_that_outlive_the_host() {
        let ledger = ledger();
        let constitution = limited(json!({
            "company_daily_micro": null, "actor_daily_micro": null,
            "actor_hourly_micro": 100, "company_monthly_micro": 250,
        }));
        let reserve = |spending: &Spending, at_ms, micro| {
            spending
                .reserve(
                    Uuid::nil(),
                    Asker::alone("person:ada"),
                    at_ms,
                    micro,
                    constitution.charter(),
                )
                .unwrap()
        };
        let spending = Spending::new(ledger.clone());
        let spent = reserve(&spending, NOW, 90).unwrap();
        spending.settle(spent, 90, Commit::new()).unwrap();
        let over = reserve(&spending, NOW, 11).unwrap_err();
        assert_eq!(over.period, super::super::Period::Hour);
        assert!(
            over.to_string().contains("budgets.actor_hourly_micro"),
            "{over}"
        );
        // Another host over the same ledger knows of it, and the next hour is a new one.
        let spending = Spending::new(ledger.clone());
        assert!(reserve(&spending, NOW, 11).is_err());
        let hour = DAY_MS / 24;
        let spent = reserve(&spending, NOW + hour, 90).unwrap();
        spending.settle(spent, 90, Commit::new()).unwrap();
        // The next day is of the same month.
        let over = reserve(&spending, NOW + DAY_MS, 71).unwrap_err();
        assert_eq!(over.period, super::super::Period::Month);
        assert_eq!((over.limit_micro, over.spent_micro), (250, 180));
        assert!(reserve(&spending, NOW + DAY_MS, 70).is_ok());
        assert!(reserve(&spending, NOW + 40 * DAY_MS, 100).is_ok());
    }

    #[test]
    fn a_team_and_a_protocol_have_budgets_of_their_own_that_outlive_the_host() {
        let ledger = ledger();
        let constitution = limited(json!({
            "company_daily_micro": null, "actor_daily_micro": null,
            "teams": {"support": {"members": ["person:ada"], "daily_micro": 100, "monthly_micro": 150}},
            "protocols": {"refund": {"hourly_micro": 60}},
        }));
        let reserve = |spending: &Spending, protocol, at_ms, micro| {
            let asker = Asker {
                actor: "person:ada",
                protocol,
            };
            spending
                .reserve(Uuid::nil(), asker, at_ms, micro, constitution.charter())
                .unwrap()
        };
        let spending = Spending::new(ledger.clone());
        let over = reserve(&spending, Some("refund"), NOW, 61).unwrap_err();
        assert_eq!(over.scope, Scope::Protocol("refund".into()));
        assert!(
            over.to_string()
                .contains("budgets.protocols.refund.hourly_micro"),
            "{over}"
        );
        let spent = reserve(&spending, Some("refund"), NOW, 60).unwrap();
        // What is set aside for the protocol is the team's money, too.
        let over = reserve(&spending, None, NOW, 41).unwrap_err();
        assert_eq!(
            (&over.scope, over.reserved_micro),
            (&Scope::Team("support".into()), 60)
        );
        assert!(
            over.to_string()
                .contains("budgets.teams.support.daily_micro"),
            "{over}"
        );
        spending.settle(spent, 60, Commit::new()).unwrap();
        // A protocol without a budget, and somebody in no team, are not limited by others'.
        assert!(reserve(&spending, Some("another"), NOW, 40).is_ok());
        let stranger = Asker::alone("person:eve");
        let charter = constitution.charter();
        assert!(
            spending
                .reserve(Uuid::nil(), stranger, NOW, 5000, charter)
                .unwrap()
                .is_ok()
        );
        // Another host over the same ledger knows, and what it finds unsettled counts as spent.
        let spending = Spending::new(ledger.clone());
        assert!(reserve(&spending, Some("refund"), NOW, 1).is_err());
        let lost = reserve(&spending, Some("refund"), NOW + DAY_MS, 30).unwrap();
        spending.note(&lost).unwrap();
        let spending = Spending::new(ledger.clone());
        assert_eq!(spending.recover().unwrap().micro, 30);
        let over = reserve(&spending, None, NOW + DAY_MS, 61).unwrap_err();
        assert_eq!(
            (over.period, over.spent_micro),
            (super::super::Period::Month, 90)
        );
        assert!(reserve(&spending, None, NOW + DAY_MS, 60).is_ok());
    }
}
