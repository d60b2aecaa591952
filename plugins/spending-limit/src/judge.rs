//! The judgement: a pure function of settings and action.

use serde::Deserialize;
use serde_json::Value;

use crate::amount::{AmountError, in_units, micro_from};
use crate::config::{Config, Limit, Per};

/// What is said of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every limit that applies is kept.
    Allow,
    /// A person decides.
    Escalate {
        /// Why.
        reason: String,
        /// Who.
        role: String,
    },
    /// A hard limit would be broken.
    Deny {
        /// Why, and what would do.
        reason: String,
    },
}

/// What a limit asks of an action's context. The rest of it is skipped, unread.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Context {
    actor_roles: Value,
    estimated_cost_micro: Option<Value>,
    spent_today_micro: Value,
}

/// Judges one action. Its input is looked at only where the settings have an `amount`.
pub fn judge(
    config: &Config,
    kind: &str,
    actor: &str,
    input: &Value,
    context: &Context,
) -> Judgement {
    let applying: Vec<&Limit> = config
        .limits
        .iter()
        .filter(|limit| applies(limit, kind, actor, context))
        .collect();
    if applying.is_empty() {
        return Judgement::Allow;
    }
    let amount = match amount(config, input, context) {
        Ok(amount) => amount,
        Err(reason) => {
            return Judgement::Escalate {
                reason,
                role: role(config, applying.first().copied()),
            };
        }
    };
    let mut strictest = Judgement::Allow;
    for limit in applying {
        match check(config, limit, amount, actor, context) {
            denied @ Judgement::Deny { .. } => return denied,
            escalated @ Judgement::Escalate { .. } if strictest == Judgement::Allow => {
                strictest = escalated
            }
            _ => {}
        }
    }
    strictest
}

fn applies(limit: &Limit, kind: &str, actor: &str, context: &Context) -> bool {
    let to_kind = limit
        .kinds
        .as_ref()
        .is_none_or(|kinds| kinds.iter().any(|pattern| covers(pattern, kind)));
    let to_actor = limit
        .actor
        .as_ref()
        .is_none_or(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => actor.starts_with(prefix),
            None => actor == pattern,
        });
    // Where the roles are not known, a limit for a role may be meant, so it is.
    let to_role = limit
        .role
        .as_ref()
        .is_none_or(|role| match context.actor_roles.as_array() {
            Some(held) => held.iter().any(|held| held == role),
            None => true,
        });
    to_kind && to_actor && to_role
}

/// Patterns mean the same as in a binding's `guards`.
fn covers(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix(".*") {
        _ if pattern == "*" => true,
        Some(stem) => kind
            .strip_prefix(stem)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => pattern == kind,
    }
}

/// The action's amount in micro-units, or the sentence that puts it before a person.
fn amount(config: &Config, input: &Value, context: &Context) -> Result<u64, String> {
    let Some(amount) = &config.amount else {
        return micro_from(context.estimated_cost_micro.as_ref(), 1).map_err(|error| {
            format!("a spending limit applies, but the estimated cost {error}: may this go ahead?")
        });
    };
    let micro =
        micro_from(input.pointer(&amount.pointer), amount.unit.micro()).map_err(|error| {
            format!(
                "a spending limit applies, but the amount at {} {error}: may this go ahead?",
                amount.pointer
            )
        })?;
    if let (Some(pointer), Some(ours)) = (&amount.currency_pointer, &config.currency) {
        match input.pointer(pointer).and_then(Value::as_str) {
            Some(theirs) if theirs == ours => {}
            Some(theirs) => {
                let theirs: String = theirs.chars().take(12).collect();
                return Err(format!(
                    "the limits are in {ours}, but the amount is in \"{theirs}\": may this go ahead?"
                ));
            }
            None => {
                return Err(format!(
                    "the limits are in {ours}, but the currency at {pointer} is missing: may this go ahead?"
                ));
            }
        }
    }
    Ok(micro)
}

