//! Days and dates of the Gregorian calendar.

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Days in four hundred years, after which the calendar repeats.
const ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01. Years are counted from March, so that the leap day is a year's last.
const EPOCH: i64 = 719_468;

impl Day {
    /// The day of a date. A day past the month's end is one of the next month's.
    pub fn of(date: Date) -> Self {
        let month_from_march = (i64::from(date.month) + 9) % 12;
        let year = date.year - i64::from(date.month < 3);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(date.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(year.div_euclid(400) * ERA + day_of_era - EPOCH)
    }

    /// The date of a day.
    pub fn date(self) -> Date {
        let days = self.0 + EPOCH;
        let day_of_era = days.rem_euclid(ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = days.div_euclid(ERA) * 400 + year_of_era + i64::from(month < 3);
        Date {
            year,
            month: month as u8,
            day: day as u8,
        }
    }

    /// From 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as usize
    }

    /// The day after.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The day before.
    pub fn previous(self) -> Self {
        Self(self.0 - 1)
    }

    /// `Monday, 23 November 2026`.
    pub fn in_words(self) -> String {
        let Date { year, month, day } = self.date();
        format!(
            "{}, {day} {} {year}",
            WEEKDAYS[self.weekday()],
            MONTHS[usize::from(month) - 1]
        )
    }
}

/// True in years with a 29 February.
pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days in a month; 0 for a month that does not exist.
pub(crate) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_centuries_of_days_agree_with_a_well_known_calendar() {
        let mut expected = jiff::civil::date(1800, 1, 1);
        let mut day = Day::of(Date {
            year: 1800,
            month: 1,
            day: 1,
        });
        for _ in 0..=ERA {
            let date = day.date();
            assert_eq!(
                (date.year as i16, date.month as i8, date.day as i8),
                (expected.year(), expected.month(), expected.day())
            );
            assert_eq!(Day::of(date), day);
            assert_eq!(
                day.weekday(),
                expected.weekday().to_monday_zero_offset() as usize
            );
            assert_eq!(
                days_in_month(date.year, date.month) as i8,
                expected.days_in_month()
            );
            expected = expected.tomorrow().unwrap();
            day = day.next();
        }
        assert_eq!(Day(0).in_words(), "Thursday, 1 January 1970");
    }
}
