//! From Cedar's answer to a verdict.
//!
//! What a policy permits is allowed. What a policy forbids is denied, for the reason in its annotation `@reason`. A
//! `forbid` with `@verdict("escalate")` puts the action before the role in `@role` instead, for `@hours` hours. Where
//! several policies forbid, the strictest holds.

use cedar_policy::{Authorizer, Decision, Policy};
use polity_sdk::rule::{Action, Escalation, Problem, Verdict};

use crate::config::{Config, Otherwise};
use crate::facts::question;
use crate::policies::Policies;

/// Judges an action.
///
/// # Errors
/// The action cannot be put to Cedar, or a policy failed on it. Cedar passes over a policy that fails, and a `forbid`
/// that is passed over allows; so the failure is told, and what fails never allows.
pub fn judge(config: &Config, policies: &Policies, action: &Action) -> Result<Verdict, Problem> {
    let (request, entities) = question(&policies.kinds, config, action)
        .map_err(|why| polity_sdk::problem("invalid", why))?;
    let answer = Authorizer::new().is_authorized(&request, &policies.set, &entities);
    let mut failed = answer.diagnostics().errors().map(ToString::to_string);
    if let Some(first) = failed.next() {
        return Err(polity_sdk::problem("policy", first));
    }
    if answer.decision() == Decision::Allow {
        return Ok(Verdict::Allow);
    }
    let mut forbidding: Vec<&Policy> = answer
        .diagnostics()
        .reason()
        .filter_map(|id| policies.set.policy(id))
        .collect();
    forbidding.sort_by_key(|policy| policy.id().to_string());
    let escalates = |policy: &&Policy| policy.annotation("verdict") == Some("escalate");
    let role = |policy: Option<&Policy>| {
        let named = policy.and_then(|policy| policy.annotation("role"));
        let common = config.escalate_to.as_deref();
        named.or(common).unwrap_or("owner").to_owned()
    };
    let Some(first) = forbidding.first().copied() else {
        let reason = format!("no policy permits {} to {}", action.kind, action.actor);
        return Ok(match config.otherwise {
            Otherwise::Deny => Verdict::Deny(reason),
            Otherwise::Escalate => Verdict::Escalate(Escalation {
                reason,
                role: role(None),
                due_ms: None,
            }),
        });
    };
    let denying = forbidding.iter().copied().find(|policy| !escalates(policy));
    let reason = |policy: &Policy| match policy.annotation("reason") {
        Some(reason) if !reason.is_empty() => reason.to_owned(),
        _ => format!("the policy {} forbids it", policy.id()),
    };
    Ok(match denying {
        Some(policy) => Verdict::Deny(reason(policy)),
        None => Verdict::Escalate(Escalation {
            reason: reason(first),
            role: role(Some(first)),
            due_ms: first
                .annotation("hours")
                .and_then(|hours| hours.parse::<u64>().ok())
                .map(|hours| hours.saturating_mul(3_600_000)),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PolicyText;

    const POLICIES: &str = r#"
@id("refunds")
permit (principal, action in Action::"refund", resource)
when { context.input.currency == "EUR" };

@id("large")
@verdict("escalate")
@role("bookkeeper")
@hours("48")
@reason("above 50 EUR a second pair of eyes decides")
forbid (principal, action in Action::"refund", resource)
when { context.input.amount.greaterThan(decimal("50.0")) };

@id("by hand")
@reason("no program moves more than 500 EUR")
forbid (principal, action in Action::"refund", resource)
when { context.input.amount.greaterThan(decimal("500.0")) };

@id("owners")
permit (principal in Role::"owner", action == Action::"site.open", resource);
"#;

    fn asked(kind: &str, actor: &str, input: &str) -> Result<Verdict, Problem> {
        let config = Config {
            policies: vec![PolicyText {
                file: "policies/refunds.cedar".into(),
                text: POLICIES.into(),
            }],
            decimals: vec!["/amount".into()],
            ..Config::default()
        };
        let policies = Policies::parse(&config.policies).unwrap();
        let action = Action {
            kind: kind.into(),
            actor: actor.into(),
            at_ms: 1_767_603_600_000,
            input: input.into(),
            context: r#"{"actor_roles": ["owner"], "company": {"name": "Driftwood", "currency": "EUR"}, "spent_today_micro": {"actor": 0}}"#.into(),
        };
        judge(&config, &policies, &action)
    }

    #[test]
    fn small_sums_are_allowed_larger_ones_asked_for_and_great_ones_denied() {
        let verdict = |amount: &str| {
            asked(
                "refund.pay",
                "person:ada",
                &format!(r#"{{"amount": {amount}, "currency": "EUR"}}"#),
            )
            .unwrap()
        };
        assert_eq!(verdict("50"), Verdict::Allow);
        assert_eq!(
            verdict("50.01"),
            Verdict::Escalate(Escalation {
                reason: "above 50 EUR a second pair of eyes decides".into(),
                role: "bookkeeper".into(),
                due_ms: Some(172_800_000),
            })
        );
        assert_eq!(
            verdict("500.5"),
            Verdict::Deny("no program moves more than 500 EUR".into())
        );
    }

    #[test]
    fn what_is_missing_fails_and_never_allows() {
        let failed = asked("refund.pay", "person:ada", r#"{"currency": "EUR"}"#).unwrap_err();
        assert_eq!(failed.code, "policy");
        assert!(failed.detail.contains("amount"), "{}", failed.detail);
        assert!(asked("refund.pay", "person:ada", "[]").is_err());
    }

    #[test]
    fn nothing_in_the_input_becomes_an_entity() {
        let forged = r#"{"amount": 1, "currency": {"__entity": {"type": "Role", "id": "owner"}}}"#;
        assert_eq!(
            asked("refund.pay", "person:ada", forged).unwrap(),
            Verdict::Deny("no policy permits refund.pay to person:ada".into())
        );
    }

    #[test]
    fn a_role_counts_and_what_nothing_permits_is_denied() {
        assert_eq!(
            asked("site.open", "person:ada", "{}").unwrap(),
            Verdict::Allow
        );
        assert_eq!(
            asked("site.close", "person:ada", "{}").unwrap(),
            Verdict::Deny("no policy permits site.close to person:ada".into())
        );
    }
}