fn check(config: &Config, limit: &Limit, amount: u64, actor: &str, context: &Context) -> Judgement {
    let currency = config.currency.as_deref();
    let money = |micro| in_units(micro, currency);
    let spent = match limit.per {
        Per::Action => Ok(0),
        Per::ActorDay => micro_from(context.spent_today_micro.get("actor"), 1),
        Per::CompanyDay => micro_from(context.spent_today_micro.get("company"), 1),
    };
    // What was spent can only add to the amount: a hard limit that the amount alone breaks needs no more knowledge.
    let total = amount.saturating_add(spent.unwrap_or(0));
    let what = |total| match limit.per {
        Per::Action => format!("this would cost {}", money(total)),
        Per::ActorDay => format!("with this, {actor} would have spent {} today", money(total)),
        Per::CompanyDay => format!(
            "with this, the company would have spent {} today",
            money(total)
        ),
    };
    let per = if limit.per == Per::Action {
        "an action"
    } else {
        "a day"
    };
    let role = role(config, Some(limit));

    match (limit.hard_micro, limit.soft_micro, spent) {
        (Some(hard), _, _) if total > hard => Judgement::Deny {
            reason: format!(
                "{}, and no more than {} is allowed for {per}; ask for less, or have the limit raised",
                what(total),
                money(hard)
            ),
        },
        (_, _, Err(error)) => Judgement::Escalate {
            reason: unknown_spending(error),
            role,
        },
        (_, Some(soft), _) if total > soft => Judgement::Escalate {
            reason: format!(
                "{}, and above {} for {per} a person decides: may it?",
                what(total),
                money(soft)
            ),
            role,
        },
        _ => Judgement::Allow,
    }
}

fn unknown_spending(error: AmountError) -> String {
    format!("a daily spending limit applies, but what was spent today {error}: may this go ahead?")
}

