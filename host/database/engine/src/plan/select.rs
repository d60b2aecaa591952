//! A SELECT to a plan.

use std::sync::Arc;

use sqlparser::ast::{self, Spanned};

use super::access::{self, Sargable};
use super::from::{Joined, from, object_name};
use super::{Access, Join, JoinMethod, Order, Scan, SelectPlan, Sizes, Visibility, rollup};
use crate::catalogue::{Catalogue, FieldState};
use crate::error::EngineError;
use crate::sql::bind::{Binder, name_of, place};
use crate::sql::expr::{Compare, Expr};
use crate::value::Value;

pub(super) fn refuse<T>(part: &str, at: &impl Spanned, hint: &str) -> Result<T, EngineError> {
    let error = EngineError::unsupported(part, place(at));
    Err(if hint.is_empty() {
        error
    } else {
        error.with_hint(hint)
    })
}

/// Plans a query.
pub(super) fn plan(
    query: &ast::Query,
    catalogue: &Arc<Catalogue>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Result<SelectPlan, EngineError> {
    for (present, part) in [
        (query.with.is_some(), "WITH"),
        (query.fetch.is_some(), "FETCH"),
        (!query.locks.is_empty(), "FOR UPDATE"),
        (query.for_clause.is_some(), "FOR"),
        (!query.pipe_operators.is_empty(), "a pipe operator"),
    ] {
        if present {
            return refuse(part, query, "");
        }
    }
    let select = match &*query.body {
        ast::SetExpr::Select(select) => select,
        ast::SetExpr::SetOperation { op, .. } => {
            return refuse(&op.to_string(), query, "run two queries");
        }
        ast::SetExpr::Values(_) => return refuse("VALUES as a query", query, ""),
        _ => return refuse("this form of query", query, ""),
    };
    for (present, part) in [
        (select.into.is_some(), "SELECT INTO"),
        (select.top.is_some(), "TOP"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
    ] {
        if present {
            return refuse(part, &**select, "");
        }
    }
    let distinct = match &select.distinct {
        None | Some(ast::Distinct::All) => false,
        Some(ast::Distinct::Distinct) => true,
        Some(ast::Distinct::On(_)) => {
            return refuse("DISTINCT ON", &**select, "use GROUP BY with min or max");
        }
    };
    let mut binder = Binder::default();
    let mut joins = from(select, catalogue, &mut binder)?;
    let rights = (0..binder.tables.len())
        .map(|table| match visibility.rights {
            Some(rights) => rights.conditions(&mut binder, table),
            None => Vec::new(),
        })
        .collect();
    let filter = match &select.selection {
        Some(condition) => binder.condition(condition)?.conjuncts(),
        None => Vec::new(),
    };
    let (output, group, having, order) = shape(select, query, &mut binder, distinct)?;
    let (limit, offset) = limits(query, &mut binder)?;
    let limit_hint = match &limit {
        Some(Expr::Const(Value::Int(n))) => Some(*n as f64),
        Some(_) => Some(100.0),
        None => None,
    };
    let mut plan = SelectPlan {
        tables: Vec::new(),
        slots: Vec::new(),
        scans: Vec::new(),
        joins: Vec::new(),
        filter: Vec::new(),
        group,
        aggregates: std::mem::take(&mut binder.aggregates),
        rollup: None,
        having,
        output,
        distinct,
        order,
        sorted: false,
        limit,
        offset,
        cost: 0.0,
    };
    let conditions = Conditions { rights, filter };
    place_conditions(
        &mut plan, binder, &mut joins, conditions, limit_hint, visibility, sizes,
    )?;
    plan.rollup = rollup::rewrite(&plan, visibility, sizes);
    if let Some(rollup) = &plan.rollup {
        plan.cost = rollup.cost;
    }
    Ok(plan)
}

type Shape = (
    Vec<(String, Expr)>,
    Option<Vec<Expr>>,
    Option<Expr>,
    Vec<Order>,
);

/// The select list, groups, HAVING and ORDER BY.
fn shape(
    select: &ast::Select,
    query: &ast::Query,
    binder: &mut Binder,
    distinct: bool,
) -> Result<Shape, EngineError> {
    binder.allow_aggregates = true;
    let mut output = Vec::new();
    for item in &select.projection {
        match item {
            ast::SelectItem::UnnamedExpr(e) => output.push((title(e), binder.expr(e)?.0)),
            ast::SelectItem::ExprWithAlias { expr, alias } => {
                output.push((name_of(alias), binder.expr(expr)?.0))
            }
            ast::SelectItem::Wildcard(_) => {
                (0..binder.tables.len()).for_each(|t| star(t, binder, &mut output))
            }
            ast::SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                _,
            ) => {
                let wanted = object_name(name)?;
                match binder.tables.iter().position(|t| t.alias == wanted) {
                    Some(t) => star(t, binder, &mut output),
                    None => {
                        return Err(EngineError::Unknown {
                            what: "collection in this query",
                            name: wanted,
                            at: place(name),
                            valid: binder.tables.iter().map(|t| t.alias.clone()).collect(),
                        });
                    }
                }
            }
            other => return refuse(&format!("the output {other}"), other, ""),
        }
    }
    let having = select
        .having
        .as_ref()
        .map(|h| binder.condition(h))
        .transpose()?;
    let order = order_by(query, binder, &output)?;
    binder.allow_aggregates = false;
    let ast::GroupByExpr::Expressions(by, modifiers) = &select.group_by else {
        return refuse("GROUP BY ALL", select, "name the columns");
    };
    if !modifiers.is_empty() {
        return refuse("a modifier of GROUP BY", select, "");
    }
    let mut group = Vec::new();
    for expr in by {
        group.push(match reference(expr, &output, binder, true)? {
            Some(found) => found,
            None => binder.expr(expr)?.0,
        });
    }
    if group.iter().any(|g| {
        let mut found = false;
        g.visit(&mut |e| found |= matches!(e, Expr::Aggregate(_)));
        found
    }) {
        return Err(EngineError::Invalid {
            reason: "an aggregate is not allowed in GROUP BY".to_owned(),
            at: by.first().and_then(place),
        });
    }
    let grouped = !group.is_empty() || !binder.aggregates.is_empty() || having.is_some();
    if distinct
        && let Some(key) = order
            .iter()
            .find(|key| !output.iter().any(|(_, e)| *e == key.expr))
    {
        let _ = key;
        return Err(EngineError::invalid(
            "with SELECT DISTINCT, what is in ORDER BY must be in the select list",
        ));
    }
    if !grouped {
        return Ok((output, None, None, order));
    }
    let names = |slot: usize| {
        let s = &binder.slots[slot];
        binder.tables[s.table].collection.name_of(s.field)
    };
    let mut lift = |e: Expr| {
        e.replace(&mut |part: &Expr| {
            if let Some(n) = group.iter().position(|g| g == part) {
                return Ok(Some(Expr::Slot(n)));
            }
            match part {
                Expr::Aggregate(n) => Ok(Some(Expr::Slot(group.len() + n))),
                Expr::Slot(slot) => Err(EngineError::invalid(format!(
                    "the field {:?} must be in GROUP BY or inside an aggregate",
                    names(*slot)
                ))),
                _ => Ok(None),
            }
        })
    };
    let output = output
        .into_iter()
        .map(|(n, e)| Ok((n, lift(e)?)))
        .collect::<Result<_, EngineError>>()?;
    let having = having.map(&mut lift).transpose()?;
    let order = order
        .into_iter()
        .map(|key| {
            Ok(Order {
                expr: lift(key.expr)?,
                ..key
            })
        })
        .collect::<Result<_, EngineError>>()?;
    Ok((output, Some(group), having, order))
}

/// What PostgreSQL calls an unnamed column.
fn title(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Identifier(ident) => name_of(ident),
        ast::Expr::CompoundIdentifier(parts) => parts.last().map(name_of).unwrap_or_default(),
        ast::Expr::Function(f) => f.name.to_string().to_lowercase(),
        ast::Expr::Nested(e) | ast::Expr::Cast { expr: e, .. } => title(e),
        ast::Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}

fn star(table: usize, binder: &mut Binder, output: &mut Vec<(String, Expr)>) {
    let collection = binder.tables[table].collection.clone();
    for field in collection
        .fields
        .iter()
        .filter(|f| f.state != FieldState::Archived)
    {
        let slot = binder.slot(table, field.id);
        output.push((field.name.clone(), Expr::Slot(slot)));
    }
}

/// `ORDER BY 2`, or the alias of an output. In GROUP BY a field goes before an alias.
fn reference(
    expr: &ast::Expr,
    output: &[(String, Expr)],
    binder: &Binder,
    field_first: bool,
) -> Result<Option<Expr>, EngineError> {
    match expr {
        ast::Expr::Value(ast::ValueWithSpan {
            value: ast::Value::Number(n, _),
            ..
        }) => {
            let found = n
                .parse::<usize>()
                .ok()
                .and_then(|n| output.get(n.checked_sub(1)?));
            match found {
                Some((_, e)) => Ok(Some(e.clone())),
                None => Err(EngineError::Invalid {
                    reason: format!("there is no output column {n}"),
                    at: place(expr),
                }),
            }
        }
        ast::Expr::Identifier(ident) => {
            let name = name_of(ident);
            if field_first
                && binder
                    .tables
                    .iter()
                    .any(|t| t.collection.find(&name).is_some())
            {
                return Ok(None);
            }
            Ok(output
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, e)| e.clone()))
        }
        _ => Ok(None),
    }
}

