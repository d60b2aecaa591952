//! Hours, days and months as the company's calendar has them.

use std::fmt;

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// From full hour to full hour.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

/// One hour, day or month: its first millisecond, and the first that is no longer in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first millisecond.
    pub start_ms: u64,
    /// The first millisecond after it.
    pub end_ms: u64,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// The name that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The span that a time lies in, where the clock on the wall is so many minutes ahead of UTC.
    pub fn span(self, now_ms: u64, utc_offset_minutes: i32) -> Span {
        let offset = i64::from(utc_offset_minutes) * MINUTE_MS;
        let wall = i64::try_from(now_ms)
            .unwrap_or(i64::MAX)
            .saturating_add(offset);
        let (start, end) = match self {
            Self::Hour => evenly(wall, HOUR_MS),
            Self::Day => evenly(wall, DAY_MS),
            Self::Month => month(wall.div_euclid(DAY_MS)),
        };
        // What lies before 1970 or beyond what can be counted is cut off there.
        let utc = |wall: i64| u64::try_from(wall.saturating_sub(offset)).unwrap_or(0);
        let (start_ms, end_ms) = (utc(start), utc(end));
        Span {
            start_ms,
            end_ms: end_ms.max(start_ms.saturating_add(1)),
        }
    }
}

fn evenly(wall: i64, length: i64) -> (i64, i64) {
    let start = wall.saturating_sub(wall.rem_euclid(length));
    (start, start.saturating_add(length))
}

fn month(day: i64) -> (i64, i64) {
    let (year, month, day_of_month) = date(day);
    let first = day - (i64::from(day_of_month) - 1);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    };
    let start = first.saturating_mul(DAY_MS);
    (start, start.saturating_add(days * DAY_MS))
}

/// Year, month and day of a day since 1970 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn date(day: i64) -> (i64, u32, u32) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day_of_month as u32)
}

impl Span {
    /// Whether a time lies in it.
    pub fn contains(&self, now_ms: u64) -> bool {
        (self.start_ms..self.end_ms).contains(&now_ms)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use jiff::tz::Offset;
    use jiff::{Timestamp, ToSpan};
    use proptest::prelude::*;

    use super::*;

    /// The same by another calendar.
    fn expected(period: Period, now_ms: u64, offset_minutes: i32) -> (i64, i64) {
        let offset = Offset::from_seconds(offset_minutes * 60).unwrap();
        let wall = offset.to_datetime(Timestamp::from_millisecond(now_ms as i64).unwrap());
        let midnight = |wall: DateTime| wall.date().to_datetime(jiff::civil::time(0, 0, 0, 0));
        let (start, end) = match period {
            Period::Hour => {
                let start = midnight(wall) + i64::from(wall.hour()).hours();
                (start, start + 1.hour())
            }
            Period::Day => (midnight(wall), midnight(wall) + 1.day()),
            Period::Month => {
                let first = midnight(wall.first_of_month());
                (first, first + 1.month())
            }
        };
        let utc = |wall| offset.to_timestamp(wall).unwrap().as_millisecond();
        (utc(start), utc(end))
    }

    proptest! {
        #[test]
        fn every_span_is_the_calendars(
            now_ms in 86_400_000u64 * 62..253_000_000_000_000,
            offset_minutes in -14 * 60i32..=14 * 60,
        ) {
            for period in Period::ALL {
                let span = period.span(now_ms, offset_minutes);
                let (start, end) = expected(period, now_ms, offset_minutes);
                prop_assert_eq!((span.start_ms as i64, span.end_ms as i64), (start, end));
                prop_assert!(span.contains(now_ms));
            }
        }

        #[test]
        fn no_time_and_no_offset_is_too_much(now_ms: u64, offset_minutes: i32) {
            for period in Period::ALL {
                let span = period.span(now_ms, offset_minutes);
                prop_assert!(span.start_ms < span.end_ms || span.start_ms == u64::MAX);
            }
        }
    }
}
