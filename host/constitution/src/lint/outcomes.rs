//! Branches that wait for an answer that no table gives. A table that calls its outcome `refuse` and a workflow that asks
//! for `refused` each look right alone; together they take another way than anybody meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use polity_document::suggest;
use polity_lint::{Code, Finding, Suggestion};
use polity_tables::{AllowedValues, DecisionTable, Place};
use polity_workflow::{EdgeKind, Workflow};
use serde_json::{Value, json};

/// The values that a field may have, by the field's name; empty where nobody knows all of them.
type Answers = BTreeMap<String, BTreeSet<String>>;

/// Cases of switches that no answer of the workflow's tables ever takes.
pub(super) fn never_given(workflow: &Workflow, tables: &[Arc<DecisionTable>]) -> Vec<Finding> {
    let answers = answers(workflow, tables);
    let graph = workflow.graph();
    let cases = graph
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::Case);
    let mut findings = Vec::new();
    for case in cases {
        let (Some(condition), Some(node)) = (&case.condition, graph.nodes.get(case.from)) else {
            continue;
        };
        let Some((field, wanted)) = comparison(condition) else {
            continue;
        };
        let Some(known) = answers.get(field).filter(|known| !known.is_empty()) else {
            continue;
        };
        if known.contains(wanted) {
            continue;
        }
        let place = Place {
            line: node.place.line,
            column: 1,
            pointer: node.place.pointer.clone(),
            ..Place::of_file(&graph.file)
        };
        let candidates = known.iter().map(String::as_str);
        findings.push(
            Finding::new(
                Code::NeverMatches,
                place,
                format!(
                    "a case of \"{}\" waits for the {field} \"{wanted}\", which no table answers",
                    node.name
                ),
            )
            .witness(json!({ "task": node.name, "case": case.label, "when": condition }))
            .suggest(Suggestion::words(suggest::fix(wanted, field, candidates))),
        );
    }
    findings
}

/// What the fields are that the workflow's tables answer with: outputs by their names, and a single output by the name
/// that `output: {as: '{NAME: .}'}` gives it.
fn answers(workflow: &Workflow, tables: &[Arc<DecisionTable>]) -> Answers {
    let mut answers = Answers::new();
    let mut set = BTreeSet::new();
    for node in &workflow.graph().nodes {
        let task = workflow.source().pointer(&node.place.pointer);
        let decides = node
            .effect
            .as_ref()
            .filter(|effect| effect.call == "decide");
        let Some(effect) = decides else {
            // What a task sets by hand under the same name can be anything.
            if let Some(Value::Object(fields)) = task.map(|task| &task["set"]) {
                set.extend(fields.keys().cloned());
            }
            continue;
        };
        let name = effect.arguments["table"].as_str().unwrap_or_default();
        let Some(table) = tables.iter().find(|table| table.table().name == name) else {
            continue;
        };
        let renamed = task.and_then(|task| wrapped(task["output"]["as"].as_str()?));
        let outputs = &table.table().outputs;
        for output in outputs {
            let field = match (outputs.len(), &renamed) {
                (1, Some(renamed)) => renamed.clone(),
                _ => output.name.clone(),
            };
            let known = answers.entry(field.clone()).or_default();
            match &output.allowed_values {
                Some(AllowedValues::List(values)) => {
                    known.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {
                    set.insert(field);
                }
            }
        }
    }
    answers.retain(|field, _| !set.contains(field));
    answers
}

/// `{outcome: .}` is `outcome`.
fn wrapped(transform: &str) -> Option<String> {
    let (name, value) = transform
        .trim()
        .strip_prefix('{')?
        .strip_suffix('}')?
        .split_once(':')?;
    (value.trim() == ".").then(|| name.trim().trim_matches('"').to_owned())
}

/// `.outcome == "pay"`, alone or as the first of several conditions that must all hold.
fn comparison(condition: &str) -> Option<(&str, &str)> {
    let first = match condition.split_once(" and ") {
        Some((first, _)) => first.trim().strip_prefix('(')?.strip_suffix(')')?,
        None => condition.trim(),
    };
    let (field, wanted) = first.strip_prefix('.')?.split_once("==")?;
    let field = field.trim();
    let wanted = wanted.trim().strip_prefix('"')?.strip_suffix('"')?;
    let is_plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_plain(field) && !wanted.contains(['"', '\\'])).then_some((field, wanted))
}

#[cfg(test)]
mod tests {
    use polity_workflow::Dialect;

    use super::*;

    fn found(condition: &str) -> Vec<String> {
        let table = r#"{"name": "refund", "inputs": [{"name": "amount", "typeRef": "number"}],
            "outputs": [{"name": "verdict", "typeRef": "string", "allowedValues": ["pay", "refuse"]}],
            "rules": [{"inputEntries": ["<= 5"], "outputEntries": ["pay"]}, {"inputEntries": ["> 5"], "outputEntries": ["refuse"]}]}"#;
        let table = DecisionTable::load("decisions/refund.json", table).unwrap();
        let workflow = format!(
            "document: {{dsl: 1.0.3, namespace: d, name: w, version: 1.0.0}}\ndo:\n  - outcome: {{call: decide, with: {{table: refund}}, output: {{as: '{{outcome: .}}'}}}}\n  - route:\n      switch:\n        - a: {{when: '{condition}', then: end}}\n        - b: {{then: end}}\n"
        );
        let workflow = Workflow::load("workflows/w.yaml", &workflow, Dialect::Strict).unwrap();
        let findings = never_given(&workflow, &[Arc::new(table)]);
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn a_case_that_no_answer_takes_is_found_and_others_are_left_alone() {
        assert_eq!(
            found(r#".outcome == "refused""#),
            ["a case of \"route\" waits for the outcome \"refused\", which no table answers"]
        );
        assert_eq!(found(r#"(.outcome == "refusd") and (.a == 1)"#).len(), 1);
        for fine in [
            r#".outcome == "refuse""#,
            r#".other == "refused""#,
            r#".outcome != "refused""#,
            r#"(.outcome == "pay") and (.a == 1)"#,
            r#".outcome == .other"#,
        ] {
            assert_eq!(found(fine), [""; 0], "{fine}");
        }
    }
}
