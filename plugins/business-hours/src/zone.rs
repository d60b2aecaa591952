//! What the clock on the wall shows. A place's rule is a line of POSIX (`CET-1CEST,M3.5.0,M10.5.0/3`); `zones.txt` has
//! the present rule of every place in the IANA database, version 2026f, but for Cuba's, whose summer of 2026 goes on
//! through the winter. The past of a place's rule does not matter here: actions happen from now on.

use crate::calendar::{Date, Day, days_in_month, is_leap};
use crate::schedule::Invalid;

/// Lines of a rule and the places that follow it.
const ZONES: &str = include_str!("zones.txt");
const DAY: i64 = 24 * 3_600;

/// A place's rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    standard: Clock,
    summer: Option<Summer>,
}

/// Seconds east of Greenwich, and what the clock is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clock {
    name: String,
    offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    clock: Clock,
    begins: Change,
    ends: Change,
}

/// The day of a change, and the seconds from its midnight by the clock in force before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    on: On,
    at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// `M10.5.0`: a weekday (0 is Sunday) of a week of a month; the fifth is the last.
    Weekday { month: u8, week: u8, weekday: u8 },
    /// `J60`: a day of the year from 1, never counting 29 February.
    JulianWithoutLeapDay(i64),
    /// `59`: a day of the year from 0.
    DayOfYear(i64),
}

impl Zone {
    /// Finds a place, or reads a rule.
    ///
    /// # Errors
    /// Where the text is neither.
    pub fn named(text: &str) -> Result<Self, Invalid> {
        rule_of(text).or(Some(text)).and_then(parse).ok_or_else(|| {
            Invalid(format!("\"{text}\" is no time zone; write \"Europe/Berlin\" or \"CET-1CEST,M3.5.0,M10.5.0/3\""))
        })
    }

    /// The day and the second of the day that the clock shows, and the clock's name.
    pub fn wall_clock(&self, unix_seconds: i64) -> (Day, i64, &str) {
        let clock = self.clock(unix_seconds);
        let local = unix_seconds + clock.offset;
        (
            Day(local.div_euclid(DAY)),
            local.rem_euclid(DAY),
            &clock.name,
        )
    }

    fn clock(&self, unix_seconds: i64) -> &Clock {
        let Some(Summer {
            clock,
            begins,
            ends,
        }) = &self.summer
        else {
            return &self.standard;
        };
        let year = Day((unix_seconds + self.standard.offset).div_euclid(DAY))
            .date()
            .year;
        let begins = begins.second(year) - self.standard.offset;
        let ends = ends.second(year) - clock.offset;
        let is_summer = if begins < ends {
            (begins..ends).contains(&unix_seconds)
        } else {
            // South of the equator summer goes past the new year.
            !(ends..begins).contains(&unix_seconds)
        };
        if is_summer { clock } else { &self.standard }
    }
}

impl Change {
    /// Seconds since the epoch, by the clock on the wall.
    fn second(self, year: i64) -> i64 {
        let new_year = Day::of(Date {
            year,
            month: 1,
            day: 1,
        });
        let day = match self.on {
            On::DayOfYear(day) => Day(new_year.0 + day),
            On::JulianWithoutLeapDay(day) => {
                Day(new_year.0 + day - 1 + i64::from(day > 59 && is_leap(year)))
            }
            On::Weekday {
                month,
                week,
                weekday,
            } => {
                let first = Day::of(Date {
                    year,
                    month,
                    day: 1,
                });
                let to_weekday = (i64::from(weekday) + 6 - first.weekday() as i64).rem_euclid(7);
                let in_month = to_weekday + 7 * (i64::from(week) - 1);
                let too_late = in_month >= i64::from(days_in_month(year, month));
                Day(first.0 + in_month - if too_late { 7 } else { 0 })
            }
        };
        day.0 * DAY + self.at
    }
}

/// The rule of a place in the table.
fn rule_of(place: &str) -> Option<&'static str> {
    if place.is_empty() || place.contains(char::is_whitespace) {
        return None;
    }
    ZONES.match_indices(place).find_map(|(at, _)| {
        let (before, after) = (&ZONES[..at], &ZONES[at + place.len()..]);
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let is_whole = before.ends_with(' ') && after.starts_with([' ', '\n']);
        if is_whole {
            ZONES[line..].split(' ').next()
        } else {
            None
        }
    })
}

fn parse(rule: &str) -> Option<Zone> {
    let mut rest = rule;
    let standard = Clock {
        name: take_name(&mut rest)?,
        offset: -take_time(&mut rest, 24)?,
    };
    if rest.is_empty() {
        return Some(Zone {
            standard,
            summer: None,
        });
    }
    let name = take_name(&mut rest)?;
    let offset = if rest.starts_with(',') {
        standard.offset + 3_600
    } else {
        -take_time(&mut rest, 24)?
    };
    let begins = take_change(&mut rest)?;
    let ends = take_change(&mut rest)?;
    let summer = Summer {
        clock: Clock { name, offset },
        begins,
        ends,
    };
    rest.is_empty().then_some(Zone {
        standard,
        summer: Some(summer),
    })
}

