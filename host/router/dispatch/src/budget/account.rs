//! One budget's account, for the hour, day or month that it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Period, Scope, Span};

/// Which account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId {
    /// What kind of budget.
    pub scope: Scope,
    /// For how long.
    pub period: Period,
    /// Whose; empty for the company's.
    pub id: Arc<str>,
}

/// What an account has, as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Which account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The hour, day or month.
    #[serde(flatten)]
    pub span: Span,
    /// Spent in it.
    pub spent_micro: u64,
    /// Set aside of it.
    #[serde(default)]
    pub reserved_micro: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) span: Span,
    // Wider than any amount, so that sums are exact whatever the amounts are.
    pub(super) spent: u128,
    pub(super) reserved: u128,
}

impl AccountId {
    /// The name under which the account is stored: `budget/actor/day/person:ada`.
    pub fn key(&self) -> String {
        format!("budget/{}/{}/{}", self.scope, self.period, self.id)
    }
}

impl Account {
    /// Begins anew where the span is over. A clock that went back changes nothing.
    pub(super) fn turn(&mut self, period: Period, now_ms: u64, utc_offset_minutes: i32) {
        if now_ms >= self.span.end_ms {
            *self = Self {
                span: period.span(now_ms, utc_offset_minutes),
                ..Self::default()
            };
        }
    }

    pub(super) fn row(&self, account: &AccountId) -> AccountRow {
        let amount = |micro: u128| u64::try_from(micro).unwrap_or(u64::MAX);
        AccountRow {
            account: account.clone(),
            span: self.span,
            spent_micro: amount(self.spent),
            reserved_micro: amount(self.reserved),
        }
    }
}
