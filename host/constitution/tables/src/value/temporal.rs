//! Dates, times and durations. Offsets are kept, named zones are refused: which instant a zone's time is depends on a
//! database that changes under a table that does not.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil;

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A time of day, with or without an offset from UTC in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    clock: civil::Time,
    offset: Option<i32>,
}

/// A day and a time, with or without an offset from UTC in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    civil: civil::DateTime,
    offset: Option<i32>,
}

/// Days, hours, minutes, seconds: an exact length in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaysDuration(pub i128);

/// Years and months, in months.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthsDuration(pub i64);

impl Date {
    /// `2026-11-23`
    pub fn parse(text: &str) -> Option<Self> {
        let shape = text.as_bytes();
        let plain = shape.len() == 10 && shape[4] == b'-' && shape[7] == b'-';
        plain.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// A day of the proleptic Gregorian calendar.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        civil::Date::new(
            year.try_into().ok()?,
            month.try_into().ok()?,
            day.try_into().ok()?,
        )
        .ok()
        .map(Self)
    }

    /// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`.
    pub fn days(self) -> i64 {
        let (month, day) = (i64::from(self.0.month()), i64::from(self.0.day()));
        let year = i64::from(self.0.year()) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// The day this many days after 1970-01-01.
    pub fn of_days(days: i64) -> Option<Self> {
        let span = jiff::Span::new().try_days(days).ok()?;
        civil::date(1970, 1, 1).checked_add(span).ok().map(Self)
    }

    /// Year, month or day.
    pub fn part(self, name: &str) -> Option<i64> {
        match name {
            "year" => Some(self.0.year().into()),
            "month" => Some(self.0.month().into()),
            "day" => Some(self.0.day().into()),
            "weekday" => Some(self.0.weekday().to_monday_one_offset().into()),
            _ => None,
        }
    }

    /// Midnight of the day, without an offset.
    pub fn midnight(self) -> DateTime {
        DateTime {
            civil: self.0.to_datetime(civil::Time::midnight()),
            offset: None,
        }
    }
}

impl Time {
    /// `16:11:00`, `16:11:00Z`, `16:11:00+02:00`
    pub fn parse(text: &str) -> Option<Self> {
        let (clock, offset) = split_offset(text)?;
        Some(Self {
            clock: clock_of(clock)?,
            offset,
        })
    }

    /// Nanoseconds since midnight, at UTC where there is an offset.
    pub fn nanoseconds(self) -> i128 {
        let local = i128::from(self.clock.hour()) * 3600
            + i128::from(self.clock.minute()) * 60
            + i128::from(self.clock.second());
        (local - i128::from(self.offset.unwrap_or(0))) * SECOND
            + i128::from(self.clock.subsec_nanosecond())
    }

    /// Whether it has an offset.
    pub fn is_fixed(self) -> bool {
        self.offset.is_some()
    }

    /// The time of day that many nanoseconds after midnight.
    pub fn of_nanoseconds(nanoseconds: i128, fixed: bool) -> Option<Self> {
        let within = u64::try_from(nanoseconds.rem_euclid(86_400 * SECOND)).ok()?;
        let seconds = within / 1_000_000_000;
        let clock = civil::Time::new(
            i8::try_from(seconds / 3600).ok()?,
            i8::try_from(seconds / 60 % 60).ok()?,
            i8::try_from(seconds % 60).ok()?,
            i32::try_from(within % 1_000_000_000).ok()?,
        );
        clock.ok().map(|clock| Self {
            clock,
            offset: fixed.then_some(0),
        })
    }

    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        (self.is_fixed() == other.is_fixed()).then(|| self.nanoseconds().cmp(&other.nanoseconds()))
    }
}