fn role(config: &Config, limit: Option<&Limit>) -> String {
    limit
        .and_then(|limit| limit.escalate_to.clone())
        .unwrap_or_else(|| config.escalate_to.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn refunds() -> Config {
        config(json!({
            "currency": "EUR",
            "amount": {"pointer": "/amount", "unit": "unit", "currency_pointer": "/currency"},
            "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}],
        }))
    }

    fn completions() -> Config {
        config(json!({"limits": [
            {"per": "action", "role": "agent", "soft_micro": 100_000},
            {"per": "actor-day", "actor": "agent:*", "soft_micro": 800_000, "hard_micro": 1_000_000, "escalate_to": "editor"},
            {"per": "company-day", "hard_micro": 5_000_000},
        ]}))
    }

    fn refund(input: Value) -> Judgement {
        judge(
            &refunds(),
            "refund.approve",
            "person:ada",
            &input,
            &Context::default(),
        )
    }

    fn completion(actor: &str, context: Value) -> Judgement {
        judge(
            &completions(),
            "model.complete",
            actor,
            &json!({}),
            &serde_json::from_value(context).unwrap(),
        )
    }

    fn context(cost: u64, actor: u64, company: u64) -> Value {
        json!({
            "actor_roles": ["agent"], "estimated_cost_micro": cost,
            "spent_today_micro": {"actor": actor, "company": company},
        })
    }

    #[track_caller]
    fn escalates(judgement: Judgement, part: &str) {
        match judgement {
            Judgement::Escalate { reason, .. } => assert!(reason.contains(part), "{reason}"),
            other => panic!("expected an escalation because {part}, got {other:?}"),
        }
    }

    #[track_caller]
    fn denies(judgement: Judgement, part: &str) {
        match judgement {
            Judgement::Deny { reason } => assert!(reason.contains(part), "{reason}"),
            other => panic!("expected a denial because {part}, got {other:?}"),
        }
    }

    #[test]
    fn up_to_the_soft_limit_it_is_allowed_above_it_a_person_decides_above_the_hard_limit_it_is_denied()
     {
        assert_eq!(
            refund(json!({"amount": 50, "currency": "EUR"})),
            Judgement::Allow
        );
        escalates(
            refund(json!({"amount": 50.01, "currency": "EUR"})),
            "this would cost 50.01 EUR, and above 50.00 EUR for an action a person decides",
        );
        escalates(
            refund(json!({"amount": 500, "currency": "EUR"})),
            "500.00 EUR",
        );
        denies(
            refund(json!({"amount": "500.01", "currency": "EUR"})),
            "no more than 500.00 EUR is allowed for an action",
        );
    }

    #[test]
    fn a_missing_or_unreadable_amount_never_passes_where_a_limit_applies() {
        escalates(
            refund(json!({"currency": "EUR"})),
            "the amount at /amount is missing",
        );
        escalates(
            refund(json!({"amount": null, "currency": "EUR"})),
            "is missing",
        );
        escalates(
            refund(json!({"amount": "a lot", "currency": "EUR"})),
            "is not a number",
        );
        escalates(
            refund(json!({"amount": -20, "currency": "EUR"})),
            "is negative",
        );
        escalates(refund(json!([])), "is missing");
        escalates(
            completion("person:ada", json!({})),
            "the estimated cost is missing",
        );
        escalates(
            completion("person:ada", json!({"estimated_cost_micro": null})),
            "the estimated cost is missing",
        );
    }

    #[test]
    fn another_currency_is_never_compared() {
        escalates(
            refund(json!({"amount": 1, "currency": "JPY"})),
            "but the amount is in \"JPY\"",
        );
        escalates(
            refund(json!({"amount": 1})),
            "the currency at /currency is missing",
        );
        escalates(
            refund(json!({"amount": 1, "currency": 978})),
            "the currency at /currency is missing",
        );
    }

    #[test]
    fn a_day_adds_up_what_was_spent_and_what_this_costs() {
        assert_eq!(
            completion("agent:bot", context(100_000, 700_000, 700_000)),
            Judgement::Allow
        );
        escalates(
            completion("agent:bot", context(100_000, 700_001, 700_001)),
            "agent:bot would have spent 0.800001 today",
        );
        denies(
            completion("agent:bot", context(100_000, 900_001, 900_001)),
            "for a day",
        );
        denies(
            completion("person:ada", context(100_000, 0, 4_900_001)),
            "the company would have spent 5.000001 today",
        );
    }

    #[test]
    fn the_strictest_limit_holds_wherever_it_stands() {
        denies(
            completion("agent:bot", context(200_000, 0, 4_900_000)),
            "the company",
        );
    }

    #[test]
    fn a_limit_applies_only_to_those_it_names() {
        let mut plain = context(500_000, 0, 0);
        plain["actor_roles"] = json!(["member"]);
        assert_eq!(completion("person:ada", plain.clone()), Judgement::Allow);
        plain["actor_roles"] = json!(["member", "agent"]);
        escalates(completion("person:ada", plain), "0.50");
        let kinds = config(
            json!({"limits": [{"per": "action", "kinds": ["refund.*", "expense.approve"], "hard_micro": 0}]}),
        );
        let cost = serde_json::from_value(json!({"estimated_cost_micro": 1})).unwrap();
        for (kind, applies) in [
            ("refund", true),
            ("refund.a.b", true),
            ("expense.approve", true),
            ("refunds.a", false),
            ("expense.ask", false),
        ] {
            let judgement = judge(&kinds, kind, "person:ada", &json!({}), &cost);
            assert_eq!(judgement != Judgement::Allow, applies, "{kind}");
        }
        assert_eq!(
            judge(
                &kinds,
                "site.publish",
                "person:ada",
                &json!({}),
                &Context::default()
            ),
            Judgement::Allow,
            "no limit, no amount needed"
        );
    }

    #[test]
    fn what_the_limits_apply_to_is_what_the_rule_speaks_to() {
        assert!(config(json!({})).kinds().is_empty());
        assert_eq!(completions().kinds(), ["*"]);
        let limits = json!([{"per": "action", "kinds": ["refund.*", "expense.*"]}, {"per": "action", "kinds": ["refund.*"]}]);
        assert_eq!(
            config(json!({"limits": limits})).kinds(),
            ["expense.*", "refund.*"]
        );
    }

    #[test]
    fn unknown_roles_count_as_the_role_that_is_limited() {
        escalates(
            completion(
                "person:ada",
                json!({"estimated_cost_micro": 100_001, "spent_today_micro": {"company": 0}}),
            ),
            "0.100001",
        );
    }

    #[test]
    fn unknown_spending_never_passes_a_daily_limit_and_never_softens_a_hard_one() {
        escalates(
            completion(
                "person:ada",
                json!({"actor_roles": [], "estimated_cost_micro": 1}),
            ),
            "what was spent today is missing",
        );
        denies(
            completion(
                "person:ada",
                json!({"actor_roles": [], "estimated_cost_micro": 5_000_001}),
            ),
            "5.000001",
        );
    }

    #[test]
    fn amounts_past_counting_do_not_wrap_round() {
        denies(
            completion("agent:bot", context(u64::MAX, u64::MAX, u64::MAX)),
            "18446744073709.551615",
        );
    }

    #[test]
    fn a_limit_may_name_the_role_that_decides_on_it() {
        let judgement = completion("agent:bot", context(100_000, 750_000, 750_000));
        assert!(matches!(judgement, Judgement::Escalate { role, .. } if role == "editor"));
        let judgement = completion("agent:bot", context(100_001, 0, 0));
        assert!(matches!(judgement, Judgement::Escalate { role, .. } if role == "owner"));
    }

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let json = readme
            .split("```json")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap();
        let binding: Value = serde_json::from_str(json).unwrap();
        assert_eq!(config(binding["config"].clone()).limits.len(), 2);
    }
}
