//! Tables that know of each other only through what they decide.

use std::collections::BTreeMap;

use polity_tables::{
    AllowedValues, Comparison, DecisionTable, Entry, HitPolicy, Input, Kind, Options, Rule, Table,
    Test, Value,
};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::{Limits, Sheet};
use crate::boxes::pairs;
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::Finding;

/// Contradictions between tables that decide one fact, and lines that are drawn twice in nearly one place.
pub fn across(tables: &[&DecisionTable], limits: &Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, a) in tables.iter().enumerate() {
        for b in &tables[index + 1..] {
            if a.table().decides.is_some() && a.table().decides == b.table().decides {
                findings.extend(disagreements(a, b, limits));
            }
            findings.extend(thresholds(a, b, limits));
        }
    }
    findings
}

/// Puts the rows of both into one table, so that one space holds them, and asks both tables about what rows share.
fn disagreements(a: &DecisionTable, b: &DecisionTable, limits: &Limits) -> Vec<Finding> {
    let Some((joint, split)) = joint(a.table(), b.table()) else {
        return Vec::new();
    };
    let Ok(joint) = DecisionTable::compile(joint, &Options::default()) else {
        return Vec::new();
    };
    let sheet = Sheet::new(&joint, limits);
    let (own_a, own_b) = (Sheet::new(a, limits), Sheet::new(b, limits));
    let (found, complete) = pairs(&sheet.space, &sheet.may, limits.pairs);
    let mut findings: Vec<Finding> = Vec::new();
    for (x, y) in found {
        let (row_a, row_b) = (
            sheet.may.rows[x as usize] as usize,
            sheet.may.rows[y as usize] as usize,
        );
        if row_a >= split || row_b < split || findings.len() >= limits.listed {
            continue;
        }
        let common = sheet
            .space
            .common(sheet.may.sides(x as usize), sheet.may.sides(y as usize));
        let witness = sheet.witness(&common);
        // Rows before these may decide; what counts is what the tables say.
        let (Ok(said_a), Ok(said_b)) = (a.decide(&witness), b.decide(&witness)) else {
            continue;
        };
        let Some((answer_a, answer_b)) = differ(a, &said_a.value, b, &said_b.value) else {
            continue;
        };
        let (name_a, name_b) = (&a.table().name, &b.table().name);
        findings.push(
            Finding::new(
                Code::TablesDisagree,
                own_b.row_place((row_b - split) as u32),
                format!(
                    "{name_b} answers {answer_b} and {name_a} answers {answer_a} for {}, and both decide {}",
                    sheet.in_words(&common),
                    a.table().decides.as_deref().unwrap_or_default()
                ),
            )
            .related(own_a.row_place(row_a as u32), format!("{name_a}: {}", own_a.row_in_words(row_a as u32)))
            .witness(witness)
            .suggest(Suggestion::words(
                "give both the same answer there, or let one table decide and the other ask it",
            )),
        );
    }
    if !complete {
        findings.push(Finding::new(
            Code::Incomplete,
            own_b.place("/rules"),
            format!(
                "the budget was reached while {} was compared with {}",
                b.table().name,
                a.table().name
            ),
        ));
    }
    findings
}

/// The answers where they differ: of the outputs that have one name, or of the only ones.
fn differ(
    a: &DecisionTable,
    said_a: &Value,
    b: &DecisionTable,
    said_b: &Value,
) -> Option<(String, String)> {
    if *said_a == Value::Null || *said_b == Value::Null {
        return None;
    }
    if let ([_], [_]) = (a.outputs(), b.outputs()) {
        return (said_a.equals(said_b) == Some(false))
            .then(|| (said_a.to_string(), said_b.to_string()));
    }
    let part = |table: &DecisionTable, said: &Value, name: &str| {
        if table.outputs().len() == 1 {
            Some(said.clone())
        } else {
            said.field(name).cloned()
        }
    };
    a.outputs().iter().find_map(|output| {
        b.outputs().iter().find(|other| other.name == output.name)?;
        let (x, y) = (
            part(a, said_a, &output.name)?,
            part(b, said_b, &output.name)?,
        );
        (x.equals(&y) == Some(false)).then(|| {
            (
                format!("{} = {x}", output.name),
                format!("{} = {y}", output.name),
            )
        })
    })
}