impl DateTime {
    /// `2026-11-23T16:12:00`, with `Z` or an offset or without.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let (clock, offset) = split_offset(time)?;
        Some(Self {
            civil: Date::parse(date)?.0.to_datetime(clock_of(clock)?),
            offset,
        })
    }

    /// Nanoseconds since 1970, at UTC where there is an offset.
    pub fn nanoseconds(self) -> i128 {
        let day = i128::from(Date(self.civil.date()).days()) * 86_400 * SECOND;
        let time = Time {
            clock: self.civil.time(),
            offset: self.offset,
        };
        day + time.nanoseconds()
    }

    /// Whether it has an offset, and with it is an instant.
    pub fn is_fixed(self) -> bool {
        self.offset.is_some()
    }

    /// The day and time that many nanoseconds after 1970.
    pub fn of_nanoseconds(nanoseconds: i128, fixed: bool) -> Option<Self> {
        let day = 86_400 * SECOND;
        let date = Date::of_days(i64::try_from(nanoseconds.div_euclid(day)).ok()?)?;
        let time = Time::of_nanoseconds(nanoseconds.rem_euclid(day), fixed)?;
        Some(Self {
            civil: date.0.to_datetime(time.clock),
            offset: fixed.then_some(0),
        })
    }

    /// Its day.
    pub fn date(self) -> Date {
        Date(self.civil.date())
    }

    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        (self.is_fixed() == other.is_fixed()).then(|| self.nanoseconds().cmp(&other.nanoseconds()))
    }
}

impl DaysDuration {
    /// `P1DT12H30M1.5S`
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, body) = sign(text)?;
        let (days, time) = body
            .split_once('T')
            .map_or((body, None), |(days, time)| (days, Some(time)));
        let mut total = 0_i128;
        let mut parts = 0;
        for (text, units) in [
            (days, [('D', 86_400_i128)].as_slice()),
            (
                time.unwrap_or(""),
                [('H', 3600), ('M', 60), ('S', 1)].as_slice(),
            ),
        ] {
            for (amount, unit) in fields(text, units)? {
                total = total.checked_add(scaled(amount, unit, unit == 1)?)?;
                parts += 1;
            }
        }
        let empty_time = time.is_some_and(str::is_empty);
        (parts > 0 && !empty_time).then_some(Self(if negative { -total } else { total }))
    }
}

impl MonthsDuration {
    /// `P1Y6M`
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, body) = sign(text)?;
        let parts = fields(body, &[('Y', 12), ('M', 1)])?;
        let mut total = 0_i64;
        for (amount, unit) in &parts {
            let months = amount
                .parse::<i64>()
                .ok()?
                .checked_mul(i64::try_from(*unit).ok()?)?;
            total = total.checked_add(months)?;
        }
        (!parts.is_empty()).then_some(Self(if negative { -total } else { total }))
    }
}

fn sign(text: &str) -> Option<(bool, &str)> {
    match text.strip_prefix('-') {
        Some(rest) => Some((true, rest.strip_prefix('P')?)),
        None => Some((false, text.strip_prefix('P')?)),
    }
}

/// Splits `1Y6M` into amounts with the size of their unit; each unit at most once and in order.
fn fields<'t>(text: &'t str, units: &[(char, i128)]) -> Option<Vec<(&'t str, i128)>> {
    let mut rest = text;
    let mut found = Vec::new();
    for (letter, size) in units {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        if rest[digits..].starts_with(*letter) && digits > 0 {
            found.push((&rest[..digits], *size));
            rest = &rest[digits + 1..];
        }
    }
    rest.is_empty().then_some(found)
}

fn scaled(amount: &str, unit: i128, fraction_allowed: bool) -> Option<i128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if (!fraction.is_empty() && !fraction_allowed) || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let nanoseconds: i128 = format!("{fraction:0<9}").parse().ok()?;
    let seconds = whole.parse::<i64>().ok()?;
    i128::from(seconds)
        .checked_mul(unit)?
        .checked_mul(SECOND)?
        .checked_add(nanoseconds)
}

fn clock_of(text: &str) -> Option<civil::Time> {
    let shape = text.as_bytes();
    let plain = shape.len() >= 8 && shape[2] == b':' && shape[5] == b':';
    plain.then(|| text.parse().ok()).flatten()
}

fn split_offset(text: &str) -> Option<(&str, Option<i32>)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = (hours <= 18 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    Some((
        &text[..at],
        Some(if text[at..].starts_with('-') {
            -seconds
        } else {
            seconds
        }),
    ))
}