fn order_by(
    query: &ast::Query,
    binder: &mut Binder,
    output: &[(String, Expr)],
) -> Result<Vec<Order>, EngineError> {
    let Some(order) = &query.order_by else {
        return Ok(Vec::new());
    };
    let ast::OrderByKind::Expressions(keys) = &order.kind else {
        return refuse("ORDER BY ALL", order, "name the columns");
    };
    keys.iter()
        .map(|key| {
            let expr = match reference(&key.expr, output, binder, false)? {
                Some(found) => found,
                None => binder.expr(&key.expr)?.0,
            };
            let descending = match &key.options.sort {
                None | Some(ast::OrderBySort::Asc) => false,
                Some(ast::OrderBySort::Desc) => true,
                Some(_) => return refuse("ORDER BY … USING", key, "use ASC or DESC"),
            };
            Ok(Order {
                expr,
                descending,
                nulls_first: key.options.nulls_first.unwrap_or(descending),
            })
        })
        .collect()
}

fn limits(
    query: &ast::Query,
    binder: &mut Binder,
) -> Result<(Option<Expr>, Option<Expr>), EngineError> {
    let mut bind = |e: &ast::Expr| -> Result<Expr, EngineError> {
        let bound = binder.expr(e)?.0;
        if bound.is_constant() {
            return Ok(bound);
        }
        Err(EngineError::Invalid {
            reason: "LIMIT and OFFSET take a number".to_owned(),
            at: place(e),
        })
    };
    match &query.limit_clause {
        None => Ok((None, None)),
        Some(ast::LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        }) if limit_by.is_empty() => Ok((
            limit.as_ref().map(&mut bind).transpose()?,
            offset.as_ref().map(|o| bind(&o.value)).transpose()?,
        )),
        Some(other) => refuse(&other.to_string(), query, "write LIMIT n OFFSET m"),
    }
}

