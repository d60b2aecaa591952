//! Limits that a rule's settings draw, beside the lines that tables draw. A table that pays up to 50 and a rule that stops
//! at 45 each look right alone; together they put before a person what the table had settled.

use std::collections::BTreeSet;

use polity_document::Document;
use polity_lint::{Code, Finding, Suggestion, lines_of};
use polity_tables::DecisionTable;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::binding::{Binding, Mode};
use crate::kind::ActionKind;
use crate::parts::Parts;
use crate::sources::Sources;

/// How near two lines are that are meant to be one.
fn near() -> Decimal {
    Decimal::new(2, 1)
}

/// A limit in the settings of a binding, in units.
struct Limit {
    value: Decimal,
    pointer: String,
}

/// Limits that stand near a line of a table that is asked about the same.
pub(super) fn compared(parts: &Parts, sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What is only watched decides nothing, and is compared with what decides elsewhere.
    let deciding = parts
        .bindings
        .iter()
        .filter(|binding| binding.mode == Mode::Enforce);
    for binding in deciding {
        let (limits, names) = read(binding);
        if limits.is_empty() || names.is_empty() {
            continue;
        }
        for table in asked_beside(binding, parts) {
            findings.extend(beside(binding, &limits, &names, table, sources));
        }
    }
    findings
}

/// The limits of a binding, and what the values are called that they are held against.
fn read(binding: &Binding) -> (Vec<Limit>, BTreeSet<String>) {
    let (mut limits, mut names) = (Vec::new(), BTreeSet::new());
    walk("", "/config", &binding.config, &mut limits, &mut names);
    (limits, names)
}

fn walk(
    name: &str,
    pointer: &str,
    value: &Value,
    limits: &mut Vec<Limit>,
    names: &mut BTreeSet<String>,
) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let token = polity_document::escaped(name);
                walk(name, &format!("{pointer}/{token}"), value, limits, names);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                walk(name, &format!("{pointer}/{at}"), value, limits, names);
            }
        }
        Value::String(text) if text.starts_with('/') && !name.contains("currency") => {
            names.extend(text.rsplit('/').next().map(str::to_owned));
        }
        Value::Number(number) => {
            let Ok(value) = number.to_string().parse::<Decimal>() else {
                return;
            };
            let value = match name.ends_with("_micro") {
                true => value / Decimal::from(1_000_000),
                false => value,
            };
            if !value.is_zero() {
                limits.push(Limit {
                    value: value.normalize(),
                    pointer: pointer.to_owned(),
                });
            }
        }
        _ => {}
    }
}

/// The tables that a workflow asks which also takes an action that the binding guards.
fn asked_beside<'p>(binding: &Binding, parts: &'p Parts) -> Vec<&'p DecisionTable> {
    let mut names = BTreeSet::new();
    for workflow in &parts.workflows {
        let graph = workflow.graph();
        let guards = |action: &str| {
            let kind: Option<ActionKind> = action.parse().ok();
            kind.is_some_and(|kind| binding.guards.iter().any(|guard| guard.matches(&kind)))
        };
        let takes = super::process_of(workflow).tasks.iter().any(|task| {
            let effect = task.effect.as_ref().map(|effect| effect.action.as_str());
            let approved = task.gate.iter().flat_map(|gate| &gate.approves);
            effect
                .into_iter()
                .chain(approved.map(String::as_str))
                .any(guards)
        });
        if takes {
            let tables = graph.nodes.iter().filter_map(|node| {
                let effect = node
                    .effect
                    .as_ref()
                    .filter(|effect| effect.call == "decide")?;
                effect.arguments["table"].as_str().map(str::to_owned)
            });
            names.extend(tables);
        }
    }
    let tables = parts.tables.iter().map(AsRef::as_ref);
    tables
        .filter(|table: &&DecisionTable| names.contains(&table.table().name))
        .collect()
}

fn beside(
    binding: &Binding,
    limits: &[Limit],
    names: &BTreeSet<String>,
    table: &DecisionTable,
    sources: &Sources,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, input) in table.table().inputs.iter().enumerate() {
        let name = input.source().rsplit('.').next().unwrap_or_default();
        if !names.contains(name) {
            continue;
        }
        let lines = lines_of(table, at);
        let strangers = limits
            .iter()
            .filter(|limit| !lines.iter().any(|(line, _)| *line == limit.value));
        for limit in strangers {
            let close = lines
                .iter()
                .filter(|(line, _)| !limits.iter().any(|limit| limit.value == *line))
                .filter(|(line, _)| {
                    (*line - limit.value).abs() <= line.abs().max(limit.value.abs()) * near()
                })
                .min_by_key(|(line, _)| (*line - limit.value).abs());
            let Some((line, cell)) = close else { continue };
            let between = ((*line + limit.value) / Decimal::TWO).normalize();
            let table_name = &table.table().name;
            let mut finding = Finding::new(
                Code::ThresholdsDisagree,
                super::rule_place(sources, &binding.name, &limit.pointer),
                format!(
                    "{} draws a line for {name} at {}, and the table {table_name} at {line}; is one limit meant?",
                    binding.name, limit.value
                ),
            )
            .witness(json!({ name: number(between) }))
            .suggest(Suggestion::words(format!(
                "draw it in one place, or in both at {line}"
            )));
            if let Some(document) = table.document() {
                finding = finding.related(
                    place(document, cell),
                    format!("{table_name} draws it at {line}"),
                );
            }
            findings.push(finding);
        }
    }
    findings
}

fn place(document: &Document, pointer: &str) -> polity_tables::Place {
    document.place(pointer)
}

fn number(value: Decimal) -> Value {
    let text = value.to_string();
    serde_json::from_str(&text).unwrap_or(Value::Object(Map::new()))
}
