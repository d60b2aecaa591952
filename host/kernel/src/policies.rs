//! What is wrong with policies, said by the rules that read them.
//!
//! The host knows no policy language; the rule that is bound to a text does. So each is asked once about an action that
//! nobody wants, and what it cannot read it answers with the problem `unreadable-policy`: a line for each mistake, which
//! begins with file, line and column. A mistake in a policy is a mistake in the constitution then, as one in a table is.

use polity_constitution::{Binding, Constitution, Problem};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::Action;
use polity_runtime::registry::Generation;

/// The code of the problem that a rule answers with.
const UNREADABLE: &str = "unreadable-policy";

/// What is wrong with the policies of a constitution, as far as the rules that read them are loaded. A rule that is not
/// fails when it is asked, and says nothing here.
pub fn policy_problems(constitution: &Constitution, plugins: &Generation) -> Vec<Problem> {
    let bindings = constitution.bindings().iter();
    bindings
        .filter(|binding| !binding.policies.is_empty())
        .flat_map(|binding| of(binding, plugins))
        .collect()
}

fn of(binding: &Binding, plugins: &Generation) -> Vec<Problem> {
    let loaded = plugins
        .rules()
        .iter()
        .find(|rule| *rule.name == *binding.rule)
        .and_then(|rule| rule.plugin());
    let Some(plugin) = loaded.filter(|plugin| plugin.check_config(&binding.config).is_ok()) else {
        return Vec::new();
    };
    let action = Action {
        kind: "policy.check".to_owned(),
        actor: "service:host".to_owned(),
        at_ms: 0,
        input: "{}".to_owned(),
        context: "{}".to_owned(),
    };
    let config = binding.config.to_string().into();
    match plugin.evaluate(&action, Some(&config)) {
        Err(CallError::Problem(problem)) if problem.code == UNREADABLE => problem
            .detail
            .lines()
            .map(|line| problem_of(binding, line))
            .collect(),
        _ => Vec::new(),
    }
}

/// `policies/refunds.cedar:3:5: unexpected token`
fn problem_of(binding: &Binding, line: &str) -> Problem {
    let mut parts = line.splitn(4, ':');
    let file = parts.next().unwrap_or_default();
    let place = (|| {
        let line = parts.next()?.parse().ok()?;
        let column = parts.next()?.parse().ok()?;
        Some((line, column, parts.next()?.trim().to_owned()))
    })();
    let known = binding.policies.iter().any(|policy| policy == file);
    let (file, line, column, message) = match place {
        Some((line, column, message)) if known => (file.to_owned(), line, column, message),
        _ => (
            format!("rules/{}.json", binding.name),
            1,
            1,
            line.to_owned(),
        ),
    };
    Problem {
        code: UNREADABLE.to_owned(),
        file,
        line,
        column,
        pointer: String::new(),
        message,
        fix: format!("write it as the rule {} reads it", binding.rule),
    }
}

#[cfg(test)]
mod tests {
    use polity_constitution::Sources;

    use super::*;

    #[test]
    fn a_line_of_a_rule_becomes_a_place_where_it_names_one_of_its_own_policies() {
        let sources = Sources::new()
            .with(
                "charter.json",
                r#"{"company": {"name": "X", "currency": "EUR"}, "defaults": {"unmatched": "deny"},
                    "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}]}"#,
            )
            .with(
                "rules/refunds.json",
                r#"{"rule": "rule-cedar", "guards": ["refund.*"], "policies": ["policies/a.cedar"]}"#,
            )
            .with("policies/a.cedar", "permit");
        let constitution = Constitution::from_sources(&sources).unwrap();
        let binding = &constitution.bindings()[0];
        let problem = problem_of(binding, "policies/a.cedar:3:5: unexpected token `:`");
        assert_eq!(
            (problem.file.as_str(), problem.line, problem.column),
            ("policies/a.cedar", 3, 5)
        );
        assert_eq!(problem.message, "unexpected token `:`");
        // A rule speaks of what was put before it, and of nothing else.
        for strange in ["/etc/passwd:1:1: x", "policies/a.cedar: x", "x", ""] {
            assert_eq!(problem_of(binding, strange).file, "rules/refunds.json");
        }
    }
}
