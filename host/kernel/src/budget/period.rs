//! Hours, days and months of UTC, for limits.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use polity_constitution::{Budgets, SpendLimits};
use serde::Serialize;

use super::{DAY_MS, Scope};

pub(super) const HOUR_MS: u64 = DAY_MS / 24;

/// How long a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Period {
    pub(super) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// What may be spent within it.
    pub(super) fn limit(self, budgets: &Budgets, whose: &Scope) -> Option<u64> {
        let of = |limits: &SpendLimits| match self {
            Self::Hour => limits.hourly_micro,
            Self::Day => limits.daily_micro,
            Self::Month => limits.monthly_micro,
        };
        match whose {
            Scope::Actor(actor) => match self {
                Self::Hour => budgets.actor_hourly_micro,
                Self::Day => budgets.of(actor),
                Self::Month => budgets.actor_monthly_micro,
            },
            Scope::Team(team) => of(&budgets.teams.get(team)?.limits),
            Scope::Protocol(protocol) => of(budgets.protocols.get(protocol)?),
            Scope::Company => match self {
                Self::Hour => budgets.company_hourly_micro,
                Self::Day => budgets.company_daily_micro,
                Self::Month => budgets.company_monthly_micro,
            },
        }
    }

    /// When the one that a time lies in is over.
    pub(super) fn ends_at(self, at_ms: u64) -> u64 {
        match self {
            Self::Hour => (at_ms / HOUR_MS + 1) * HOUR_MS,
            Self::Day => (at_ms / DAY_MS + 1) * DAY_MS,
            Self::Month => {
                let (first, days) = month(at_ms / DAY_MS);
                (first + days) * DAY_MS
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Month => "monthly",
        })
    }
}

/// The first day of a day's month, and how many days it has.
pub(super) fn month(day: u64) -> (u64, u64) {
    let time = i64::try_from(day * DAY_MS)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // What lies beyond every calendar is a month of its own.
    time.map_or((day, 1), |time| {
        let date = time.to_zoned(TimeZone::UTC).date();
        let passed = u64::try_from(date.day() - 1).unwrap_or(0);
        let days = u64::try_from(date.days_in_month()).unwrap_or(1);
        (day.saturating_sub(passed), days)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_where_the_calendar_says() {
        // 2024-02-10 12:34 UTC.
        let day = 19_763;
        let at_ms = day * DAY_MS + 45_240_000;
        assert_eq!(month(day), (19_754, 29));
        assert_eq!(Period::Hour.ends_at(at_ms), day * DAY_MS + 13 * HOUR_MS);
        assert_eq!(Period::Day.ends_at(at_ms), (day + 1) * DAY_MS);
        assert_eq!(Period::Month.ends_at(at_ms), (19_754 + 29) * DAY_MS);
        assert_eq!(month(u64::MAX / DAY_MS).1, 1);
    }
}
