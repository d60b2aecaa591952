//! A budget that is used up, in words that say what to do.

use std::fmt;

use serde::Serialize;

use crate::money::Money;

/// Whose budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One actor's.
    Actor(String),
    /// Everyone's together.
    Company,
}

/// A day's budget does not have enough left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverBudget {
    /// Whose budget.
    pub scope: Scope,
    /// The limit of a day.
    pub limit_micro: u64,
    /// Spent so far.
    pub spent_micro: u64,
    /// Set aside for completions in progress.
    pub reserved_micro: u64,
    /// What this one might cost.
    pub needed_micro: u64,
    /// What the amounts are millionths of.
    pub currency: String,
    /// When the day is over.
    pub resets_at_ms: u64,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit_micro,
            spent_micro,
            reserved_micro,
            needed_micro,
            ..
        } = self;
        let money = |micro| Money {
            micro,
            currency: &self.currency,
        };
        let (whose, setting) = match &self.scope {
            Scope::Actor(actor) => (format!("the daily budget of {actor}"), "budgets.actors"),
            Scope::Company => (
                "the company's daily budget".to_owned(),
                "budgets.company_daily_micro",
            ),
        };
        write!(
            f,
            "{whose} is {}: {} is spent, {} is set aside for what is in progress, and this may cost up to {}; ask for a \
             shorter answer, wait until 00:00 UTC, or raise {setting} in charter.json",
            money(*limit_micro),
            money(*spent_micro),
            money(*reserved_micro),
            money(*needed_micro),
        )
    }
}
