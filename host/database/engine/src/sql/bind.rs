//! Names to slots, syntax to expressions, with types.
//!
//! What is not supported is refused here, with the part and its place in the text.

use std::sync::Arc;

use sqlparser::ast::{self, Spanned};

use super::expr::{AggregateCall, Arithmetic, Compare, Expr};
use super::functions::Function;
use super::types::{as_number, cast_type, comparable, literal};
use crate::catalogue::{Collection, Type};
use crate::codec::row::FieldId;
use crate::error::{EngineError, Place};
use crate::value::Value;

/// A table of the query and the fields it needs.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) alias: String,
    pub(crate) collection: Arc<Collection>,
    /// Fields and their slots in the row.
    pub(crate) slots: Vec<(FieldId, usize)>,
}

/// A slot of the row.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) table: usize,
    pub(crate) field: FieldId,
    pub(crate) ty: Type,
}

/// What is in scope.
#[derive(Debug, Default)]
pub(crate) struct Binder {
    pub(crate) tables: Vec<Table>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) aggregate_types: Vec<Type>,
    pub(crate) allow_aggregates: bool,
}

/// The type of an expression; literals of PostgreSQL's 32-bit `integer` are told apart, because their sum is an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) ty: Type,
    pub(crate) small: bool,
}

pub(super) type Bound = Result<(Expr, Typed), EngineError>;

pub(crate) fn place(node: &impl Spanned) -> Option<Place> {
    let start = node.span().start;
    (start.line > 0).then_some(Place {
        line: start.line,
        column: start.column,
    })
}

fn place_of(ident: &ast::Ident) -> Option<Place> {
    let start = ident.span.start;
    (start.line > 0).then_some(Place {
        line: start.line,
        column: start.column,
    })
}

