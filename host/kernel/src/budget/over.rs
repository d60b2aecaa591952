//! A budget that is used up, in words that say what to do.

use std::fmt;

use serde::Serialize;

use super::{Period, Scope};
use crate::money::Money;

/// A budget does not have enough left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverBudget {
    /// Whose budget.
    pub scope: Scope,
    /// For how long it is.
    pub period: Period,
    /// The limit.
    pub limit_micro: u64,
    /// Spent so far.
    pub spent_micro: u64,
    /// Set aside for completions in progress.
    pub reserved_micro: u64,
    /// What this one might cost.
    pub needed_micro: u64,
    /// What the amounts are millionths of.
    pub currency: String,
    /// When the period is over.
    pub resets_at_ms: u64,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            period,
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
        let (whose, setting) = match (&self.scope, period) {
            (Scope::Actor(actor), Period::Day) => (
                format!("the daily budget of {actor}"),
                "budgets.actors".to_owned(),
            ),
            (Scope::Actor(actor), period) => (
                format!("the {period} budget of {actor}"),
                format!("budgets.actor_{period}_micro"),
            ),
            (scope @ Scope::Team(team), period) => (
                format!("the {period} budget of {scope}"),
                format!("budgets.teams.{team}.{period}_micro"),
            ),
            (scope @ Scope::Protocol(protocol), period) => (
                format!("the {period} budget of {scope}"),
                format!("budgets.protocols.{protocol}.{period}_micro"),
            ),
            (Scope::Company, period) => (
                format!("the company's {period} budget"),
                format!("budgets.company_{period}_micro"),
            ),
        };
        let until = match period {
            Period::Hour => "until the hour is over",
            Period::Day => "until 00:00 UTC",
            Period::Month => "until the month is over",
        };
        write!(
            f,
            "{whose} is {}: {} is spent, {} is set aside for what is in progress, and this may cost up to {}; ask for a \
             shorter answer, wait {until}, or raise {setting} in charter.json",
            money(*limit_micro),
            money(*spent_micro),
            money(*reserved_micro),
            money(*needed_micro),
        )
    }
}