/// `CET` or `<+0330>`.
fn take_name(rest: &mut &str) -> Option<String> {
    let (name, after) = match rest.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => rest.split_at(
            rest.find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len()),
        ),
    };
    *rest = after;
    let is_name = name.len() >= 3
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
    is_name.then(|| name.to_owned())
}

/// `-1`, `5:30` or `26:00:00`, in seconds.
fn take_time(rest: &mut &str, most_hours: i64) -> Option<i64> {
    let negative = rest.starts_with('-');
    *rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let hours = take_number(rest)?;
    let mut seconds = hours * 3_600;
    for scale in [60, 1] {
        if let Some(after) = rest.strip_prefix(':') {
            *rest = after;
            let number = take_number(rest).filter(|number| *number < 60)?;
            seconds += number * scale;
        }
    }
    (hours <= most_hours).then_some(if negative { -seconds } else { seconds })
}

/// `,M3.5.0/1`.
fn take_change(rest: &mut &str) -> Option<Change> {
    *rest = rest.strip_prefix(',')?;
    let on = if let Some(after) = rest.strip_prefix('M') {
        *rest = after;
        let month = take_number(rest)?;
        *rest = rest.strip_prefix('.')?;
        let week = take_number(rest)?;
        *rest = rest.strip_prefix('.')?;
        let weekday = take_number(rest)?;
        let exists = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
        exists.then_some(On::Weekday {
            month: month as u8,
            week: week as u8,
            weekday: weekday as u8,
        })?
    } else if let Some(after) = rest.strip_prefix('J') {
        *rest = after;
        take_number(rest)
            .filter(|day| (1..=365).contains(day))
            .map(On::JulianWithoutLeapDay)?
    } else {
        take_number(rest)
            .filter(|day| *day <= 365)
            .map(On::DayOfYear)?
    };
    let at = match rest.strip_prefix('/') {
        Some(after) => {
            *rest = after;
            take_time(rest, 167)?
        }
        None => 2 * 3_600,
    };
    Some(Change { on, at })
}

fn take_number(rest: &mut &str) -> Option<i64> {
    let length = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, TimeZoneDatabase};

    use super::*;

    /// The oracle's offset and ours at one instant.
    fn offsets(theirs: &TimeZone, ours: &Zone, second: i64) -> (i64, i64) {
        let timestamp = Timestamp::from_second(second).unwrap();
        (
            i64::from(theirs.to_offset(timestamp).seconds()),
            ours.clock(second).offset,
        )
    }

    #[test]
    fn every_place_keeps_the_time_that_the_iana_database_says_it_keeps() {
        let database = TimeZoneDatabase::bundled();
        let from = Timestamp::from_second(1_795_000_000).unwrap().as_second();
        let (mut places, mut wrong) = (0, Vec::new());
        for place in ZONES.lines().flat_map(|line| line.split(' ').skip(1)) {
            let (theirs, ours) = (database.get(place).unwrap(), Zone::named(place).unwrap());
            let differs = (0..24 * 366 * 5)
                .step_by(3)
                .map(|hours| from + hours * 3_600)
                .find(|second| {
                    let (expected, found) = offsets(&theirs, &ours, *second);
                    found != expected
                });
            if let Some(second) = differs {
                wrong.push(format!("{place} at {second}"));
            }
            places += 1;
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(places > 500, "{places}");
    }

    #[test]
    fn rules_of_every_form_change_the_clock_at_the_second_that_they_say() {
        for rule in [
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "NZST-12NZDT,M9.5.0,M4.1.0/3",
            "EST5EDT,M3.2.0,M11.1.0",
            "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
            "IST-2IDT,M3.4.4/26,M10.5.0",
            "<+0330>-3:30",
            "AAA3BBB,J60,J300/4:30",
            "AAA3BBB2,59/0,299/1:02:03",
        ] {
            let (theirs, ours) = (TimeZone::posix(rule).unwrap(), Zone::named(rule).unwrap());
            for year in 2024..2032 {
                let new_year = Day::of(Date {
                    year,
                    month: 1,
                    day: 1,
                })
                .0 * DAY;
                for minute in (0..366 * 24 * 60).step_by(30) {
                    for second in [-1, 0] {
                        let at = new_year + minute * 60 + second;
                        let (expected, found) = offsets(&theirs, &ours, at);
                        assert_eq!(found, expected, "{rule} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn summer_time_all_year_has_no_gap_at_the_new_year() {
        // RFC 9636's own example. The oracle above is an hour off for a few hours of it.
        let zone = Zone::named("XXX3EDT4,0/0,J365/23").unwrap();
        for hour in 0..24 * 366 * 4 {
            assert_eq!(zone.clock(1_700_000_000 + hour * 3_600).name, "EDT");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused_with_an_example() {
        for text in [
            "",
            " ",
            "Berlin",
            "Europe/Berlim",
            "Europe",
            "CET-1CEST",
            "CET-1CEST,M3.5.0",
            "CET-25",
            "C-1",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/3 ",
            "CET-1CEST,M3.5.0,M10.5.0/168",
        ] {
            let error = Zone::named(text).unwrap_err().to_string();
            assert!(error.contains("Europe/Berlin"), "{error}");
        }
    }
}