/// The name as PostgreSQL sees it: lower case unless quoted.
pub(crate) fn name_of(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

pub(super) fn big(ty: Type) -> Typed {
    Typed { ty, small: false }
}

impl Binder {
    pub(crate) fn slot(&mut self, table: usize, field: FieldId) -> usize {
        let found = self.tables[table].slots.iter().find(|(f, _)| *f == field);
        if let Some((_, slot)) = found {
            return *slot;
        }
        let slot = self.slots.len();
        self.slots.push(Slot {
            table,
            field,
            ty: self.tables[table].collection.type_of(field),
        });
        self.tables[table].slots.push((field, slot));
        slot
    }

    /// A condition.
    pub(crate) fn condition(&mut self, expr: &ast::Expr) -> Result<Expr, EngineError> {
        let (bound, typed) = self.expr(expr)?;
        if !matches!(typed.ty, Type::Bool | Type::Unknown | Type::Mixed) {
            return Err(EngineError::Invalid {
                reason: format!("a condition is true or false, {expr} is {}", typed.ty),
                at: place(expr),
            });
        }
        Ok(bound)
    }

    pub(crate) fn expr(&mut self, expr: &ast::Expr) -> Bound {
        use ast::Expr as A;
        let boolean = big(Type::Bool);
        Ok(match expr {
            A::Nested(inner) => return self.expr(inner),
            A::Identifier(ident) => return self.column(None, ident),
            A::CompoundIdentifier(parts) if parts.len() == 2 => {
                return self.column(Some(&parts[0]), &parts[1]);
            }
            A::Value(value) => return literal(value),
            A::IsNull(e) => (Expr::IsNull(self.boxed(e)?, false), boolean),
            A::IsNotNull(e) => (Expr::IsNull(self.boxed(e)?, true), boolean),
            A::IsTrue(e) => (
                Expr::IsBool(Box::new(self.condition(e)?), true, false),
                boolean,
            ),
            A::IsNotTrue(e) => (
                Expr::IsBool(Box::new(self.condition(e)?), true, true),
                boolean,
            ),
            A::IsFalse(e) => (
                Expr::IsBool(Box::new(self.condition(e)?), false, false),
                boolean,
            ),
            A::IsNotFalse(e) => (
                Expr::IsBool(Box::new(self.condition(e)?), false, true),
                boolean,
            ),
            A::IsUnknown(e) => (Expr::IsNull(Box::new(self.condition(e)?), false), boolean),
            A::IsNotUnknown(e) => (Expr::IsNull(Box::new(self.condition(e)?), true), boolean),
            A::IsDistinctFrom(a, b) => {
                let (a, b) = self.pair(a, b)?;
                (Expr::Distinct(Box::new(a), Box::new(b), false), boolean)
            }
            A::IsNotDistinctFrom(a, b) => {
                let (a, b) = self.pair(a, b)?;
                (Expr::Distinct(Box::new(a), Box::new(b), true), boolean)
            }
            A::InList {
                expr: e,
                list,
                negated,
            } => {
                let value = self.expr(e)?;
                let mut items = Vec::with_capacity(list.len());
                for item in list {
                    let bound = self.expr(item)?;
                    items.push(comparable(value.clone(), bound, item)?.1);
                }
                (Expr::In(Box::new(value.0), items, *negated), boolean)
            }
            A::Between {
                expr: e,
                negated,
                low,
                high,
            } => {
                let (value, low) = self.pair(e, low)?;
                let (_, high) = self.pair(e, high)?;
                let both = Expr::And(vec![
                    Expr::Compare(Compare::GtEq, Box::new(value.clone()), Box::new(low)),
                    Expr::Compare(Compare::LtEq, Box::new(value), Box::new(high)),
                ]);
                (
                    if *negated {
                        Expr::Not(Box::new(both))
                    } else {
                        both
                    },
                    boolean,
                )
            }
            A::Like {
                negated,
                any: false,
                expr: e,
                pattern,
                escape_char,
            } => (
                self.like(e, pattern, escape_char.as_deref(), false, *negated)?,
                boolean,
            ),
            A::ILike {
                negated,
                any: false,
                expr: e,
                pattern,
                escape_char,
            } => (
                self.like(e, pattern, escape_char.as_deref(), true, *negated)?,
                boolean,
            ),
            A::UnaryOp { op, expr: e } => match op {
                ast::UnaryOperator::Not => (Expr::Not(Box::new(self.condition(e)?)), boolean),
                ast::UnaryOperator::Plus => return self.expr(e),
                ast::UnaryOperator::Minus => match self.expr(e)? {
                    // The least integer has no positive twin.
                    (Expr::Const(Value::Dec(d)), _)
                        if d.negated().to_i64_exact() == Some(i64::MIN) && d.scale() == 0 =>
                    {
                        (Expr::Const(Value::Int(i64::MIN)), big(Type::Int))
                    }
                    (e, t) => (Expr::Negate(Box::new(e)), t),
                },
                other => {
                    return Err(EngineError::unsupported(
                        format!("the operator {other}"),
                        place(expr),
                    ));
                }
            },
            A::BinaryOp { left, op, right } => return self.binary(left, op, right, expr),
            A::Cast {
                kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
                expr: e,
                data_type,
                format: None,
            } => {
                let (to, typed) = cast_type(data_type, expr)?;
                (Expr::Cast(self.boxed(e)?, to), typed)
            }
            A::Case {
                operand,
                conditions,
                else_result,
                ..
            } => return self.case(operand.as_deref(), conditions, else_result.as_deref()),
            A::Substring {
                expr: e,
                substring_from,
                substring_for,
                ..
            } => {
                let mut list = vec![(**e).clone()];
                list.push(substring_from.as_deref().cloned().unwrap_or_else(|| {
                    ast::Expr::value(ast::Value::Number("1".to_owned(), false))
                }));
                list.extend(substring_for.as_deref().cloned());
                return self.call(Function::Substring, &list);
            }
            A::Trim {
                trim_where,
                trim_what,
                expr: e,
                trim_characters: None,
            } => {
                let mut list = vec![(**e).clone()];
                list.extend(trim_what.as_deref().cloned());
                let function = match trim_where {
                    Some(ast::TrimWhereField::Leading) => Function::TrimLeft,
                    Some(ast::TrimWhereField::Trailing) => Function::TrimRight,
                    _ => Function::Trim,
                };
                return self.call(function, &list);
            }
            A::Position { expr: e, r#in } => {
                return self.call(Function::Position, &[(**r#in).clone(), (**e).clone()]);
            }
            A::Ceil {
                expr: e,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => return self.call(Function::Ceil, &[(**e).clone()]),
            A::Floor {
                expr: e,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => return self.call(Function::Floor, &[(**e).clone()]),
            A::Function(function) => return self.function(function, expr),
            A::Subquery(_) | A::Exists { .. } | A::InSubquery { .. } => {
                return Err(EngineError::unsupported("a subquery", place(expr))
                    .with_hint("join the collection instead"));
            }
            A::RLike { .. } | A::SimilarTo { .. } => {
                return Err(
                    EngineError::unsupported("a regular expression", place(expr))
                        .with_hint("use LIKE"),
                );
            }
            other => {
                return Err(EngineError::unsupported(
                    format!("the expression {other}"),
                    place(other),
                ));
            }
        })
    }

    fn boxed(&mut self, expr: &ast::Expr) -> Result<Box<Expr>, EngineError> {
        self.expr(expr).map(|(e, _)| Box::new(e))
    }

    /// Both sides of a comparison, literals read as the type of the other side.
    fn pair(&mut self, a: &ast::Expr, b: &ast::Expr) -> Result<(Expr, Expr), EngineError> {
        let (left, right) = (self.expr(a)?, self.expr(b)?);
        comparable(left, right, b)
    }

    /// A value inside a field that some index has a column for.
    fn known_path(
        &self,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
    ) -> Option<(usize, FieldId)> {
        let key = |expr: &ast::Expr| match expr {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::SingleQuotedString(key) => Some(key.clone()),
                _ => None,
            },
            _ => None,
        };
        if *op != ast::BinaryOperator::LongArrow {
            return None;
        }
        let mut keys = vec![key(right)?];
        let mut inner = left;
        while let ast::Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::Arrow,
            right,
        } = inner
        {
            keys.push(key(right)?);
            inner = left;
        }
        keys.reverse();
        let (alias, ident) = match inner {
            ast::Expr::Identifier(ident) => (None, ident),
            ast::Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
                (Some(name_of(&parts[0])), &parts[1])
            }
            _ => return None,
        };
        let name = name_of(ident);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut owners = self
            .tables
            .iter()
            .enumerate()
            .filter(|(_, table)| alias.as_ref().is_none_or(|alias| *alias == table.alias))
            .filter_map(|(nth, table)| Some((nth, table, table.collection.find(&name)?.id)));
        let (nth, table, root) = owners.next()?;
        // A name of two collections is refused where every other one is.
        let path = table.collection.path_along(root, &keys)?;
        owners.next().is_none().then_some((nth, path))
    }

    fn column(&mut self, table: Option<&ast::Ident>, ident: &ast::Ident) -> Bound {
        let name = name_of(ident);
        let wanted = table.map(name_of);
        let mut found = None;
        for (index, t) in self.tables.iter().enumerate() {
            if wanted.as_ref().is_some_and(|w| *w != t.alias) {
                continue;
            }
            if let Some(field) = t.collection.find(&name) {
                if found.is_some() {
                    return Err(EngineError::Invalid {
                        reason: format!(
                            "the name {name:?} is in several collections: write collection.{name}"
                        ),
                        at: place_of(ident),
                    });
                }
                found = Some((index, field.id, field.ty));
            }
        }
        match found {
            Some((index, id, ty)) => Ok((Expr::Slot(self.slot(index, id)), big(ty))),
            None => Err(
                match table.filter(|_| {
                    !self
                        .tables
                        .iter()
                        .any(|t| Some(&t.alias) == wanted.as_ref())
                }) {
                    Some(table) => EngineError::Unknown {
                        what: "collection in this query",
                        name: name_of(table),
                        at: place_of(table),
                        valid: self.tables.iter().map(|t| t.alias.clone()).collect(),
                    },
                    None => EngineError::Unknown {
                        what: "field",
                        name,
                        at: place_of(ident),
                        valid: self
                            .tables
                            .iter()
                            .flat_map(|t| t.collection.fields.iter().map(|f| f.name.clone()))
                            .collect(),
                    },
                },
            ),
        }
    }

    fn binary(
        &mut self,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        whole: &ast::Expr,
    ) -> Bound {
        use ast::BinaryOperator as B;
        if let Some((table, path)) = self.known_path(left, op, right) {
            return Ok((Expr::Slot(self.slot(table, path)), big(Type::Text)));
        }
        let compare = match op {
            B::Eq => Some(Compare::Eq),
            B::NotEq => Some(Compare::NotEq),
            B::Lt => Some(Compare::Lt),
            B::LtEq => Some(Compare::LtEq),
            B::Gt => Some(Compare::Gt),
            B::GtEq => Some(Compare::GtEq),
            _ => None,
        };
        if let Some(compare) = compare {
            let (a, b) = self.pair(left, right)?;
            return Ok((
                Expr::Compare(compare, Box::new(a), Box::new(b)),
                big(Type::Bool),
            ));
        }
        let arithmetic = match op {
            B::Plus => Some(Arithmetic::Add),
            B::Minus => Some(Arithmetic::Sub),
            B::Multiply => Some(Arithmetic::Mul),
            B::Divide => Some(Arithmetic::Div),
            B::Modulo => Some(Arithmetic::Rem),
            _ => None,
        };
        if let Some(arithmetic) = arithmetic {
            let ((a, ta), (b, tb)) = (self.expr(left)?, self.expr(right)?);
            let (a, ta) = as_number(a, ta, tb);
            let (b, tb) = as_number(b, tb, ta);
            for (t, side) in [(ta, left), (tb, right)] {
                if matches!(t.ty, Type::Bool | Type::Text | Type::Json) {
                    return Err(EngineError::Invalid {
                        reason: format!("{op} works on numbers and {side} is {}: cast it", t.ty),
                        at: place(side),
                    });
                }
            }
            let typed = Typed {
                ty: ta.ty.join(tb.ty),
                small: ta.small && tb.small,
            };
            return Ok((
                Expr::Arithmetic(arithmetic, Box::new(a), Box::new(b)),
                typed,
            ));
        }
        Ok(match op {
            B::And => {
                let parts = vec![self.condition(left)?, self.condition(right)?];
                (
                    Expr::And(parts.into_iter().flat_map(Expr::conjuncts).collect()),
                    big(Type::Bool),
                )
            }
            B::Or => (
                Expr::Or(vec![self.condition(left)?, self.condition(right)?]),
                big(Type::Bool),
            ),
            B::StringConcat => (
                Expr::Concat(self.boxed(left)?, self.boxed(right)?),
                big(Type::Text),
            ),
            B::Arrow => (
                Expr::Member(self.boxed(left)?, self.boxed(right)?, false),
                big(Type::Mixed),
            ),
            B::LongArrow => (
                Expr::Member(self.boxed(left)?, self.boxed(right)?, true),
                big(Type::Text),
            ),
            B::PGRegexMatch | B::PGRegexIMatch | B::PGRegexNotMatch | B::PGRegexNotIMatch => {
                return Err(EngineError::unsupported(
                    format!("the regular expression operator {op}"),
                    place(whole),
                )
                .with_hint("use LIKE"));
            }
            other => {
                return Err(EngineError::unsupported(
                    format!("the operator {other}"),
                    place(whole),
                ));
            }
        })
    }

    fn like(
        &mut self,
        text: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        any_case: bool,
        negated: bool,
    ) -> Result<Expr, EngineError> {
        let escape = match escape {
            None => Some('\\'),
            Some(expr) => match self.expr(expr)?.0 {
                Expr::Const(Value::Text(t)) if t.chars().count() <= 1 => t.chars().next(),
                _ => {
                    return Err(EngineError::Invalid {
                        reason: "ESCAPE takes one character".to_owned(),
                        at: place(expr),
                    });
                }
            },
        };
        let (bound, typed) = self.expr(text)?;
        if typed.ty.is_number() || typed.ty == Type::Bool {
            return Err(EngineError::Invalid {
                reason: format!(
                    "LIKE compares texts and {text} is {}: cast it to text",
                    typed.ty
                ),
                at: place(text),
            });
        }
        Ok(Expr::Like {
            text: Box::new(bound),
            pattern: self.boxed(pattern)?,
            escape,
            any_case,
            negated,
        })
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Bound {
        let (mut branches, mut types) = (Vec::new(), Vec::new());
        for when in conditions {
            let condition = match operand {
                None => self.condition(&when.condition)?,
                Some(operand) => {
                    let (a, b) = self.pair(operand, &when.condition)?;
                    Expr::Compare(Compare::Eq, Box::new(a), Box::new(b))
                }
            };
            let (result, typed) = self.expr(&when.result)?;
            types.push(typed);
            branches.push((condition, result));
        }
        let otherwise = match otherwise {
            Some(e) => {
                let (e, typed) = self.expr(e)?;
                types.push(typed);
                Some(Box::new(e))
            }
            None => None,
        };
        let typed = Typed {
            ty: types.iter().fold(Type::Unknown, |a, b| a.join(b.ty)),
            small: types.iter().all(|t| t.small || t.ty == Type::Unknown),
        };
        Ok((
            Expr::Case {
                branches,
                otherwise,
                ty: typed.ty,
            },
            typed,
        ))
    }
}
