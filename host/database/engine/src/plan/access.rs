//! Which way into a collection is the cheapest.
//!
//! The primary order and each index are tried alike: as many columns as conditions fix by equality, then one range, then
//! whether the entries come in the wanted order and whether they hold everything the query needs. The same function
//! answers what an index that does not exist would be worth.

use super::{Order, Sizes, Visibility};
use crate::catalogue::Collection;
use crate::codec::row::FieldId;
use crate::kv::TreeId;
use crate::sql::bind::Table;
use crate::sql::expr::{Compare, Expr};

/// Microseconds, measured on the engine's own memory: an entry visited in order, a row fetched by key, a row compared in
/// a sort. Only their ratios matter for the choice.
const SCAN_ROW: f64 = 0.06;
const ENTRY: f64 = 0.08;
const FETCH: f64 = 0.6;
const SORT_STEP: f64 = 0.05;
const START: f64 = 1.0;
/// What is assumed of a column nobody has counted.
const UNKNOWN_DISTINCT: f64 = 100.0;
const RANGE_ONE_SIDE: f64 = 0.33;
const RANGE_TWO_SIDES: f64 = 0.1;

/// The way into a table.
#[derive(Debug)]
pub(crate) enum Access {
    /// Every row, in the order of the key.
    Full { reverse: bool },
    /// A stretch of the primary order or of an index.
    Index {
        /// `None` for the primary order.
        name: Option<String>,
        tree: TreeId,
        fields: Vec<FieldId>,
        eq: Vec<Expr>,
        range: Vec<(Compare, Expr)>,
        reverse: bool,
        covering: bool,
        /// It does not exist; the plan is for its cost only.
        hypothetical: bool,
    },
}

/// A chosen access.
pub(crate) struct Choice {
    pub(crate) access: Access,
    pub(crate) rows: f64,
    pub(crate) cost: f64,
    pub(crate) sorted: bool,
}

/// A condition that an order of keys can serve: the field, the comparison, the other side.
pub(crate) struct Sargable {
    pub(crate) field: FieldId,
    pub(crate) op: Compare,
    pub(crate) value: Expr,
}

/// What a condition offers; `bound` says whether the other side is known before the table is read.
pub(crate) fn sargable(
    expr: &Expr,
    table: &Table,
    bound: &dyn Fn(&Expr) -> bool,
) -> Option<Sargable> {
    let Expr::Compare(op, a, b) = expr else {
        return None;
    };
    let field = |e: &Expr| match e {
        Expr::Slot(slot) => table.slots.iter().find(|(_, s)| s == slot).map(|(f, _)| *f),
        _ => None,
    };
    let found = |field, op, value: &Expr| {
        (op != Compare::NotEq && bound(value)).then(|| Sargable {
            field,
            op,
            value: value.clone(),
        })
    };
    field(a)
        .and_then(|f| found(f, *op, b))
        .or_else(|| field(b).and_then(|f| found(f, op.mirrored(), a)))
}

struct Candidate<'a> {
    name: Option<&'a str>,
    tree: TreeId,
    fields: &'a [FieldId],
    distinct: &'a [u64],
    hypothetical: bool,
}

