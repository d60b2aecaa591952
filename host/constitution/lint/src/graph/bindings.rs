//! Bindings of one rule that judge one action.
//!
//! What settings mean only their rule knows. But where two bindings give one rule, for one action, settings that say
//! something different at the same place, the stricter wins every time and the other one is not what happens, whatever its
//! author believes.

use serde_json::{Value as Json, json};

use super::company::RuleBinding;
use super::process::takes;
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::{Finding, Severity};

/// A place at which two settings differ.
struct Difference {
    pointer: String,
    a: Json,
    b: Json,
}

/// Pairs of bindings that say the same twice, or two things of one.
pub(super) fn compared(rules: &[RuleBinding]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, b) in rules.iter().enumerate() {
        for a in &rules[..at] {
            let Some(action) = (a.rule == b.rule && !a.rule.is_empty())
                .then(|| action_of_both(&a.guards, &b.guards))
                .flatten()
            else {
                continue;
            };
            if a.config == b.config {
                findings.push(twice(a, b, &action));
            } else if let Some(difference) = differ(&a.config, &b.config, &action, "") {
                findings.push(disagree(a, b, &action, &difference));
            }
        }
    }
    findings
}

fn twice(a: &RuleBinding, b: &RuleBinding, action: &str) -> Finding {
    let (message, cure) = match (a.enforced, b.enforced) {
        (true, true) | (false, false) => (
            format!(
                "{} and {} judge {action} by the same settings",
                a.name, b.name
            ),
            "keep one of them, and let it guard what both do".to_owned(),
        ),
        (true, false) => (
            format!(
                "{} only watches what {} already decides by the same settings",
                b.name, a.name
            ),
            format!("remove {}", b.name),
        ),
        (false, true) => (
            format!(
                "{} only watches what {} already decides by the same settings",
                a.name, b.name
            ),
            format!("remove {}", a.name),
        ),
    };
    Finding::new(Code::DuplicateRule, b.place.clone(), message)
        .related(a.place.clone(), format!("{} stands here", a.name))
        .witness(json!({ "action": action }))
        .suggest(Suggestion::words(cure))
}

fn disagree(a: &RuleBinding, b: &RuleBinding, action: &str, difference: &Difference) -> Finding {
    let Difference {
        pointer,
        a: said_a,
        b: said_b,
    } = difference;
    let message = format!(
        "{} judges {action} with {pointer} at {said_b}, and {} at {said_a}",
        b.name, a.name
    );
    // A rule that is only watched is how one tries another setting.
    let (severity, cure) = match (a.enforced, b.enforced) {
        (true, true) => (
            Code::RulesDisagree.severity(),
            "say it once: the stricter of the two decides every time".to_owned(),
        ),
        (false, false) => (
            Severity::Note,
            "keep the one whose figures are wanted: neither decides".to_owned(),
        ),
        (enforced, _) => {
            let trial = if enforced { &b.name } else { &a.name };
            (
                Severity::Note,
                format!(
                    "{trial} is tried and decides nothing: enforce it in the place of the other, or remove it"
                ),
            )
        }
    };
    Finding::new(Code::RulesDisagree, b.place.clone(), message)
        .severity(severity)
        .related(a.place.clone(), format!("{} says {said_a}", a.name))
        .witness(json!({ "action": action, "place": pointer, a.name.clone(): said_a, b.name.clone(): said_b }))
        .suggest(Suggestion::words(cure))
}

/// A kind of action that both guard; the narrowest that is written.
fn action_of_both(a: &[String], b: &[String]) -> Option<String> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let common = pairs.filter_map(|(a, b)| {
        if takes(a, b) {
            Some(b)
        } else if takes(b, a) {
            Some(a)
        } else {
            // `refund.*` takes no pattern in, but what is below it.
            let inside = |outer: &str, inner: &str| {
                inner
                    .strip_suffix(".*")
                    .is_some_and(|inner| takes(outer, inner))
            };
            inside(a, b).then_some(b).or(inside(b, a).then_some(a))
        }
    });
    common.max_by_key(|pattern| pattern.len()).cloned()
}

/// The first place at which two settings say different things of one action.
fn differ(a: &Json, b: &Json, action: &str, pointer: &str) -> Option<Difference> {
    match (a, b) {
        (Json::Object(x), Json::Object(y)) => {
            if speak_of_other_places(a, b) {
                return None;
            }
            x.iter().find_map(|(name, value)| {
                differ(value, y.get(name)?, action, &format!("{pointer}/{name}"))
            })
        }
        (Json::Array(x), Json::Array(y)) => {
            let pairs = x.iter().enumerate();
            pairs
                .flat_map(|(at, item)| y.iter().map(move |other| (at, item, other)))
                .filter(|(_, item, other)| are_alike(item, other, action))
                .find_map(|(at, item, other)| {
                    differ(item, other, action, &format!("{pointer}/{at}"))
                })
        }
        (Json::Number(_) | Json::Bool(_) | Json::String(_), _)
            if a != b && std::mem::discriminant(a) == std::mem::discriminant(b) =>
        {
            Some(Difference {
                pointer: pointer.to_owned(),
                a: a.clone(),
                b: b.clone(),
            })
        }
        _ => None,
    }
}

