//! The judgement: a pure function of settings and the time of the action.

use crate::calendar::Day;
use crate::config::Config;
use crate::schedule::{Invalid, Schedule};
use crate::zone::Zone;

/// The first moment of the year 10000: past any action.
const END_OF_TIME_MS: u64 = 253_402_300_800_000;

/// What is said of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is within business hours.
    Open,
    /// It is not.
    Closed {
        /// What time it is there, and when business hours begin again.
        reason: String,
    },
}

/// Judges one action by its time, milliseconds since the epoch.
///
/// # Errors
/// Settings or a time that cannot be read.
pub fn judge(config: &Config, at_ms: u64) -> Result<Judgement, Invalid> {
    let Some(place) = &config.zone else {
        return Err(Invalid(
            "no time zone is set: add \"zone\" and \"hours\" to the binding's config".to_owned(),
        ));
    };
    let zone = Zone::named(place)?;
    let schedule = Schedule::new(config)?;
    if at_ms >= END_OF_TIME_MS {
        return Err(Invalid(format!("{at_ms} is no time that a calendar knows")));
    }
    let (day, second, clock) = zone.wall_clock((at_ms / 1000) as i64);
    let minute = (second / 60) as u32;
    if schedule.is_open(day, minute) {
        return Ok(Judgement::Open);
    }
    let holiday = match schedule.holiday(day) {
        Some(Some(name)) => format!("{name}, "),
        Some(None) => "a holiday, ".to_owned(),
        None => String::new(),
    };
    let again = match schedule.next_opening(day, minute) {
        Some((day, minute)) => format!("they begin again on {}", in_words(day, minute)),
        None => "and none are set for the future".to_owned(),
    };
    // A POSIX rule tells a reader nothing; the clock's name does.
    let place = if place.contains('/') && !place.contains(',') {
        place
    } else {
        clock
    };
    Ok(Judgement::Closed {
        reason: format!(
            "it is {holiday}{} in {place}, outside of business hours; {again}",
            in_words(day, minute)
        ),
    })
}

/// `Monday, 23 November 2026, 09:00`.
fn in_words(day: Day, minute: u32) -> String {
    format!("{}, {:02}:{:02}", day.in_words(), minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(zone: &str) -> Config {
        let day = json!(["09:00-17:30"]);
        serde_json::from_value(json!({
            "zone": zone,
            "hours": {"mon": day, "tue": day, "wed": day, "thu": day, "fri": day},
            "holidays": ["12-25 Christmas Day", "2026-12-28"],
        }))
        .unwrap()
    }

    fn ms(utc: &str) -> u64 {
        utc.parse::<jiff::Timestamp>()
            .unwrap()
            .as_millisecond()
            .try_into()
            .unwrap()
    }

    fn reason(zone: &str, utc: &str) -> String {
        match judge(&config(zone), ms(utc)).unwrap() {
            Judgement::Closed { reason } => reason,
            Judgement::Open => panic!("open"),
        }
    }

    #[test]
    fn a_refusal_tells_the_time_there_and_the_next_opening() {
        assert_eq!(
            reason("Europe/Berlin", "2026-11-28T13:10:00Z"),
            "it is Saturday, 28 November 2026, 14:10 in Europe/Berlin, outside of business hours; they begin again on \
             Monday, 30 November 2026, 09:00"
        );
        assert_eq!(
            reason("Europe/Berlin", "2026-12-25T10:00:00Z"),
            "it is Christmas Day, Friday, 25 December 2026, 11:00 in Europe/Berlin, outside of business hours; they begin \
             again on Tuesday, 29 December 2026, 09:00"
        );
    }

    #[test]
    fn summer_time_moves_the_opening_in_universal_time() {
        let open = |utc| judge(&config("Europe/Berlin"), ms(utc)) == Ok(Judgement::Open);
        assert!(
            !open("2026-07-01T06:59:59Z") && open("2026-07-01T07:00:00Z"),
            "09:00 is 07:00 UTC in summer"
        );
        assert!(
            !open("2026-12-01T07:59:59Z") && open("2026-12-01T08:00:00Z"),
            "09:00 is 08:00 UTC in winter"
        );
    }

    #[test]
    fn a_posix_rule_means_the_same_as_the_name() {
        let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
        for hour in 0..24 * 400 {
            let at = ms("2026-01-01T00:30:00Z") + hour * 3_600_000;
            let open = |zone| judge(&config(zone), at).unwrap() == Judgement::Open;
            assert_eq!(open(rule), open("Europe/Berlin"), "hour {hour}");
        }
        assert!(reason(rule, "2026-11-28T13:10:00Z").contains("14:10 in CET,"));
    }

    #[test]
    fn each_place_has_its_own_day() {
        let at = ms("2026-11-27T22:30:00Z");
        let open = |zone| judge(&config(zone), at).unwrap() == Judgement::Open;
        assert!(open("America/Los_Angeles"), "Friday, 14:30");
        assert!(!open("Asia/Tokyo"), "Saturday, 07:30");
        assert!(!open("UTC"), "Friday, 22:30");
    }

    #[test]
    fn a_time_or_a_zone_that_does_not_exist_is_no_verdict() {
        assert!(judge(&config("Europe/Berlin"), u64::MAX).is_err());
        let error = judge(&config("Europe/Berlim"), 0).unwrap_err().to_string();
        assert!(
            error.contains("Europe/Berlim") && error.contains("Europe/Berlin"),
            "{error}"
        );
    }

    #[test]
    fn without_settings_there_is_no_verdict() {
        let config: Config = serde_json::from_value(json!({})).unwrap();
        assert!(
            judge(&config, 0)
                .unwrap_err()
                .to_string()
                .contains("\"zone\"")
        );
    }

    #[test]
    fn hours_that_never_come_are_said_to_never_come() {
        let config: Config =
            serde_json::from_value(json!({"zone": "UTC", "hours": {"mon": []}})).unwrap();
        let Judgement::Closed { reason } = judge(&config, 0).unwrap() else {
            panic!()
        };
        assert!(
            reason.ends_with("and none are set for the future"),
            "{reason}"
        );
    }

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let example = readme
            .split("```json")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap();
        let binding: Value = serde_json::from_str(example).unwrap();
        let config: Config = serde_json::from_value(binding["config"].clone()).unwrap();
        judge(&config, 0).unwrap();
    }
}
