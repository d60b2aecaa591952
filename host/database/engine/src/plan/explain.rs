//! A plan that a person can read, and a program.

use std::fmt;

use serde::Serialize;

use super::{Access, JoinMethod, Scan, SelectPlan};
use crate::sql::bind::Table;

/// One step of a plan and the steps it takes its rows from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanNode {
    /// What is done.
    pub step: String,
    /// To what, by which conditions.
    pub detail: String,
    /// Expected rows; none where they would tell of rows that the one who asks may not touch.
    pub rows: Option<u64>,
    /// Expected microseconds, all steps below included; none as above.
    pub cost: Option<f64>,
    /// Index or rollup that is used.
    pub uses: Option<String>,
    /// Where the rows come from.
    pub inputs: Vec<Self>,
}

impl PlanNode {
    /// Without what follows from how many rows there are, and of which values.
    pub(crate) fn discreet(self) -> Self {
        Self {
            rows: None,
            cost: None,
            inputs: self.inputs.into_iter().map(Self::discreet).collect(),
            ..self
        }
    }
}

pub(super) fn explain(plan: &SelectPlan) -> PlanNode {
    let mut node = source(plan);
    let wrap = |node: PlanNode, step: &str, detail: String| PlanNode {
        step: step.to_owned(),
        detail,
        rows: node.rows,
        cost: node.cost,
        uses: None,
        inputs: vec![node],
    };
    if let (Some(group), None) = (&plan.group, &plan.rollup) {
        let names: Vec<_> = plan.output.iter().map(|(n, _)| n.as_str()).collect();
        node = wrap(
            node,
            "group",
            format!(
                "{} keys, {} aggregates, gives {}",
                group.len(),
                plan.aggregates.len(),
                names.join(", ")
            ),
        );
    }
    if plan.having.is_some() {
        node = wrap(node, "filter groups", String::new());
    }
    if plan.distinct {
        node = wrap(node, "distinct", String::new());
    }
    if !plan.order.is_empty() && !plan.sorted {
        node = wrap(node, "sort", format!("{} keys", plan.order.len()));
    }
    if plan.limit.is_some() || plan.offset.is_some() {
        node = wrap(node, "limit", String::new());
    }
    node
}

fn source(plan: &SelectPlan) -> PlanNode {
    if let (Some(rollup), Some(table)) = (&plan.rollup, plan.tables.first()) {
        return PlanNode {
            step: "read rollup".to_owned(),
            detail: table.collection.name.clone(),
            rows: Some(rollup.cost as u64),
            cost: round(rollup.cost),
            uses: Some(rollup.name.clone()),
            inputs: Vec::new(),
        };
    }
    let Some((table, scan)) = plan.tables.iter().zip(&plan.scans).next() else {
        return PlanNode {
            step: "one row".to_owned(),
            detail: String::new(),
            rows: Some(1),
            cost: Some(0.0),
            uses: None,
            inputs: Vec::new(),
        };
    };
    let mut node = read(table, scan);
    for (n, join) in plan.joins.iter().enumerate() {
        let right = read(&plan.tables[n + 1], &plan.scans[n + 1]);
        let kind = if join.left_outer { "left " } else { "" };
        node = PlanNode {
            step: match join.method {
                JoinMethod::Hash { .. } => format!("{kind}hash join"),
                JoinMethod::Lookup => format!("{kind}lookup join"),
            },
            detail: format!("with {}", plan.tables[n + 1].alias),
            rows: node.rows.map(|rows| rows.max(1)),
            cost: round(plan.cost),
            uses: None,
            inputs: vec![node, right],
        };
    }
    node
}

fn read(table: &Table, scan: &Scan) -> PlanNode {
    let name = if table.alias == table.collection.name {
        table.alias.clone()
    } else {
        format!("{} as {}", table.collection.name, table.alias)
    };
    let filter = match scan.filter.len() {
        0 => String::new(),
        1 => ", 1 condition".to_owned(),
        n => format!(", {n} conditions"),
    };
    let (step, detail, uses) = match &scan.access {
        Access::Full { reverse } => (
            "scan",
            format!("{name}{}", if *reverse { " from the end" } else { "" }),
            None,
        ),
        Access::Index {
            name: index,
            fields,
            eq,
            range,
            reverse,
            covering,
            hypothetical,
            ..
        } => {
            let columns = table.collection.names_of(fields);
            let used = &columns[..(eq.len() + usize::from(!range.is_empty())).min(columns.len())];
            let stretch = match (eq.len(), range.len()) {
                (0, 0) => "in order".to_owned(),
                (_, 0) => format!("{} fixed", used.join(", ")),
                _ => format!("{}, the last by range", used.join(", ")),
            };
            let step = match (index, covering, hypothetical) {
                (None, ..) if range.is_empty() => "get by key",
                (None, ..) => "read a stretch of keys",
                (_, _, true) => "read hypothetical index",
                (_, true, _) => "read index alone",
                _ => "read index and rows",
            };
            (
                step,
                format!(
                    "{name}: {stretch}{}",
                    if *reverse { ", from the end" } else { "" }
                ),
                index.clone(),
            )
        }
    };
    PlanNode {
        step: step.to_owned(),
        detail: format!("{detail}{filter}"),
        rows: Some(scan.rows.max(1.0) as u64),
        cost: round(scan.cost),
        uses,
        inputs: Vec::new(),
    }
}

fn round(cost: f64) -> Option<f64> {
    Some((cost * 10.0).round() / 10.0)
}

/// As a tree for the terminal.
impl fmt::Display for PlanNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn line(node: &PlanNode, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if depth > 0 {
                write!(f, "\n{}└ ", "  ".repeat(depth - 1))?;
            }
            write!(f, "{}", node.step)?;
            if let Some(uses) = &node.uses {
                write!(f, " {uses}")?;
            }
            if !node.detail.is_empty() {
                write!(f, ": {}", node.detail)?;
            }
            if let (Some(rows), Some(cost)) = (node.rows, node.cost) {
                write!(f, "  ({rows} rows, {cost} µs)")?;
            }
            node.inputs
                .iter()
                .try_for_each(|input| line(input, depth + 1, f))
        }
        line(self, 0, f)
    }
}
