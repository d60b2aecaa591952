//! INSERT, UPDATE and DELETE to plans. The latter two are a SELECT of whole rows, and what is done to each.

use std::sync::Arc;

use sqlparser::ast;

use super::from::object_name;
use super::select;
use super::{PlanKind, Sizes, Visibility};
use crate::catalogue::Catalogue;
use crate::error::EngineError;
use crate::sql::bind::{Binder, place};
use crate::sql::expr::Expr;

fn refuse<T>(part: &str, hint: &str) -> Result<T, EngineError> {
    Err(EngineError::unsupported(part, None).with_hint(hint))
}

pub(super) fn insert(insert: &ast::Insert) -> Result<PlanKind, EngineError> {
    for (present, part, hint) in [
        (
            insert.on.is_some(),
            "ON CONFLICT",
            "update the row, or insert it, by its id",
        ),
        (
            insert.returning.is_some(),
            "RETURNING",
            "read the row after",
        ),
        (
            insert.or.is_some() || insert.replace_into || insert.ignore || insert.overwrite,
            "this kind of INSERT",
            "write INSERT INTO",
        ),
    ] {
        if present {
            return refuse(part, hint);
        }
    }
    let ast::TableObject::TableName(name) = &insert.table else {
        return refuse("INSERT into anything but a collection", "name a collection");
    };
    let collection = object_name(name)?;
    let columns: Vec<String> = insert
        .columns
        .iter()
        .map(object_name)
        .collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return refuse(
            "INSERT without a list of columns",
            "name the columns, INSERT INTO c (a, b) VALUES …",
        );
    }
    if let Some(twice) = columns
        .iter()
        .enumerate()
        .find(|(n, c)| columns[..*n].contains(c))
    {
        return Err(EngineError::Invalid {
            reason: format!("the column {:?} is named twice", twice.1),
            at: place(name),
        });
    }
    let Some(source) = &insert.source else {
        return refuse("INSERT DEFAULT VALUES", "give VALUES");
    };
    let ast::SetExpr::Values(values) = &*source.body else {
        return refuse("INSERT … SELECT", "read the rows and insert them");
    };
    let mut binder = Binder::default();
    let mut rows = Vec::with_capacity(values.rows.len());
    for row in &values.rows {
        if row.len() != columns.len() {
            return Err(EngineError::Invalid {
                reason: format!(
                    "a row has {} values for {} columns",
                    row.len(),
                    columns.len()
                ),
                at: row.first().and_then(place),
            });
        }
        rows.push(
            row.iter()
                .map(|e| binder.expr(e).map(|(e, _)| e))
                .collect::<Result<Vec<Expr>, _>>()?,
        );
    }
    Ok(PlanKind::Insert {
        collection,
        columns,
        rows,
    })
}

pub(super) fn update(
    update: &ast::Update,
    catalogue: &Arc<Catalogue>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Result<PlanKind, EngineError> {
    for (present, part) in [
        (
            update.from.is_some() || !update.table.joins.is_empty(),
            "UPDATE … FROM",
        ),
        (update.returning.is_some(), "RETURNING"),
        (
            update.limit.is_some() || !update.order_by.is_empty(),
            "LIMIT or ORDER BY in an UPDATE",
        ),
    ] {
        if present {
            return refuse(part, "read the ids first and update by id");
        }
    }
    let mut assignments = Vec::new();
    let mut targets = Vec::new();
    for assignment in &update.assignments {
        let ast::AssignmentTarget::ColumnName(name) = &assignment.target else {
            return refuse("an assignment to several columns", "assign one by one");
        };
        targets.push(object_name(name)?);
    }
    let query = rows_of(
        &update.table,
        update.selection.as_ref(),
        update.assignments.iter().map(|a| &a.value),
    );
    let mut scan = select::plan(&query, catalogue, visibility, sizes)?;
    for (target, (_, expr)) in targets.into_iter().zip(scan.output.drain(1..)) {
        assignments.push((target, expr));
    }
    let collection = scan.tables[0].collection.name.clone();
    Ok(PlanKind::Update {
        scan: Box::new(scan),
        collection,
        assignments,
    })
}

pub(super) fn delete(
    delete: &ast::Delete,
    catalogue: &Arc<Catalogue>,
    visibility: &Visibility<'_>,
    sizes: &dyn Sizes,
) -> Result<PlanKind, EngineError> {
    for (present, part) in [
        (delete.using.is_some(), "DELETE … USING"),
        (delete.returning.is_some(), "RETURNING"),
        (
            delete.limit.is_some() || !delete.order_by.is_empty(),
            "LIMIT or ORDER BY in a DELETE",
        ),
    ] {
        if present {
            return refuse(part, "read the ids first and delete by id");
        }
    }
    let (ast::FromTable::WithFromKeyword(tables) | ast::FromTable::WithoutKeyword(tables)) =
        &delete.from;
    let [table] = &tables[..] else {
        return refuse("DELETE from several collections", "one at a time");
    };
    if !table.joins.is_empty() {
        return refuse("a join in a DELETE", "read the ids first and delete by id");
    }
    let query = rows_of(table, delete.selection.as_ref(), std::iter::empty());
    let scan = select::plan(&query, catalogue, visibility, sizes)?;
    let collection = scan.tables[0].collection.name.clone();
    Ok(PlanKind::Delete {
        scan: Box::new(scan),
        collection,
    })
}

/// `SELECT id, values… FROM table WHERE selection`.
fn rows_of<'a>(
    table: &ast::TableWithJoins,
    selection: Option<&ast::Expr>,
    values: impl Iterator<Item = &'a ast::Expr>,
) -> ast::Query {
    let id = ast::Expr::Identifier(ast::Ident::new("id"));
    let mut query = empty_query();
    if let ast::SetExpr::Select(select) = &mut *query.body {
        select.projection = std::iter::once(id)
            .chain(values.cloned())
            .map(ast::SelectItem::UnnamedExpr)
            .collect();
        select.from = vec![table.clone()];
        select.selection = selection.cloned();
    }
    query
}

/// The syntax tree has forty fields and no default; the parser fills them.
fn empty_query() -> ast::Query {
    match crate::sql::parse::parse("SELECT 1") {
        Ok(ast::Statement::Query(query)) => *query,
        _ => unreachable!("a constant text that parses"),
    }
}
