//! A budget that is used up, in words that say what to do.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Period, Scope};
use crate::money::Money;

/// A budget does not have enough left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct OverBudget {
    /// What kind of budget.
    pub scope: Scope,
    /// Whose; empty for the company's.
    pub id: Arc<str>,
    /// For how long it is.
    pub period: Period,
    /// The limit.
    pub limit_micro: u64,
    /// Spent so far.
    pub spent_micro: u64,
    /// Set aside for what is in progress.
    pub reserved_micro: u64,
    /// What this one might cost.
    pub needed_micro: u64,
    /// What is left.
    pub left_micro: u64,
    /// What the amounts are millionths of.
    pub currency: Arc<str>,
    /// When the budget begins anew.
    pub resets_at_ms: u64,
    /// The same as the company's clock shows it.
    pub resets_at: String,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |micro| Money {
            micro,
            currency: &self.currency,
        };
        let period = self.period;
        match self.scope {
            Scope::Company => write!(f, "the company's budget of the {period}")?,
            scope => write!(f, "the {scope} budget of the {period} of {}", self.id)?,
        }
        write!(
            f,
            " is {}: {} is spent, {} is set aside for what is in progress, {} is left, and this may cost up to {}; ask \
             for a shorter answer, wait until {}, or raise the limit",
            money(self.limit_micro),
            money(self.spent_micro),
            money(self.reserved_micro),
            money(self.left_micro),
            money(self.needed_micro),
            self.resets_at,
        )
    }
}

/// A time as the company's clock shows it: `2026-12-01 00:00 +01:00`.
pub(super) fn clock_text(at_ms: u64, utc_offset_minutes: i32) -> String {
    let timestamp = i64::try_from(at_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let offset = jiff::tz::Offset::from_seconds(utc_offset_minutes.saturating_mul(60)).ok();
    match (timestamp, offset) {
        (Some(timestamp), Some(offset)) => {
            let (sign, minutes) = match utc_offset_minutes {
                0.. => ('+', utc_offset_minutes),
                _ => ('-', -utc_offset_minutes),
            };
            let wall = offset.to_datetime(timestamp);
            format!(
                "{} {:02}:{:02} {sign}{:02}:{:02}",
                wall.date(),
                wall.hour(),
                wall.minute(),
                minutes / 60,
                minutes % 60
            )
        }
        _ => format!("{at_ms} ms"),
    }
}
