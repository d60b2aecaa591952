//! A GROUP BY that a maintained rollup answers.

use super::{SelectPlan, Sizes, Visibility};
use crate::catalogue::{AggregateKind, Rollup};
use crate::codec::row::FieldId;
use crate::kv::TreeId;
use crate::sql::expr::{AggregateCall, Expr};

/// Reading a group instead of its rows.
#[derive(Debug)]
pub(crate) struct RollupPlan {
    pub(crate) name: String,
    pub(crate) tree: TreeId,
    /// The slot of each group field, in the order of the query's groups, by position in the rollup.
    pub(crate) group: Vec<usize>,
    /// For each aggregate of the query: which one of the rollup.
    pub(crate) aggregates: Vec<(AggregateKind, Option<usize>)>,
    /// Conditions on the group fields, over slots that are positions in the rollup's group.
    pub(crate) filter: Vec<Expr>,
    pub(crate) group_len: usize,
    pub(crate) cost: f64,
}

/// The rollup to use, if one fits: the same groups, a filter on them alone, aggregates that are all there.
pub(super) fn rewrite(
    plan: &SelectPlan,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Option<RollupPlan> {
    let (Some(group), [table], [scan]) = (&plan.group, &plan.tables[..], &plan.scans[..]) else {
        return None;
    };
    // Without groups an empty collection still has one row, which no rollup holds.
    if group.is_empty() || !plan.filter.is_empty() {
        return None;
    }
    let field = |e: &Expr| match e {
        Expr::Slot(slot) => table.slots.iter().find(|(_, s)| s == slot).map(|(f, _)| *f),
        _ => None,
    };
    let fields: Vec<FieldId> = group.iter().map(field).collect::<Option<_>>()?;
    let fits = |rollup: &&Rollup| {
        visibility.sees(&rollup.name, &rollup.state)
            && rollup.group.len() == fields.len()
            && fields.iter().all(|f| rollup.group.contains(f))
    };
    let imagined = visibility
        .hypothetical_rollups
        .iter()
        .filter(|(collection, _)| *collection == table.collection.name)
        .map(|(_, rollup)| rollup);
    table
        .collection
        .rollups
        .iter()
        .chain(imagined)
        .filter(fits)
        .find_map(|rollup| {
            let aggregates = plan
                .aggregates
                .iter()
                .map(|call| serves(rollup, call, &field))
                .collect::<Option<_>>()?;
            let mut filter = Vec::new();
            for condition in &scan.filter {
                let moved = condition.clone().replace(&mut |e: &Expr| match e {
                    Expr::Slot(_) => {
                        let position =
                            field(e).and_then(|f| rollup.group.iter().position(|g| *g == f));
                        position.map(|p| Some(Expr::Slot(p))).ok_or(())
                    }
                    _ => Ok(None),
                });
                filter.push(moved.ok()?);
            }
            Some(RollupPlan {
                name: rollup.name.clone(),
                tree: rollup.tree,
                group: fields
                    .iter()
                    .filter_map(|f| rollup.group.iter().position(|g| g == f))
                    .collect(),
                aggregates,
                filter,
                group_len: rollup.group.len(),
                cost: 1.0 + sizes.entries(rollup.tree) * 0.3,
            })
        })
        .filter(|rollup| rollup.cost < plan.cost)
}

fn serves(
    rollup: &Rollup,
    call: &AggregateCall,
    field: &dyn Fn(&Expr) -> Option<FieldId>,
) -> Option<(AggregateKind, Option<usize>)> {
    let idempotent = matches!(call.kind, AggregateKind::Min | AggregateKind::Max);
    if call.filter.is_some() || (call.distinct && !idempotent) {
        return None;
    }
    let Some(argument) = &call.argument else {
        return Some((AggregateKind::Count, None));
    };
    let wanted = Some(field(argument)?);
    // A sum keeps how many values it has, so it also counts and averages.
    let position = rollup.aggregates.iter().position(|(kind, f)| {
        *f == wanted
            && match call.kind {
                AggregateKind::Count => true,
                AggregateKind::Sum | AggregateKind::Avg => {
                    matches!(kind, AggregateKind::Sum | AggregateKind::Avg)
                }
                same => *kind == same,
            }
    })?;
    Some((call.kind, Some(position)))
}
