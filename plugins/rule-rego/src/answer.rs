//! From what a Rego rule answers to a verdict.
//!
//! | answer | verdict |
//! |---|---|
//! | `"allow"`, `true` | allow |
//! | `{"verdict": "deny", "reason": "…"}` | deny |
//! | `{"verdict": "escalate", "reason": "…", "role": "…", "due_ms": …}` | escalate |
//! | `{"verdict": "amend", "patch": […]}` | amend |
//! | `false`, undefined | deny: nothing allows it |

use polity_sdk::rule::{Action, Escalation, Verdict};
use regorus::Value;

use crate::config::Config;

/// The verdict.
///
/// # Errors
/// The answer is none of these.
pub fn verdict(config: &Config, action: &Action, answer: &Value) -> Result<Verdict, String> {
    let nothing = || {
        Verdict::Deny(format!(
            "no policy allows {} to {}",
            action.kind, action.actor
        ))
    };
    match answer {
        Value::Undefined | Value::Null | Value::Bool(false) => return Ok(nothing()),
        Value::Bool(true) => return Ok(Verdict::Allow),
        _ => {}
    }
    let answer = answer.to_json_str().map_err(|error| error.to_string())?;
    let answer: serde_json::Value =
        serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    let word = answer.as_str().or_else(|| answer["verdict"].as_str());
    let reason = || {
        answer["reason"]
            .as_str()
            .unwrap_or("a policy says so")
            .to_owned()
    };
    Ok(match word {
        Some("allow") => Verdict::Allow,
        Some("deny") => Verdict::Deny(reason()),
        Some("escalate") => Verdict::Escalate(Escalation {
            reason: reason(),
            role: answer["role"]
                .as_str()
                .or(config.escalate_to.as_deref())
                .unwrap_or("owner")
                .to_owned(),
            due_ms: answer["due_ms"].as_u64(),
        }),
        Some("amend") => Verdict::Amend(answer["patch"].to_string()),
        _ => {
            return Err(format!(
                "{} answers {answer}, which is no verdict: use allow, deny, escalate or amend",
                config.entrypoint()
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PolicyText;
    use crate::policies::Policies;

    const POLICIES: &str = r#"package polity
import rego.v1

default verdict := {"verdict": "deny", "reason": "only refunds in EUR are made here"}

verdict := "allow" if { is_refund; input.input.amount <= 50 }

verdict := {"verdict": "escalate", "role": "bookkeeper", "due_ms": 172800000,
  "reason": "above 50 EUR a second pair of eyes decides"} if {
  is_refund
  input.input.amount > 50
  input.input.amount <= 500
}

verdict := {"verdict": "amend", "patch": [{"op": "replace", "path": "/currency", "value": "EUR"}]} if {
  startswith(input.kind, "refund.")
  input.input.currency == "eur"
}

is_refund if {
  startswith(input.kind, "refund.")
  input.input.currency == "EUR"
  is_number(input.input.amount)
}
"#;

    fn asked(input: &str) -> Verdict {
        let config = Config {
            policies: vec![PolicyText {
                file: "policies/refunds.rego".into(),
                text: POLICIES.into(),
            }],
            ..Config::default()
        };
        let policies = Policies::parse(&config).unwrap();
        let action = Action {
            kind: "refund.pay".into(),
            actor: "person:ada".into(),
            at_ms: 0,
            input: input.into(),
            context: "{}".into(),
        };
        verdict(&config, &action, &policies.ask(&action).unwrap()).unwrap()
    }

    #[test]
    fn every_verdict_can_be_answered() {
        assert_eq!(
            asked(r#"{"amount": 50, "currency": "EUR"}"#),
            Verdict::Allow
        );
        assert!(matches!(
            asked(r#"{"amount": 50.01, "currency": "EUR"}"#),
            Verdict::Escalate(Escalation {
                due_ms: Some(172_800_000),
                ..
            })
        ));
        assert!(matches!(
            asked(r#"{"amount": 501, "currency": "EUR"}"#),
            Verdict::Deny(_)
        ));
        assert!(matches!(
            asked(r#"{"amount": 1, "currency": "eur"}"#),
            Verdict::Amend(_)
        ));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_not_allowed() {
        for input in [
            r#"{"currency": "EUR"}"#,
            r#"{"amount": null, "currency": "EUR"}"#,
            r#"{"amount": "10", "currency": "EUR"}"#,
        ] {
            assert!(matches!(asked(input), Verdict::Deny(_)), "{input}");
        }
    }
}
