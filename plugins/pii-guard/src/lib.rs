//! A rule that keeps personal data and secrets inside the company.
//!
//! It searches every string of an action's input. What it finds is redacted by an amendment, or denied, or put before a
//! person, category by category. Where a number carries check digits they are checked, because a guard that cries at
//! order numbers is switched off; `tests/corpus.txt` is the measure of both mistakes.
//!
//! The patterns are written out by hand instead of with a regular-expression engine: that would be most of the
//! component's size, and instantiation is paid for every action.

#![forbid(unsafe_code)]

mod config;
pub mod detect;
mod judge;

pub use config::{Config, Mode};
pub use detect::{Category, Match, find};
pub use judge::{Judgement, is_local, judge};

use polity_sdk::rule::{Action, Escalation, Problem, Rule, Verdict};

/// The rule.
pub struct PiiGuard;

impl Rule for PiiGuard {
    /// What a binding guards is the binding's business. Without one, settings in the grant file hold for prompts; without
    /// those either, the rule is not in force.
    fn applies_to() -> Vec<String> {
        let is_set = polity_sdk::config::<serde_json::Map<_, _>>()
            .is_ok_and(|settings| !settings.is_empty());
        if is_set {
            vec!["model.complete".into()]
        } else {
            Vec::new()
        }
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let config: Config = polity_sdk::config()?;
        if config.allow_local && is_local(&action.context) {
            return Ok(Verdict::Allow);
        }
        let input = polity_sdk::parse(&action.input)?;
        Ok(match judge(&config, &input) {
            Judgement::Allow => Verdict::Allow,
            Judgement::Redact { patch } => Verdict::Amend(patch.to_string()),
            Judgement::Escalate { reason } => Verdict::Escalate(Escalation {
                reason,
                role: config.escalate_to,
                due_ms: config.due_ms,
            }),
            Judgement::Deny { reason } => Verdict::Deny(reason),
        })
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_rule!(PiiGuard);
polity_sdk::manifest!("polity.json");
