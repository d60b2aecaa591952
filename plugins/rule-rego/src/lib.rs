//! A rule whose policies are written in Rego.
//!
//! The texts lie in the constitution's `policies/` and come with the configuration. They are compiled once for each
//! version: the host asks what the rule speaks to with the binding's settings in place, keeps the memory that is left
//! behind, and starts every instance from it. Where it has not done so yet, an instance compiles for itself.

#![forbid(unsafe_code)]

mod answer;
mod config;
mod policies;

pub use answer::verdict;
pub use config::{Config, PolicyText};
pub use policies::Policies;

use std::sync::OnceLock;

use polity_sdk::rule::{Action, Problem, Rule, Verdict};

/// The rule.
pub struct RuleRego;

/// What was read of the settings. An instance has one configuration for all its life, which is one call.
static READ: OnceLock<Result<(Config, Policies), String>> = OnceLock::new();

fn read() -> &'static Result<(Config, Policies), String> {
    READ.get_or_init(|| {
        let config: Config = polity_sdk::config().map_err(|problem| problem.detail)?;
        let policies = Policies::parse(&config)?;
        Ok((config, policies))
    })
}

impl Rule for RuleRego {
    /// Without a binding there are no policies, and nothing to judge by. Some tables are made when a policy is first
    /// asked; so it is asked here, where what is made can be kept.
    fn applies_to() -> Vec<String> {
        if let Ok((_, policies)) = read() {
            let _ = policies.ask(&nothing());
        }
        Vec::new()
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        match read() {
            Ok((config, policies)) => policies
                .ask(&action)
                .and_then(|answer| verdict(config, &action, &answer))
                .map_err(|why| polity_sdk::problem("policy", why)),
            Err(errors) => Err(polity_sdk::problem("unreadable-policy", errors.clone())),
        }
    }
}

/// An action that nobody wants.
fn nothing() -> Action {
    Action {
        kind: "policy.check".into(),
        actor: "service:host".into(),
        at_ms: 0,
        input: "{}".into(),
        context: "{}".into(),
    }
}

// The exports' names mean something to a component only; a native linker refuses them.
polity_sdk::export_rule!(RuleRego);
polity_sdk::manifest!("polity.json");