/// The rows of two tables in one, those of the second from the number that is returned.
pub(crate) fn joint(a: &Table, b: &Table) -> Option<(Table, usize)> {
    let mut inputs: Vec<Input> = a.inputs.clone();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, input) in b.inputs.iter().enumerate() {
        match inputs
            .iter()
            .position(|known| known.source() == input.source())
        {
            Some(known) => {
                if inputs[known].type_ref != input.type_ref {
                    return None;
                }
                inputs[known].nullable |= input.nullable;
                inputs[known].allowed_values =
                    match (inputs[known].allowed_values.take(), &input.allowed_values) {
                        (
                            Some(AllowedValues::List(mut values)),
                            Some(AllowedValues::List(more)),
                        ) => {
                            values.extend(
                                more.iter()
                                    .filter(|value| !values.contains(value))
                                    .cloned()
                                    .collect::<Vec<Json>>(),
                            );
                            Some(AllowedValues::List(values))
                        }
                        (known, other) if known.as_ref() == other.as_ref() => known,
                        // What only one of them allows is a question of its own.
                        _ => None,
                    };
                places.insert(known, at);
            }
            None => {
                inputs.push(input.clone());
                places.insert(inputs.len() - 1, at);
            }
        }
    }
    let mut rules: Vec<Rule> = a
        .rules
        .iter()
        .map(|rule| Rule {
            input_entries: rule
                .input_entries
                .iter()
                .cloned()
                .chain(vec![Entry("-".to_owned()); inputs.len() - a.inputs.len()])
                .collect(),
            output_entries: vec![Entry("1".to_owned())],
            ..Rule::default()
        })
        .collect();
    let split = rules.len();
    rules.extend(b.rules.iter().map(|rule| {
        Rule {
            input_entries: (0..inputs.len())
                .map(|at| {
                    places.get(&at).map_or_else(
                        || Entry("-".to_owned()),
                        |own| rule.input_entries[*own].clone(),
                    )
                })
                .collect(),
            output_entries: vec![Entry("2".to_owned())],
            ..Rule::default()
        }
    }));
    let table = Table {
        inputs,
        outputs: vec![polity_tables::Output {
            name: "table".to_owned(),
            ..polity_tables::Output::default()
        }],
        rules,
        hit_policy: HitPolicy::Any,
        aggregation: None,
        ..a.clone()
    };
    Some((table, split))
}

/// A line one table draws: its value, and the first cell that draws it.
fn lines(table: &DecisionTable, at: usize) -> Vec<(Decimal, usize)> {
    let mut lines: Vec<(Decimal, usize)> = Vec::new();
    for (row, cell) in table.columns()[at].cells.iter().enumerate() {
        for test in &cell.tests {
            let ends: Vec<&polity_tables::Expr> = match test {
                Test::Compare(comparison, expr)
                    if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) =>
                {
                    vec![expr]
                }
                Test::Within(ends) => vec![&ends.low, &ends.high],
                _ => continue,
            };
            for end in ends {
                if let polity_tables::Expr::Literal(Value::Number(number)) = end
                    && !lines.iter().any(|(known, _)| known == number)
                {
                    lines.push((*number, row));
                }
            }
        }
    }
    lines
}

/// The lines that a table draws for one of its inputs, each with the pointer to a cell that draws it.
pub fn lines_of(table: &DecisionTable, input: usize) -> Vec<(Decimal, String)> {
    let is_number = table
        .columns()
        .get(input)
        .is_some_and(|column| matches!(column.kind, Kind::Number | Kind::Integer));
    if !is_number {
        return Vec::new();
    }
    lines(table, input)
        .into_iter()
        .map(|(line, row)| (line, format!("/rules/{row}/inputEntries/{input}")))
        .collect()
}

fn thresholds(a: &DecisionTable, b: &DecisionTable, limits: &Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    let near = Decimal::new(2, 1);
    for (at_a, input_a) in a.table().inputs.iter().enumerate() {
        let Some(at_b) = b
            .table()
            .inputs
            .iter()
            .position(|input| input.source() == input_a.source() && input.unit == input_a.unit)
        else {
            continue;
        };
        if !matches!(a.columns()[at_a].kind, Kind::Number | Kind::Integer) {
            continue;
        }
        let (lines_a, lines_b) = (lines(a, at_a), lines(b, at_b));
        for (x, row_a) in lines_a
            .iter()
            .filter(|(x, _)| !lines_b.iter().any(|(y, _)| x == y))
        {
            let close = lines_b
                .iter()
                .filter(|(y, _)| !lines_a.iter().any(|(x, _)| x == y))
                .filter(|(y, _)| (*x - *y).abs() <= x.abs().max(y.abs()) * near)
                .min_by_key(|(y, _)| (*x - *y).abs());
            let Some((y, row_b)) = close else {
                continue;
            };
            if findings.len() >= limits.listed {
                return findings;
            }
            let (own_a, own_b) = (Sheet::bare(a, limits), Sheet::bare(b, limits));
            let mut witness = Json::Object(serde_json::Map::new());
            if let Some(path) = &a.columns()[at_a].path {
                let between = Value::Number(((*x + *y) / Decimal::TWO).normalize()).to_json();
                super::sheet::put(&mut witness, path.iter().map(|name| &**name), between);
            }
            findings.push(
                Finding::new(
                    Code::ThresholdsDisagree,
                    own_b.place(&format!("/rules/{row_b}/inputEntries/{at_b}")),
                    format!(
                        "{} draws a line for {} at {y}, and {} at {x}; is one limit meant?",
                        b.table().name,
                        input_a.source(),
                        a.table().name
                    ),
                )
                .related(
                    own_a.place(&format!("/rules/{row_a}/inputEntries/{at_a}")),
                    format!("{} draws it at {x}", a.table().name),
                )
                .witness(witness)
                .suggest(Suggestion::words(
                    "draw it in one place, or in both at the same value",
                )),
            );
        }
    }
    findings
}