fn write_offset(f: &mut fmt::Formatter<'_>, offset: Option<i32>) -> fmt::Result {
    match offset {
        None => Ok(()),
        Some(0) => f.write_str("Z"),
        Some(seconds) => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.unsigned_abs() / 60;
            write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.clock)?;
        write_offset(f, self.offset)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.civil.date(), self.civil.time())?;
        write_offset(f, self.offset)
    }
}

impl fmt::Display for DaysDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.unsigned_abs();
        let (seconds, nanoseconds) = (total / SECOND.unsigned_abs(), total % SECOND.unsigned_abs());
        if self.0 < 0 {
            f.write_str("-")?;
        }
        f.write_str("P")?;
        if seconds >= 86_400 {
            write!(f, "{}D", seconds / 86_400)?;
        }
        let (hours, minutes, rest) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        if seconds % 86_400 == 0 && nanoseconds == 0 && total > 0 {
            return Ok(());
        }
        f.write_str("T")?;
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}M")?;
        }
        if nanoseconds > 0 {
            let fraction = format!("{nanoseconds:09}");
            write!(f, "{rest}.{}S", fraction.trim_end_matches('0'))?;
        } else if rest > 0 || total == 0 {
            write!(f, "{rest}S")?;
        }
        Ok(())
    }
}

impl fmt::Display for MonthsDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let months = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match (months / 12, months % 12) {
            (0, months) => write!(f, "P{months}M"),
            (years, 0) => write!(f, "P{years}Y"),
            (years, months) => write!(f, "P{years}Y{months}M"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_with_an_offset_compare_as_instants_and_never_with_those_without() {
        let at = |text: &str| DateTime::parse(text).unwrap();
        let (berlin, utc, local) = (
            at("2026-07-30T18:12:00+02:00"),
            at("2026-07-30T16:12:00Z"),
            at("2026-07-30T16:12:00"),
        );
        assert_eq!(berlin.order(utc), Some(Ordering::Equal));
        assert_eq!(utc.order(local), None);
    }

    #[test]
    fn what_is_no_date_or_duration_is_nothing() {
        for text in [
            "2026-02-30",
            "2026-1-1",
            "20260101",
            "",
            "tomorrow",
            "2026-01-01T00:00:00",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        for text in [
            "P",
            "PT",
            "P1DT",
            "1D",
            "P1M",
            "P1.5D",
            "PT1H1H",
            "PTS",
            "P99999999999999999999D",
        ] {
            assert_eq!(DaysDuration::parse(text), None, "{text}");
        }
        for text in ["P", "P1D", "P1M1Y", "P1.5Y", "P9223372036854775807Y"] {
            assert_eq!(MonthsDuration::parse(text), None, "{text}");
        }
        assert_eq!(DateTime::parse("2026-01-01T00:00:00@Europe/Paris"), None);
    }

    proptest! {
        #[test]
        fn durations_are_read_as_they_are_written(nanoseconds in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000, months in -100_000_i64..100_000) {
            let days = DaysDuration(nanoseconds);
            prop_assert_eq!(DaysDuration::parse(&days.to_string()), Some(days));
            let months = MonthsDuration(months);
            prop_assert_eq!(MonthsDuration::parse(&months.to_string()), Some(months));
        }

        #[test]
        fn days_count_as_the_calendar_does(days in -700_000_i64..2_900_000) {
            let date = Date::of_days(days).unwrap();
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::parse(&date.to_string()), (date.0.year() >= 0).then_some(date));
        }

        #[test]
        fn date_times_are_read_as_they_are_written(seconds in -30_000_000_000_i64..200_000_000_000, fixed: bool) {
            let at = DateTime::of_nanoseconds(i128::from(seconds) * SECOND, fixed).unwrap();
            prop_assert_eq!(at.nanoseconds(), i128::from(seconds) * SECOND);
            prop_assert_eq!(DateTime::parse(&at.to_string()), Some(at));
        }
    }
}
