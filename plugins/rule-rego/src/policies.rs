//! From texts to one compiled policy, or to everything that is wrong with them, each with its file, line and column.
//!
//! A policy reads `input.kind`, `input.actor`, `input.at_ms`, `input.input` (the action's own data) and `input.facts`
//! (what the kernel says of the situation).

use std::sync::Arc;

use polity_sdk::rule::Action;
use regorus::{CompiledPolicy, Engine, Value};

use crate::config::{Config, PolicyText};

/// Policies, compiled.
#[derive(Debug)]
pub struct Policies {
    compiled: CompiledPolicy,
}

impl Policies {
    /// Compiles all texts.
    ///
    /// # Errors
    /// One line for each mistake: `policies/refunds.rego:3:5: unexpected token`.
    pub fn parse(config: &Config) -> Result<Self, String> {
        let mut engine = Engine::new();
        // A function that fails is an error, and not a rule that quietly does not hold.
        engine.set_strict_builtin_errors(true);
        let mut wrong = Vec::new();
        for PolicyText { file, text } in &config.policies {
            if let Err(error) = engine.add_policy(file.clone(), text.clone()) {
                wrong.push(placed(&error.to_string(), file));
            }
        }
        let Some(first) = config.policies.first() else {
            return Err(
                "the binding names no policies: write \"policies\": [\"policies/NAME.rego\"]"
                    .to_owned(),
            );
        };
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        let entrypoint: Arc<str> = config.entrypoint().into();
        // A rule that nobody wrote would answer nothing for ever.
        engine
            .compile_with_entrypoint(&entrypoint)
            .map(|compiled| Self { compiled })
            .map_err(|error| match error.to_string() {
                why if why.contains("not a valid rule path") => {
                    format!("{}:1:1: there is no rule {entrypoint}", first.file)
                }
                why => placed(&why, &first.file),
            })
    }

    /// What the policies answer to an action; undefined where no rule holds.
    ///
    /// # Errors
    /// A rule failed on it.
    pub fn ask(&self, action: &Action) -> Result<Value, String> {
        // The two texts are JSON already, and put together faster than read and written again.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        self.eval(format!(
            "{{\"kind\":{},\"actor\":{},\"at_ms\":{},\"input\":{},\"facts\":{}}}",
            quoted(&action.kind),
            quoted(&action.actor),
            action.at_ms,
            action.input,
            action.context
        ))
    }

    fn eval(&self, input: String) -> Result<Value, String> {
        let input = Value::from_json_str(&input).map_err(|error| error.to_string())?;
        self.compiled
            .eval_with_input(input)
            .map_err(|error| placed(&error.to_string(), ""))
    }
}

/// `--> FILE:LINE:COLUMN`, an excerpt, and `error: WORDS` become one line.
fn placed(error: &str, file: &str) -> String {
    let at = error
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next())
        .map(str::trim);
    let words = error
        .rsplit_once("error: ")
        .map_or(error, |(_, words)| words)
        .trim()
        .replace('\n', " ");
    match at {
        Some(at) => format!("{at}: {words}"),
        None if file.is_empty() => words,
        None => format!("{file}:1:1: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config {
            policies: vec![PolicyText {
                file: "policies/a.rego".into(),
                text: text.into(),
            }],
            ..Config::default()
        }
    }

    #[test]
    fn every_mistake_has_a_line_and_a_column() {
        let wrong = Policies::parse(&config("package polity\n\nverdict := {\n")).unwrap_err();
        assert!(wrong.starts_with("policies/a.rego:"), "{wrong}");
        assert!(!wrong.contains('\n'), "{wrong}");
        let missing = Policies::parse(&config("package polity\n\nallow := true\n")).unwrap_err();
        assert!(missing.contains("data.polity.verdict"), "{missing}");
        assert!(
            Policies::parse(&Config::default())
                .unwrap_err()
                .contains("names no policies")
        );
    }
}
