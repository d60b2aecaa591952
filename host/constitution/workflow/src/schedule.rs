//! When a workflow starts by itself, as pure functions of the clock.
//!
//! The host keeps one [`Plan`] for each scheduled workflow in its durable state, asks [`Schedule::due`] whenever it wakes,
//! and commits the new plan in the same transaction as the instances that it starts. A start is named by its instant, so
//! that two wakes, or two hosts, cannot start it twice.

use chrono::{DateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use crate::task::{Read, Strategy};

/// Most starts that one wake makes up for.
const MAX_MISSED: usize = 100;

/// When a workflow starts by itself.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) trigger: Trigger,
    pub(crate) misfire: Misfire,
    pub(crate) zone: String,
    pub(crate) field: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    Every(u64),
    After(u64),
    Cron {
        source: String,
        cron: Box<Cron>,
        zone: Tz,
    },
    On {
        strategy: Strategy,
        read: Read,
    },
}

/// What becomes of starts that were missed while the host was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Misfire {
    /// They are dropped.
    Skip,
    /// They become one start, of the latest.
    Once,
    /// All are made up for, the latest hundred.
    All,
}

/// The durable state of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The next start, milliseconds since the epoch. `None` where an instance must complete first, or events start it.
    pub next: Option<u64>,
}

/// What is to be started now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The planned instants; each names its instance.
    pub starts: Vec<u64>,
    /// Starts that were dropped.
    pub dropped: u64,
    /// The plan from here on.
    pub plan: Plan,
}

impl Trigger {
    pub(crate) fn cron(source: &str, zone: &str) -> Result<Self, String> {
        let zone: Tz = zone
            .parse()
            .map_err(|_| format!("\"{zone}\" is no time zone; write it like Europe/Berlin"))?;
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(source)
            .map_err(|error| format!("\"{source}\" is no cron expression: {error}"))?;
        Ok(Self::Cron {
            source: source.to_owned(),
            cron: Box::new(cron),
            zone,
        })
    }
}

impl Schedule {
    /// The plan of a workflow that is scheduled from now on.
    pub fn plan(&self, now: u64) -> Plan {
        let next = match &self.trigger {
            Trigger::After(_) => Some(now),
            _ => self.following(now, now),
        };
        Plan { next }
    }

    /// What to start at this moment. A start is missed when the one after it is due as well.
    pub fn due(&self, plan: &Plan, now: u64) -> Due {
        let mut due = Due {
            starts: Vec::new(),
            dropped: 0,
            plan: plan.clone(),
        };
        let Some(first) = plan.next.filter(|next| *next <= now) else {
            return due;
        };
        if let Trigger::After(_) = self.trigger {
            // The next one is planned when this one has completed.
            due.starts.push(first);
            due.plan.next = None;
            return due;
        }
        let mut instants = std::collections::VecDeque::from([first]);
        let mut next = self.following(first, now);
        while let Some(instant) = next.filter(|instant| *instant <= now) {
            instants.push_back(instant);
            if instants.len() > MAX_MISSED {
                instants.pop_front();
                due.dropped += 1;
            }
            next = self.following(instant, now);
        }
        due.plan.next = next;
        let latest = instants.pop_back();
        let missed = instants.len() as u64;
        match self.misfire {
            Misfire::All => due.starts.extend(instants),
            // With nothing missed the one that is due is simply due; after an outage `skip` waits for the next.
            Misfire::Skip if missed > 0 => {
                due.dropped += missed + 1;
                return due;
            }
            Misfire::Skip | Misfire::Once => due.dropped += missed,
        }
        due.starts.extend(latest);
        due
    }

    /// The plan after an instance has ended, which matters to `after` alone.
    pub fn ended(&self, plan: &Plan, now: u64) -> Plan {
        match self.trigger {
            Trigger::After(ms) => Plan {
                next: Some(now.saturating_add(ms)),
            },
            _ => plan.clone(),
        }
    }

    /// The name of a start, the same however often it is computed.
    pub fn start_key(workflow: &crate::Workflow, instant: u64) -> String {
        format!("{}/{}@{instant}", workflow.namespace(), workflow.name())
    }

    /// True where events start the workflow.
    pub fn is_event_driven(&self) -> bool {
        matches!(self.trigger, Trigger::On { .. })
    }

    /// The first instant after another. A long outage of a short interval is jumped over, so that waking up costs the
    /// same after a minute and after a year.
    fn following(&self, after: u64, now: u64) -> Option<u64> {
        match &self.trigger {
            Trigger::Every(ms) => {
                let next = after.saturating_add(*ms);
                let behind = now.saturating_sub(next) / ms;
                let jump = behind.saturating_sub(MAX_MISSED as u64);
                Some(next.saturating_add(jump.saturating_mul(*ms)))
            }
            Trigger::Cron { cron, zone, .. } => {
                // A minute is the shortest interval of cron: what lies further back than this was dropped anyway.
                let longest = 60_000 * (MAX_MISSED as u64 + 1);
                let from = if self.is_dense(cron, *zone, now) {
                    after.max(now.saturating_sub(longest))
                } else {
                    after
                };
                let at = zone
                    .timestamp_millis_opt(i64::try_from(from).ok()?)
                    .single()?;
                let next = cron.find_next_occurrence(&at, false).ok()?;
                u64::try_from(next.timestamp_millis()).ok()
            }
            Trigger::After(_) | Trigger::On { .. } => None,
        }
    }

