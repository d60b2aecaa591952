//! The gates of one house: its breakers, limits and budgets, joined.

use crate::budget::{AccountRow, Budgets, ReservationId, ReserveError};
use crate::gates::{Ask, Blocked, Gates, Permit, Settlement};
use crate::{
    Allowance, BreakerEvent, BreakerPolicy, Breakers, BudgetRules, Candidate, LimitPermit, Limits,
};

/// Shared by all requests. Everything in it may be used from many threads.
#[derive(Debug)]
pub struct House {
    /// Which models are left alone.
    pub breakers: Breakers,
    /// What models allow in a minute.
    pub limits: Limits,
    /// What may be spent.
    pub budgets: Budgets,
    /// How many retries there may be.
    pub retries: Allowance,
    /// How many hedges there may be.
    pub hedges: Allowance,
}

impl House {
    /// A house in which nothing has happened yet: a fifth of requests may be retried, a twentieth hedged.
    pub fn new(breakers: BreakerPolicy, budgets: BudgetRules) -> Self {
        Self::with_budgets(breakers, Budgets::new(budgets))
    }

    /// The same with budgets that were restored.
    pub fn with_budgets(breakers: BreakerPolicy, budgets: Budgets) -> Self {
        Self {
            breakers: Breakers::new(breakers),
            limits: Limits::default(),
            budgets,
            retries: Allowance::new(200, 50),
            hedges: Allowance::new(50, 20),
        }
    }
}

impl House {
    /// Gives back what an attempt took, handing the changed accounts to `write` while they are locked: a host that keeps
    /// a ledger commits them there, in the order in which they were added up. See [`Budgets::settle_with`].
    pub fn settle_with(
        &self,
        candidate: &Candidate,
        permit: Permit,
        settlement: &Settlement,
        write: impl FnOnce(&[AccountRow]),
    ) -> Option<BreakerEvent> {
        let (plugin, model) = (&candidate.plugin, &candidate.model);
        if let Some(id) = permit.reservation {
            // It is open: this permit is the only one that names it, and it is handed in once.
            let settled = self.budgets.settle_with(id, settlement.cost_micro, write);
            debug_assert!(settled.is_ok(), "{settled:?}");
        }
        if let Some(limit) = permit.limit {
            let used = settlement.tokens.map(|tokens| tokens.total());
            self.limits.release(plugin, model, limit, used);
        }
        self.breakers.record(
            plugin,
            model,
            permit.breaker?,
            settlement.verdict,
            settlement.now_ms,
        )
    }
}

impl Gates for House {
    fn admit(&self, ask: &Ask<'_>) -> Result<Permit, Blocked> {
        let Ask {
            facts,
            attempt,
            candidate,
            force,
            now_ms,
        } = *ask;
        let (plugin, model) = (&candidate.plugin, &candidate.model);
        // Asked first without taking anything: most refusals end here.
        if let Some(open) = self.breakers.open_until(plugin, model, now_ms)
            && !force
        {
            return Err(Blocked::Breaker(open));
        }
        let tokens = facts.prompt_tokens.saturating_add(facts.max_output_tokens);
        let limit = self
            .limits
            .acquire(plugin, model, tokens, now_ms)
            .map_err(Blocked::Limit)?;
        // From here on a refusal has to give back what was taken before it.
        let give_back = |limit: Option<LimitPermit>| {
            if let Some(limit) = limit {
                self.limits.release(plugin, model, limit, None);
            }
        };
        let id = ReservationId {
            request: facts.id,
            attempt,
        };
        let micro = candidate.estimate_micro;
        let reserved = self.budgets.reserve(id, &facts.payer, model, micro, now_ms);
        if let Err(error) = reserved {
            give_back(limit);
            return Err(match error {
                ReserveError::Over(over) => Blocked::OverBudget(over),
                twice @ ReserveError::Twice(_) => Blocked::Other(twice.to_string()),
            });
        }
        // The breaker comes last, because what it does is an event that must not be lost to a later refusal.
        let (answer, event) = self.breakers.admit(plugin, model, now_ms, force);
        match answer {
            Ok(breaker) => {
                if attempt == 0 {
                    self.retries.deposit();
                    self.hedges.deposit();
                }
                Ok(Permit {
                    breaker: Some(breaker),
                    limit,
                    reservation: Some(id),
                    event,
                })
            }
            Err(open) => {
                give_back(limit);
                // It was made two lines above.
                let _ = self.budgets.settle(id, 0);
                Err(Blocked::Breaker(open))
            }
        }
    }

    fn settle(
        &self,
        candidate: &Candidate,
        permit: Permit,
        settlement: &Settlement,
    ) -> Option<BreakerEvent> {
        self.settle_with(candidate, permit, settlement, |_| ())
    }

    fn allow_retry(&self) -> bool {
        self.retries.withdraw()
    }

    fn allow_hedge(&self) -> bool {
        self.hedges.withdraw()
    }
}