/// Whether two settings name different places of the input, or different units: then they are about different things.
fn speak_of_other_places(a: &Json, b: &Json) -> bool {
    let (Json::Object(x), Json::Object(y)) = (a, b) else {
        return false;
    };
    x.iter().any(|(name, value)| {
        let Some(other) = y.get(name) else {
            return false;
        };
        match (value, other) {
            (Json::String(x), Json::String(y)) => {
                let is_place = x.starts_with('/') && y.starts_with('/');
                x != y && (is_place || matches!(name.as_str(), "currency" | "unit"))
            }
            (Json::Object(_), Json::Object(_)) => speak_of_other_places(value, other),
            _ => false,
        }
    })
}

/// Whether two items of a list say something of the same: all but their numbers is the same, and a list of kinds that one
/// has and the other has not takes the action in.
fn are_alike(a: &Json, b: &Json, action: &str) -> bool {
    let (Json::Object(x), Json::Object(y)) = (a, b) else {
        return false;
    };
    let names = x
        .keys()
        .chain(y.keys().filter(|name| !x.contains_key(*name)));
    let measures = |json: &Json| json.is_number() || json.is_boolean();
    names
        .filter(|name| !matches!((x.get(*name), y.get(*name)), (Some(a), _) | (None, Some(a)) if measures(a)))
        .all(|name| match (x.get(name), y.get(name)) {
            (Some(a), Some(b)) => a == b || (covers(a, action) && covers(b, action)),
            (Some(only), None) | (None, Some(only)) => covers(only, action),
            (None, None) => true,
        })
}

fn covers(list: &Json, action: &str) -> bool {
    let Json::Array(kinds) = list else {
        return false;
    };
    let mut kinds = kinds.iter().filter_map(Json::as_str);
    kinds.any(|pattern| takes(pattern, action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(name: &str, guards: &[&str], enforced: bool, config: Json) -> RuleBinding {
        RuleBinding {
            name: name.to_owned(),
            guards: guards.iter().map(ToString::to_string).collect(),
            rule: "spending-limit".to_owned(),
            enforced,
            config,
            ..RuleBinding::default()
        }
    }

    fn limits(limits: &Json) -> Json {
        json!({"currency": "EUR", "amount": {"pointer": "/amount"}, "limits": limits})
    }

    #[test]
    fn two_limits_on_one_action_disagree_and_two_on_two_do_not() {
        let a = binding(
            "a",
            &["refund.*"],
            true,
            limits(&json!([{"per": "action", "soft_micro": 50}])),
        );
        let b = binding(
            "b",
            &["refund.pay"],
            true,
            limits(&json!([{"per": "action", "soft_micro": 40}])),
        );
        let found = compared(&[a.clone(), b.clone()]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, Code::RulesDisagree);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(
            found[0].message,
            "b judges refund.pay with /limits/0/soft_micro at 40, and a at 50"
        );
        let elsewhere = RuleBinding {
            guards: vec!["expense.pay".to_owned()],
            ..b.clone()
        };
        assert!(compared(&[a.clone(), elsewhere]).is_empty());
        let other_rule = RuleBinding {
            rule: "business-hours".to_owned(),
            ..b.clone()
        };
        assert!(compared(&[a.clone(), other_rule]).is_empty());
        let other_place = RuleBinding {
            config: json!({"currency": "EUR", "amount": {"pointer": "/total"}, "limits": [{"per": "action", "soft_micro": 40}]}),
            ..b.clone()
        };
        assert!(compared(&[a.clone(), other_place]).is_empty());
        let for_programs = RuleBinding {
            config: limits(&json!([{"per": "action", "actor": "agent:*", "soft_micro": 40}])),
            ..b
        };
        assert!(compared(&[a, for_programs]).is_empty());
    }

    #[test]
    fn what_is_only_watched_is_a_trial_and_a_note() {
        let kinds = json!([{"per": "action", "kinds": ["refund.pay"], "soft_micro": 50}]);
        let a = binding(
            "payments",
            &["refund.pay", "expense.pay"],
            true,
            limits(&kinds),
        );
        let b = binding(
            "tried",
            &["refund.pay"],
            false,
            limits(&json!([{"per": "action", "soft_micro": 40}])),
        );
        let found = compared(&[a.clone(), b]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Note);
        let same = RuleBinding {
            name: "again".to_owned(),
            enforced: false,
            ..a.clone()
        };
        let found = compared(&[a, same]);
        assert_eq!(found[0].code, Code::DuplicateRule);
        assert!(
            found[0]
                .message
                .contains("again only watches what payments")
        );
    }
}