    /// True where two starts lie less than ten minutes apart.
    fn is_dense(&self, cron: &Cron, zone: Tz, now: u64) -> bool {
        let at = i64::try_from(now)
            .ok()
            .and_then(|now| zone.timestamp_millis_opt(now).single());
        let Some(first) = at.and_then(|at| cron.find_next_occurrence(&at, false).ok()) else {
            return false;
        };
        cron.find_next_occurrence(&first, false)
            .is_ok_and(|second| (second - first).num_minutes() < 10)
    }

    /// In words, for people.
    pub fn in_words(&self) -> String {
        use crate::duration::in_words;
        match &self.trigger {
            Trigger::Every(ms) => format!("every {}", in_words(*ms)),
            Trigger::After(ms) => format!("{} after the last one ended", in_words(*ms)),
            Trigger::Cron { source, .. } => format!("cron `{source}` in {}", self.zone),
            Trigger::On { strategy, .. } => format!("on {}", crate::view::words::events(strategy)),
        }
    }
}

/// An instant as RFC 3339 text.
pub(crate) fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Utc.timestamp_millis_opt(ms).single())
        .map(|at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        u64::try_from(
            DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_millis(),
        )
        .unwrap()
    }

    fn schedule(trigger: Trigger, misfire: Misfire) -> Schedule {
        Schedule {
            trigger,
            misfire,
            zone: "UTC".into(),
            field: "cron",
        }
    }

    fn cron(source: &str, zone: &str) -> Schedule {
        schedule(Trigger::cron(source, zone).unwrap(), Misfire::Once)
    }

    #[test]
    fn cron_is_right_at_both_ends_of_summer_time() {
        let spring = cron("30 2 * * *", "America/New_York").plan(at("2026-03-08T00:00:00-05:00"));
        assert_eq!(spring.next, Some(at("2026-03-08T03:00:00-04:00")));
        let nightly = cron("30 1 * * *", "America/New_York");
        let autumn = nightly.plan(at("2026-11-01T00:00:00-04:00")).next.unwrap();
        assert_eq!(autumn, at("2026-11-01T01:30:00-04:00"));
        let after = nightly.due(&Plan { next: Some(autumn) }, autumn).plan;
        assert_eq!(after.next, Some(at("2026-11-02T01:30:00-05:00")));
    }

    #[test]
    fn an_instant_starts_once_however_often_the_host_wakes() {
        let every = schedule(Trigger::Every(60_000), Misfire::All);
        let plan = every.plan(1_000);
        assert_eq!(plan.next, Some(61_000));
        let due = every.due(&plan, 61_500);
        assert_eq!(
            (due.starts.as_slice(), due.plan.next),
            (&[61_000][..], Some(121_000))
        );
        assert!(every.due(&due.plan, 61_600).starts.is_empty());
    }

    #[test]
    fn missed_starts_follow_the_policy() {
        let plan = Plan { next: Some(60_000) };
        let run = |misfire| schedule(Trigger::Every(60_000), misfire).due(&plan, 200_000);
        assert_eq!(run(Misfire::All).starts, [60_000, 120_000, 180_000]);
        assert_eq!(
            (run(Misfire::Once).starts, run(Misfire::Once).dropped),
            (vec![180_000], 2)
        );
        assert_eq!(
            (run(Misfire::Skip).starts, run(Misfire::Skip).dropped),
            (vec![], 3)
        );
        for misfire in [Misfire::All, Misfire::Once, Misfire::Skip] {
            assert_eq!(run(misfire).plan.next, Some(240_000));
        }
    }

    #[test]
    fn a_long_outage_is_made_up_for_within_bounds() {
        let year = 365 * 86_400_000;
        let seconds =
            schedule(Trigger::Every(1_000), Misfire::All).due(&Plan { next: Some(1_000) }, year);
        assert!(seconds.starts.len() <= MAX_MISSED + 1 && seconds.starts.len() >= MAX_MISSED);
        assert_eq!(seconds.starts.last(), Some(&year));
        let mut minutes = cron("* * * * *", "UTC");
        minutes.misfire = Misfire::All;
        let due = minutes.due(&Plan { next: Some(60_000) }, year);
        assert!(due.starts.len() <= MAX_MISSED + 1);
        assert_eq!(due.plan.next, Some(year + 60_000));
    }

    #[test]
    fn after_waits_for_the_end_of_the_last_one() {
        let after = schedule(Trigger::After(5_000), Misfire::Once);
        let due = after.due(&after.plan(100), 100);
        assert_eq!((due.starts.as_slice(), due.plan.next), (&[100][..], None));
        assert!(after.due(&due.plan, 1_000_000).starts.is_empty());
        assert_eq!(after.ended(&due.plan, 9_000).next, Some(14_000));
    }

    #[test]
    fn bad_expressions_and_zones_are_refused() {
        assert!(Trigger::cron("61 * * * *", "UTC").is_err());
        assert!(Trigger::cron("* * * *", "UTC").is_err());
        assert!(Trigger::cron("* * * * *", "Mars/Base").is_err());
    }
}