/// The last table an expression needs.
fn last_table(expr: &Expr, binder: &Binder) -> Option<usize> {
    let mut last = None;
    expr.visit(&mut |e| {
        if let Expr::Slot(slot) = e {
            last = last.max(Some(binder.slots[*slot].table));
        }
    });
    last
}

fn only_table(expr: &Expr, table: usize, binder: &Binder) -> bool {
    let mut only = true;
    expr.visit(&mut |e| {
        if let Expr::Slot(slot) = e {
            only &= binder.slots[*slot].table == table;
        }
    });
    only
}

/// What rows have to be like.
struct Conditions {
    /// For each table, what has to hold before anything else is looked at.
    rights: Vec<Vec<Expr>>,
    /// WHERE.
    filter: Vec<Expr>,
}

/// Gives each condition to the earliest place that can check it, and chooses how each table is read.
fn place_conditions(
    plan: &mut SelectPlan,
    binder: Binder,
    joins: &mut [Joined],
    conditions: Conditions,
    limit: Option<f64>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Result<(), EngineError> {
    let count = binder.tables.len();
    let mut own = conditions.rights;
    own.resize(count.max(1), Vec::new());
    for condition in conditions.filter {
        let last = last_table(&condition, &binder);
        match last {
            // The missing side of an outer join must be made before it is filtered.
            Some(t)
                if only_table(&condition, t, &binder) && (t == 0 || !joins[t - 1].left_outer) =>
            {
                own[t].push(condition)
            }
            Some(t)
                if t > 0
                    && !joins[t - 1].left_outer
                    && !joins[t..].iter().any(|j| j.left_outer) =>
            {
                joins[t - 1].on.push(condition)
            }
            _ => plan.filter.push(condition),
        }
    }
    let single = count == 1 && plan.group.is_none() && !plan.distinct && plan.filter.is_empty();
    let mut rows = 1.0;
    for t in 0..count {
        let table = &binder.tables[t];
        let mut residual = Vec::new();
        let (mut left, mut right, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        if t > 0 {
            for condition in std::mem::take(&mut joins[t - 1].on) {
                if only_table(&condition, t, &binder) && last_table(&condition, &binder) == Some(t)
                {
                    own[t].push(condition);
                    continue;
                }
                match sides(&condition, t, &binder) {
                    Some((a, b)) => {
                        left.push(a);
                        right.push(b);
                        pairs.push(condition);
                    }
                    None => residual.push(condition),
                }
            }
            if left.is_empty() {
                return Err(EngineError::Unsupported {
                    part: format!("a cross join with {:?}", table.alias),
                    at: joins[t - 1].at,
                    hint: "; join on an equality, ON a.x = b.y".to_owned(),
                });
            }
        }
        let constant = |e: &Expr| e.is_constant();
        let conditions: Vec<Sargable> = own[t]
            .iter()
            .filter_map(|c| access::sargable(c, table, &constant))
            .collect();
        let order = if single { &plan.order[..] } else { &[] };
        let cut = if single && plan.offset.is_none() {
            limit
        } else {
            None
        };
        let choice = access::choose(
            table,
            &conditions,
            own[t].len(),
            order,
            cut,
            visibility,
            sizes,
        );
        let mut scan = Scan {
            access: choice.access,
            filter: std::mem::take(&mut own[t]),
            rows: choice.rows,
            cost: choice.cost,
        };
        if t == 0 {
            plan.sorted = single && choice.sorted;
            rows = scan.rows;
            plan.cost = scan.cost;
        } else {
            // One lookup for each row of the left, or one pass over the right.
            let earlier = |e: &Expr| last_table(e, &binder).is_none_or(|last| last < t);
            let conditions: Vec<Sargable> = scan
                .filter
                .iter()
                .chain(&pairs)
                .filter_map(|c| access::sargable(c, table, &earlier))
                .collect();
            let lookup = access::choose(
                table,
                &conditions,
                conditions.len(),
                &[],
                None,
                visibility,
                sizes,
            );
            let usable = matches!(&lookup.access, Access::Index { eq, .. } if eq.iter().any(|e| !e.is_constant()));
            let hash_cost = scan.cost + scan.rows * 0.2 + rows * 0.2;
            let method = if usable && rows * lookup.cost < hash_cost {
                plan.cost += rows * lookup.cost;
                scan.access = lookup.access;
                scan.filter.extend(pairs);
                JoinMethod::Lookup
            } else {
                plan.cost += hash_cost;
                JoinMethod::Hash { left, right }
            };
            rows = (rows * scan.rows / sizes.entries(table.collection.tree).max(1.0)).max(rows);
            plan.joins.push(Join {
                left_outer: joins[t - 1].left_outer,
                method,
                residual,
            });
        }
        plan.scans.push(scan);
    }
    if count == 0 {
        plan.filter.append(&mut own[0]);
    }
    plan.tables = binder.tables;
    plan.slots = binder.slots;
    Ok(())
}

/// `left = right` with the right side about table `t` alone and the left side about those before.
fn sides(condition: &Expr, t: usize, binder: &Binder) -> Option<(Expr, Expr)> {
    let Expr::Compare(Compare::Eq, a, b) = condition else {
        return None;
    };
    let before = |e: &Expr| last_table(e, binder).is_some_and(|last| last < t);
    let here = |e: &Expr| last_table(e, binder) == Some(t) && only_table(e, t, binder);
    if before(a) && here(b) {
        Some(((**a).clone(), (**b).clone()))
    } else if before(b) && here(a) {
        Some(((**b).clone(), (**a).clone()))
    } else {
        None
    }
}
