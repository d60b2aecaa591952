//! From a statement to what is done for it.

pub(crate) mod access;
mod explain;
mod from;
mod rollup;
mod select;
mod write;

use std::sync::Arc;

pub use explain::PlanNode;
use sqlparser::ast::Statement;

use crate::catalogue::{Catalogue, Index, Rollup};
use crate::error::EngineError;
use crate::kv::TreeId;
use crate::observe::QueryShape;
use crate::rights::RowRights;
use crate::sql::bind::{Slot, Table};
use crate::sql::expr::{AggregateCall, Expr};
pub(crate) use access::Access;
pub(crate) use rollup::RollupPlan;

/// A statement that is ready to run with any parameters.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The catalogue it was made for.
    pub(crate) version: u64,
    pub(crate) fingerprint: u64,
    pub(crate) fingerprint_text: String,
    pub(crate) shape: QueryShape,
    /// The trees it reads.
    pub(crate) trees: Vec<TreeId>,
    pub(crate) kind: PlanKind,
}

#[derive(Debug)]
pub(crate) enum PlanKind {
    Select(Box<SelectPlan>),
    Explain(Box<SelectPlan>),
    Insert {
        collection: String,
        columns: Vec<String>,
        rows: Vec<Vec<Expr>>,
    },
    Update {
        scan: Box<SelectPlan>,
        collection: String,
        assignments: Vec<(String, Expr)>,
    },
    Delete {
        scan: Box<SelectPlan>,
        collection: String,
    },
}

/// A SELECT.
#[derive(Debug)]
pub(crate) struct SelectPlan {
    pub(crate) tables: Vec<Table>,
    pub(crate) slots: Vec<Slot>,
    /// One for each table; the first drives.
    pub(crate) scans: Vec<Scan>,
    /// One for each further table.
    pub(crate) joins: Vec<Join>,
    /// Conditions over several tables.
    pub(crate) filter: Vec<Expr>,
    /// `None` when rows are not grouped. The following expressions are then over group values and aggregates.
    pub(crate) group: Option<Vec<Expr>>,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) rollup: Option<RollupPlan>,
    pub(crate) having: Option<Expr>,
    pub(crate) output: Vec<(String, Expr)>,
    pub(crate) distinct: bool,
    pub(crate) order: Vec<Order>,
    /// Rows come in the wanted order by themselves.
    pub(crate) sorted: bool,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
    /// Microseconds, by the model.
    pub(crate) cost: f64,
}

/// How one table is read.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) access: Access,
    pub(crate) filter: Vec<Expr>,
    /// Expected rows after the filter.
    pub(crate) rows: f64,
    pub(crate) cost: f64,
}

/// How a further table is joined.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) left_outer: bool,
    pub(crate) method: JoinMethod,
    /// What of ON is neither an equality nor about the joined table alone.
    pub(crate) residual: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) enum JoinMethod {
    /// Build a table of the joined collection, look each row up.
    Hash { left: Vec<Expr>, right: Vec<Expr> },
    /// Read the joined collection by key or index for each row.
    Lookup,
}

/// One key of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// What the planner may use beside the catalogue.
#[derive(Default)]
pub(crate) struct Visibility<'a> {
    /// Indexes and rollups not to use.
    pub(crate) masked: &'a [String],
    /// Hidden ones to use.
    pub(crate) unmasked: &'a [String],
    /// Indexes that do not exist, by collection.
    pub(crate) hypothetical: &'a [(String, Index)],
    /// Rollups that do not exist, by collection.
    pub(crate) hypothetical_rollups: &'a [(String, Rollup)],
    /// The rows that may be touched; all of them where there is none.
    pub(crate) rights: Option<&'a RowRights>,
}

impl Visibility<'_> {
    fn sees(&self, name: &str, state: &crate::catalogue::BuildState) -> bool {
        use crate::catalogue::BuildState;
        let listed = |list: &[String]| list.iter().any(|n| n == name);
        !listed(self.masked)
            && match state {
                BuildState::Active => true,
                BuildState::Hidden => listed(self.unmasked),
                BuildState::Building { .. } => false,
            }
    }
}

/// Sizes the planner asks for.
pub(crate) trait Sizes {
    /// How many entries a tree has.
    fn entries(&self, tree: TreeId) -> f64;
}

/// Plans a statement.
pub(crate) fn plan(
    statement: Statement,
    catalogue: &Arc<Catalogue>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Result<Plan, EngineError> {
    let kind = match &statement {
        Statement::Query(query) => {
            PlanKind::Select(Box::new(select::plan(query, catalogue, visibility, sizes)?))
        }
        Statement::Explain {
            statement,
            analyze: false,
            verbose: false,
            ..
        } => match &**statement {
            Statement::Query(query) => {
                PlanKind::Explain(Box::new(select::plan(query, catalogue, visibility, sizes)?))
            }
            _ => {
                return Err(EngineError::unsupported(
                    "EXPLAIN of anything but a SELECT",
                    None,
                ));
            }
        },
        Statement::Insert(insert) => write::insert(insert)?,
        Statement::Update(update) => write::update(update, catalogue, visibility, sizes)?,
        Statement::Delete(delete) => write::delete(delete, catalogue, visibility, sizes)?,
        other => {
            let text = other.to_string();
            let words: Vec<_> = text.split_whitespace().take(2).collect();
            return Err(EngineError::unsupported(format!("the statement {}", words.join(" ")), None)
                .with_hint("SELECT, INSERT, UPDATE, DELETE and EXPLAIN are; the schema is changed by mutations"));
        }
    };
    let (trees, shape) = match &kind {
        PlanKind::Select(plan) | PlanKind::Explain(plan) => (plan.trees(), QueryShape::of(plan)),
        PlanKind::Update { scan, .. } | PlanKind::Delete { scan, .. } => {
            (scan.trees(), QueryShape::of(scan))
        }
        PlanKind::Insert { .. } => (Vec::new(), QueryShape::default()),
    };
    Ok(Plan {
        version: catalogue.version,
        fingerprint: 0,
        fingerprint_text: String::new(),
        shape,
        trees,
        kind,
    })
}

impl SelectPlan {
    fn trees(&self) -> Vec<TreeId> {
        let mut trees = Vec::new();
        for (table, scan) in self.tables.iter().zip(&self.scans) {
            trees.push(table.collection.tree);
            if let Access::Index { tree, .. } = &scan.access {
                trees.push(*tree);
            }
        }
        trees.extend(self.rollup.iter().map(|rollup| rollup.tree));
        trees.sort_unstable();
        trees.dedup();
        trees
    }

    /// As a person reads it who may touch every row.
    pub(crate) fn explain(&self) -> PlanNode {
        explain::explain(self)
    }

    /// As one reads it who may touch these rows.
    pub(crate) fn explain_within(&self, rights: &RowRights) -> PlanNode {
        let mut collections = self.tables.iter().map(|table| &table.collection.name);
        match collections.all(|name| rights.is_open(name)) {
            true => self.explain(),
            false => self.explain().discreet(),
        }
    }
}