/// The cheapest access. `filters` is how many conditions there are in all, for the estimate of what passes them.
pub(crate) fn choose(
    table: &Table,
    conditions: &[Sargable],
    filters: usize,
    order: &[Order],
    limit: Option<f64>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Choice {
    let collection = &table.collection;
    let rows = sizes.entries(collection.tree).max(1.0);
    let primary = [Collection::ID];
    let mut candidates = vec![Candidate {
        name: None,
        tree: collection.tree,
        fields: &primary,
        distinct: &[],
        hypothetical: false,
    }];
    let real = collection
        .indexes
        .iter()
        .filter(|i| visibility.sees(&i.name, &i.state))
        .map(|i| (i, false));
    let imagined = visibility
        .hypothetical
        .iter()
        .filter(|(c, _)| *c == collection.name)
        .map(|(_, i)| (i, true));
    candidates.extend(real.chain(imagined).map(|(index, hypothetical)| Candidate {
        name: Some(&index.name),
        tree: index.tree,
        fields: &index.fields,
        distinct: &index.distinct,
        hypothetical,
    }));
    // What passes all conditions, by the best knowledge any order has of them.
    let passing = candidates
        .iter()
        .map(|c| selectivity(c, conditions, rows).0)
        .fold(1.0, f64::min)
        * 0.5f64.powi(filters.saturating_sub(conditions.len()).min(4) as i32);
    let rows_out = (rows * passing).max(0.1);
    let sort = |n: f64| {
        if order.is_empty() {
            0.0
        } else {
            n.max(2.0) * n.max(2.0).log2() * SORT_STEP
        }
    };
    let cut = |n: f64| limit.map_or(n, |l| n.min(l / passing.max(1e-9)));
    let (full_sorted, reverse) = ordered(&primary, 0, order, table);
    let mut best = Choice {
        access: Access::Full {
            reverse: full_sorted && reverse,
        },
        rows: rows_out,
        cost: START
            + SCAN_ROW * if full_sorted { cut(rows) } else { rows }
            + if full_sorted { 0.0 } else { sort(rows_out) },
        sorted: full_sorted,
    };
    for candidate in &candidates {
        let (part, eq, range) = selectivity(candidate, conditions, rows);
        let (sorted, reverse) = ordered(candidate.fields, eq.len(), order, table);
        let useful = !eq.is_empty()
            || !range.is_empty()
            || (sorted && !order.is_empty() && candidate.name.is_some());
        if !useful {
            continue;
        }
        let covering = table
            .slots
            .iter()
            .all(|(f, _)| candidate.fields.contains(f) || *f == Collection::ID);
        let mut entries = (rows * part).max(if candidate.name.is_none() && !eq.is_empty() {
            1.0
        } else {
            0.1
        });
        if sorted && !order.is_empty() {
            entries = limit.map_or(entries, |l| {
                entries.min(l / (passing / part).clamp(1e-9, 1.0))
            });
        }
        let each = match (candidate.name, covering) {
            (None, _) => SCAN_ROW,
            (_, true) => ENTRY,
            _ => ENTRY + FETCH,
        };
        let cost = START + entries * each + if sorted { 0.0 } else { sort(rows_out) };
        if cost < best.cost {
            best = Choice {
                access: Access::Index {
                    name: candidate.name.map(str::to_owned),
                    tree: candidate.tree,
                    fields: candidate.fields.to_vec(),
                    eq,
                    range,
                    reverse: sorted && reverse,
                    covering: covering && candidate.name.is_some(),
                    hypothetical: candidate.hypothetical,
                },
                rows: rows_out,
                cost,
                sorted,
            };
        }
    }
    best
}

/// The part of the rows in the stretch, and the stretch.
fn selectivity(
    candidate: &Candidate<'_>,
    conditions: &[Sargable],
    rows: f64,
) -> (f64, Vec<Expr>, Vec<(Compare, Expr)>) {
    let (mut eq, mut range) = (Vec::new(), Vec::new());
    for field in candidate.fields {
        let of_field = || conditions.iter().filter(|c| c.field == *field);
        if let Some(equal) = of_field().find(|c| c.op == Compare::Eq) {
            eq.push(equal.value.clone());
            continue;
        }
        // One bound a side: a second one stays in the filter.
        let low = of_field().find(|c| matches!(c.op, Compare::Gt | Compare::GtEq));
        let high = of_field().find(|c| matches!(c.op, Compare::Lt | Compare::LtEq));
        range.extend(low.into_iter().chain(high).map(|c| (c.op, c.value.clone())));
        break;
    }
    let mut part = match eq.len() {
        0 => 1.0,
        _ if candidate.name.is_none() => 1.0 / rows,
        n => {
            1.0 / candidate
                .distinct
                .get(n - 1)
                .map_or(UNKNOWN_DISTINCT.powi(n as i32), |d| (*d as f64).max(1.0))
        }
    };
    part *= match range.len() {
        0 => 1.0,
        1 => RANGE_ONE_SIDE,
        _ => RANGE_TWO_SIDES,
    };
    (part, eq, range)
}

/// Whether entries with `fixed` leading columns come in this order, and whether from the end. The key breaks ties.
fn ordered(fields: &[FieldId], fixed: usize, order: &[Order], table: &Table) -> (bool, bool) {
    let mut left = fields[fixed..]
        .iter()
        .copied()
        .chain((!fields.contains(&Collection::ID)).then_some(Collection::ID));
    let mut direction = None;
    for key in order {
        let Expr::Slot(slot) = &key.expr else {
            return (false, false);
        };
        let Some((field, _)) = table.slots.iter().find(|(_, s)| s == slot) else {
            return (false, false);
        };
        if fields[..fixed].contains(field) {
            continue;
        }
        // Keys have nulls last, so from the end they are first: PostgreSQL's two defaults.
        if left.next() != Some(*field)
            || key.nulls_first != key.descending
            || *direction.get_or_insert(key.descending) != key.descending
        {
            return (false, false);
        }
        if *field == Collection::ID {
            break;
        }
    }
    (true, direction.unwrap_or(false))
}
