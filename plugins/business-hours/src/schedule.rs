//! When it is open, in the wall-clock time of one place.

use std::fmt;

use crate::calendar::{Day, days_in_month};
use crate::config::Config;

/// How far ahead an opening is looked for: past every yearly holiday, with a leap day.
const HORIZON_DAYS: i64 = 800;
const DAY_MINUTES: u32 = 24 * 60;

/// Settings that say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub(crate) String);

/// Opening hours and holidays.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// From Monday to Sunday.
    week: [Vec<Opening>; 7],
    holidays: Vec<Holiday>,
}

/// In minutes from midnight; the end is past 24:00 where it stays open overnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Opening {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug)]
struct Holiday {
    /// Absent for every year.
    year: Option<i64>,
    month: u8,
    day: u8,
    name: Option<String>,
}

impl Schedule {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first part that cannot be read.
    pub fn new(config: &Config) -> Result<Self, Invalid> {
        let mut week: [Vec<Opening>; 7] = Default::default();
        for (openings, written) in week.iter_mut().zip(config.hours.week()) {
            *openings = written
                .iter()
                .map(|span| opening(span))
                .collect::<Result<_, _>>()?;
            openings.sort_unstable();
        }
        let holidays = config
            .holidays
            .iter()
            .map(|day| holiday(day))
            .collect::<Result<_, _>>()?;
        Ok(Self { week, holidays })
    }

    /// True from the first minute of an opening to before its last.
    pub fn is_open(&self, day: Day, minute: u32) -> bool {
        let opened = |day: Day, minute: u32| {
            self.openings(day)
                .iter()
                .any(|opening| (opening.start..opening.end).contains(&minute))
        };
        opened(day, minute) || opened(day.previous(), minute + DAY_MINUTES)
    }

    /// The day and minute when it opens next, if it is closed now. `None` if it never does.
    pub fn next_opening(&self, day: Day, minute: u32) -> Option<(Day, u32)> {
        (0..=HORIZON_DAYS).find_map(|ahead| {
            let date = Day(day.0 + ahead);
            let opening = self
                .openings(date)
                .iter()
                .find(|opening| ahead > 0 || opening.start > minute)?;
            Some((date, opening.start))
        })
    }

    /// The holiday on this day: its name, or nothing but the fact.
    pub fn holiday(&self, day: Day) -> Option<Option<&str>> {
        if self.holidays.is_empty() {
            return None;
        }
        let date = day.date();
        self.holidays
            .iter()
            .find(|holiday| {
                holiday.month == date.month
                    && holiday.day == date.day
                    && holiday.year.is_none_or(|year| year == date.year)
            })
            .map(|holiday| holiday.name.as_deref())
    }

