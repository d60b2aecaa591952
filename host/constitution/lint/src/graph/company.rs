//! What only shows when all protocols and rules are seen together.

use polity_tables::Place;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::process::{ProcessGraph, takes};
use super::{bindings, lint_graph, triggers};
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::Finding;

/// Protocols, and the rules that guard what they do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// The protocols.
    pub protocols: Vec<ProcessGraph>,
    /// The rules.
    pub rules: Vec<RuleBinding>,
    /// Actions that happen outside protocols, such as `request.received`.
    pub other_actions: Vec<String>,
    /// Protocols that people or programs may start by name.
    pub started_by_name: Vec<String>,
}

/// Which actions a rule guards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleBinding {
    /// The binding's name.
    pub name: String,
    /// Kinds of action; `refund.*` is all below, `*` is all.
    pub guards: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// The rule that judges: bindings of different rules are different questions.
    #[serde(default)]
    pub rule: String,
    /// Whether what it says counts, or is only noted.
    #[serde(default)]
    pub enforced: bool,
    /// Its settings.
    #[serde(default)]
    pub config: Json,
}

/// Everything about protocols and rules, each protocol alone and all together.
pub fn lint_company(company: &Company) -> Vec<Finding> {
    let mut findings: Vec<Finding> = company.protocols.iter().flat_map(lint_graph).collect();
    let effects: Vec<_> = company
        .protocols
        .iter()
        .flat_map(|graph| {
            graph
                .tasks
                .iter()
                .filter_map(move |task| task.effect.as_ref().map(|effect| (graph, task, effect)))
        })
        .collect();
    for (graph, task, effect) in &effects {
        let guarded = company.rules.iter().any(|rule| {
            rule.guards
                .iter()
                .any(|pattern| takes(pattern, &effect.action))
        });
        if !guarded {
            findings.push(
                Finding::new(
                    Code::UnboundAction,
                    task.place.clone(),
                    format!(
                        "no rule guards {}, which \"{}\" of {} carries out",
                        effect.action, task.name, graph.name
                    ),
                )
                .witness(serde_json::json!({"action": effect.action}))
                .suggest(Suggestion::words(format!(
                    "bind a rule with \"guards\": [\"{}\"]",
                    effect.action
                ))),
            );
        }
    }
    for rule in &company.rules {
        for (at, pattern) in rule.guards.iter().enumerate() {
            let actions = effects
                .iter()
                .map(|(.., effect)| &effect.action)
                .chain(&company.other_actions);
            let mut known = actions.filter(|action| takes(pattern, action));
            if pattern != "*" && known.next().is_none() {
                let mut place = rule.place.clone();
                if matches!(place.pointer.as_str(), "" | "/guards") {
                    place.pointer = format!("/guards/{at}");
                }
                findings.push(
                    Finding::new(
                        Code::RuleNeverApplies,
                        place,
                        format!(
                            "{} guards {pattern}, and nothing takes such an action",
                            rule.name
                        ),
                    )
                    .witness(serde_json::json!({"guards": pattern}))
                    .suggest(Suggestion::words("correct the pattern, or remove it")),
                );
            }
        }
    }
    for graph in &company.protocols {
        let run_by_another = company.protocols.iter().any(|other| {
            other.name != graph.name
                && other
                    .tasks
                    .iter()
                    .any(|task| task.runs.as_deref() == Some(&graph.name))
        });
        if graph.triggers.is_empty()
            && !run_by_another
            && !company.started_by_name.contains(&graph.name)
        {
            findings.push(
                Finding::new(
                    Code::NobodyTriggers,
                    graph.place.clone(),
                    format!("nothing starts {}", graph.name),
                )
                .witness(serde_json::json!({"protocol": graph.name}))
                .suggest(Suggestion::words(
                    "give it a schedule or an event, or run it from another protocol",
                )),
            );
        }
    }
    findings.extend(triggers::shared(&company.protocols));
    findings.extend(bindings::compared(&company.rules));
    findings
}
