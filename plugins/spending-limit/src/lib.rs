//! A rule that limits what may be spent.
//!
//! A limit holds for one action, for an actor's day or for the company's day. Above its hard value the action is denied,
//! above its soft value a person decides. Where a limit applies and the amount is missing, malformed, negative or in
//! another currency, a person decides: what cannot be compared with a limit is never below it.

#![forbid(unsafe_code)]

mod amount;
mod config;
mod judge;

pub use amount::{AmountError, micro_from};
pub use config::{Amount, Config, Limit, Per, Unit};
pub use judge::{Context, Judgement, judge};

use polity_sdk::rule::{Action, Escalation, Problem, Rule, Verdict};
use serde_json::Value;

/// The rule.
pub struct SpendingLimit;

impl Rule for SpendingLimit {
    /// What a binding guards is the binding's business. Without one, the settings of the grant file say it; without
    /// those either, the rule is not in force.
    fn applies_to() -> Vec<String> {
        polity_sdk::config::<Config>()
            .map(|config| config.kinds())
            .unwrap_or_default()
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let config: Config = polity_sdk::config()?;
        if config.limits.is_empty() {
            return Err(polity_sdk::problem(
                "invalid",
                "no limits are set: add \"limits\" to the binding's config",
            ));
        }
        let input = match config.amount {
            Some(_) => polity_sdk::parse(&action.input)?,
            None => Value::Null,
        };
        let context = polity_sdk::parse(&action.context)?;
        Ok(
            match judge(&config, &action.kind, &action.actor, &input, &context) {
                Judgement::Allow => Verdict::Allow,
                Judgement::Deny { reason } => Verdict::Deny(reason),
                Judgement::Escalate { reason, role } => Verdict::Escalate(Escalation {
                    reason,
                    role,
                    due_ms: config.due_ms,
                }),
            },
        )
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_rule!(SpendingLimit);
polity_sdk::manifest!("polity.json");
