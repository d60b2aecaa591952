//! A rule that lets actions happen in business hours only.
//!
//! The time is the action's own, so a decision of last year replays as it was taken. Time zones are built in, summer
//! time included.

#![forbid(unsafe_code)]

mod calendar;
mod config;
mod judge;
mod schedule;
mod zone;

pub use calendar::{Date, Day};
pub use config::{Config, Hours, Outside};
pub use judge::{Judgement, judge};
pub use schedule::{Invalid, Schedule};
pub use zone::Zone;

use polity_sdk::rule::{Action, Escalation, Problem, Rule, Verdict};

/// The rule.
pub struct BusinessHours;

impl Rule for BusinessHours {
    /// What a binding guards is the binding's business. Without one, hours in the grant file hold for everything; without
    /// those either, the rule is not in force.
    fn applies_to() -> Vec<String> {
        let is_set = polity_sdk::config::<Config>().is_ok_and(|config| config.zone.is_some());
        if is_set { vec!["*".into()] } else { Vec::new() }
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let config: Config = polity_sdk::config()?;
        match judge(&config, action.at_ms) {
            Ok(Judgement::Open) => Ok(Verdict::Allow),
            Ok(Judgement::Closed { reason }) => Ok(match config.outside {
                Outside::Deny => Verdict::Deny(reason),
                Outside::Escalate => Verdict::Escalate(Escalation {
                    reason,
                    role: config.escalate_to,
                    due_ms: config.due_ms,
                }),
            }),
            Err(invalid) => Err(polity_sdk::problem("invalid", invalid.to_string())),
        }
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_rule!(BusinessHours);
polity_sdk::manifest!("polity.json");