    /// What opens on this day. What opened the evening before is not among it, and a holiday does not end it.
    fn openings(&self, day: Day) -> &[Opening] {
        if self.holiday(day).is_some() {
            &[]
        } else {
            &self.week[day.weekday()]
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn opening(span: &str) -> Result<Opening, Invalid> {
    let read = || {
        let (start, end) = span.split_once('-')?;
        let (start, end) = (minutes(start)?, minutes(end)?);
        let end = if end <= start { end + DAY_MINUTES } else { end };
        (start < DAY_MINUTES).then_some(Opening { start, end })
    };
    read().ok_or_else(|| {
        Invalid(format!(
            "\"{span}\" is no span of time; write \"09:00-17:30\""
        ))
    })
}

fn minutes(time: &str) -> Option<u32> {
    let (hours, minutes) = time.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let number = |part: &str| {
        if two_digits(part) {
            part.parse::<u32>().ok()
        } else {
            None
        }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY_MINUTES).then_some(total)
}

fn holiday(written: &str) -> Result<Holiday, Invalid> {
    let read = || {
        let (date, name) = match written.split_once(' ') {
            Some((date, name)) => (date, Some(name.trim().to_owned())),
            None => (written, None),
        };
        let parts: Vec<&str> = date.split('-').collect();
        let (year, month, day) = match parts.as_slice() {
            [year, month, day] => (Some(year.parse().ok()?), month, day),
            [month, day] => (None, month, day),
            _ => return None,
        };
        let (month, day) = (month.parse().ok()?, day.parse().ok()?);
        // A leap year for those that come every year: 02-29 is a date.
        let exists = (1..=days_in_month(year.unwrap_or(2024), month)).contains(&day);
        exists.then_some(Holiday {
            year,
            month,
            day,
            name,
        })
    };
    read().ok_or_else(|| {
        Invalid(format!(
            "\"{written}\" is no date; write \"2026-12-24\" or \"12-25 Christmas Day\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::calendar::Date;

    fn day(year: i64, month: u8, day: u8) -> Day {
        Day::of(Date { year, month, day })
    }

    fn schedule(
        hours: serde_json::Value,
        holidays: serde_json::Value,
    ) -> Result<Schedule, Invalid> {
        let config = json!({"zone": "UTC", "hours": hours, "holidays": holidays});
        Schedule::new(&serde_json::from_value(config).unwrap())
    }

    fn office() -> Schedule {
        let day = json!(["09:00-12:30", "13:30-17:30"]);
        let hours = json!({"mon": day, "tue": day, "wed": day, "thu": day, "fri": ["09:00-15:00"]});
        schedule(hours, json!(["12-25 Christmas Day", "2026-11-30"])).unwrap()
    }

    #[test]
    fn it_is_open_from_the_first_minute_to_before_the_last() {
        let office = office();
        // 2026-11-23 is a Monday.
        let monday = day(2026, 11, 23);
        for (hour, minute, open) in [
            (8, 59, false),
            (9, 0, true),
            (12, 29, true),
            (12, 30, false),
            (13, 30, true),
            (17, 29, true),
            (17, 30, false),
        ] {
            assert_eq!(
                office.is_open(monday, hour * 60 + minute),
                open,
                "{hour}:{minute}"
            );
        }
    }

    #[test]
    fn the_next_opening_is_later_today_tomorrow_or_after_the_weekend_and_the_holiday() {
        let office = office();
        let next = |month, of_month, hour: u32| {
            office
                .next_opening(day(2026, month, of_month), hour * 60)
                .unwrap()
        };
        assert_eq!(next(11, 23, 7), (day(2026, 11, 23), 540));
        assert_eq!(next(11, 23, 13), (day(2026, 11, 23), 810));
        assert_eq!(next(11, 23, 18), (day(2026, 11, 24), 540));
        assert_eq!(
            next(11, 27, 16),
            (day(2026, 12, 1), 540),
            "the 30th is a holiday"
        );
        assert_eq!(
            next(12, 24, 20),
            (day(2026, 12, 28), 540),
            "the 25th is one every year"
        );
    }

    #[test]
    fn a_night_shift_lasts_past_midnight_and_into_a_holiday() {
        let nights = schedule(json!({"fri": ["22:00-06:00"]}), json!(["2026-11-28"])).unwrap();
        assert!(nights.is_open(day(2026, 11, 27), 1380));
        assert!(nights.is_open(day(2026, 11, 28), 359));
        assert!(!nights.is_open(day(2026, 11, 28), 360));
        assert!(
            !nights.is_open(day(2026, 11, 27), 300),
            "the night before was not open"
        );
        let closed = schedule(json!({"fri": ["22:00-06:00"]}), json!(["2026-11-27"])).unwrap();
        assert!(!closed.is_open(day(2026, 11, 28), 60));
    }

    #[test]
    fn a_day_can_be_open_throughout() {
        let always = schedule(json!({"sun": ["00:00-24:00"]}), json!([])).unwrap();
        assert!(always.is_open(day(2026, 11, 29), 0));
        assert!(always.is_open(day(2026, 11, 29), 1439));
        assert!(!always.is_open(day(2026, 11, 30), 0));
    }

    #[test]
    fn what_never_opens_has_no_next_opening() {
        assert_eq!(
            schedule(json!({"mon": []}), json!([]))
                .unwrap()
                .next_opening(day(2026, 1, 1), 0),
            None
        );
        let leap = schedule(json!({"mon": ["09:00-10:00"]}), json!(["02-29"])).unwrap();
        assert!(leap.next_opening(day(2028, 2, 28), 1380).is_some());
    }

    #[test]
    fn settings_that_say_nothing_are_refused_with_an_example() {
        for span in [
            "9-17",
            "09:00",
            "09:00-25:00",
            "24:00-25:00",
            "09:60-10:00",
            "24:00-06:00",
            "+9:00-10:00",
        ] {
            let error = schedule(json!({"mon": [span]}), json!([]))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(span) && error.contains("09:00-17:30"),
                "{error}"
            );
        }
        for day in ["25.12.", "2026-02-30", "13-01", "Christmas", ""] {
            let error = schedule(json!({}), json!([day])).unwrap_err().to_string();
            assert!(error.contains("Christmas Day"), "{error}");
        }
    }
}
