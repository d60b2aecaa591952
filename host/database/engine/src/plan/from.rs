//! FROM and its joins.

use std::sync::Arc;

use sqlparser::ast;

use super::select::refuse;
use crate::catalogue::Catalogue;
use crate::error::EngineError;
use crate::sql::bind::{Binder, Table, name_of, place};
use crate::sql::expr::{Compare, Expr};

/// More joins than this are a mistake.
const MAX_TABLES: usize = 12;

/// A further table with the conjuncts of its ON.
pub(super) struct Joined {
    pub(super) left_outer: bool,
    pub(super) on: Vec<Expr>,
    pub(super) at: Option<crate::error::Place>,
}

pub(super) fn from(
    select: &ast::Select,
    catalogue: &Arc<Catalogue>,
    binder: &mut Binder,
) -> Result<Vec<Joined>, EngineError> {
    let mut joins = Vec::new();
    for (index, item) in select.from.iter().enumerate() {
        add_table(&item.relation, catalogue, binder)?;
        if index > 0 {
            joins.push(Joined {
                left_outer: false,
                on: Vec::new(),
                at: place(&item.relation),
            });
        }
        for join in &item.joins {
            use ast::JoinOperator as J;
            let (left_outer, constraint) = match &join.join_operator {
                J::Join(c) | J::Inner(c) => (false, c),
                J::Left(c) | J::LeftOuter(c) => (true, c),
                J::CrossJoin(_) => {
                    return refuse("CROSS JOIN", &join.relation, "join on an equality");
                }
                J::Right(_) | J::RightOuter(_) => {
                    return refuse(
                        "RIGHT JOIN",
                        &join.relation,
                        "exchange the two and use LEFT JOIN",
                    );
                }
                _ => {
                    return refuse(
                        "this kind of join",
                        &join.relation,
                        "JOIN … ON and LEFT JOIN … ON are",
                    );
                }
            };
            add_table(&join.relation, catalogue, binder)?;
            let on = match constraint {
                ast::JoinConstraint::On(condition) => binder.condition(condition)?.conjuncts(),
                ast::JoinConstraint::Using(columns) => using(columns, binder, join)?,
                _ => {
                    return refuse(
                        "a join without ON or USING",
                        &join.relation,
                        "write ON a.x = b.y",
                    );
                }
            };
            joins.push(Joined {
                left_outer,
                on,
                at: place(&join.relation),
            });
        }
    }
    Ok(joins)
}

fn using(
    columns: &[ast::ObjectName],
    binder: &mut Binder,
    join: &ast::Join,
) -> Result<Vec<Expr>, EngineError> {
    let right = binder.tables.len() - 1;
    let mut on = Vec::new();
    for column in columns {
        let name = object_name(column)?;
        let left =
            (0..right).find_map(|t| binder.tables[t].collection.find(&name).map(|f| (t, f.id)));
        let here = binder.tables[right].collection.find(&name).map(|f| f.id);
        let (Some((table, field)), Some(here)) = (left, here) else {
            return Err(EngineError::Unknown {
                what: "common field",
                name,
                at: place(&join.relation),
                valid: Vec::new(),
            });
        };
        let (a, b) = (binder.slot(table, field), binder.slot(right, here));
        on.push(Expr::Compare(
            Compare::Eq,
            Box::new(Expr::Slot(a)),
            Box::new(Expr::Slot(b)),
        ));
    }
    Ok(on)
}

pub(super) fn object_name(name: &ast::ObjectName) -> Result<String, EngineError> {
    match &name.0[..] {
        [ast::ObjectNamePart::Identifier(ident)] => Ok(name_of(ident)),
        _ => refuse(&format!("the name {name}"), name, "a name has one part"),
    }
}

pub(super) fn add_table(
    factor: &ast::TableFactor,
    catalogue: &Arc<Catalogue>,
    binder: &mut Binder,
) -> Result<(), EngineError> {
    let ast::TableFactor::Table {
        name,
        alias,
        args: None,
        sample: None,
        with_ordinality: false,
        ..
    } = factor
    else {
        return refuse(
            "a source that is no collection",
            factor,
            "name a collection",
        );
    };
    let collection = object_name(name)?;
    let Ok(found) = catalogue.collection(&collection) else {
        return Err(EngineError::Unknown {
            what: "collection",
            name: collection,
            at: place(name),
            valid: catalogue.collections.keys().cloned().collect(),
        });
    };
    let alias = match alias {
        Some(alias) if !alias.columns.is_empty() => {
            return refuse("an alias with columns", factor, "");
        }
        Some(alias) => name_of(&alias.name),
        None => collection,
    };
    if binder.tables.iter().any(|t| t.alias == alias) {
        return Err(EngineError::Invalid {
            reason: format!("the name {alias:?} stands for two collections: give one an alias"),
            at: place(name),
        });
    }
    if binder.tables.len() >= MAX_TABLES {
        return refuse(
            &format!("joining more than {MAX_TABLES} collections"),
            factor,
            "",
        );
    }
    binder.tables.push(Table {
        alias,
        collection: found.clone(),
        slots: Vec::new(),
    });
    Ok(())
}
