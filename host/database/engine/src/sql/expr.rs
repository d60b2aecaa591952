//! An expression whose names are resolved to slots of a row.

use crate::catalogue::{AggregateKind, Type};
use crate::sql::functions::Function;
use crate::value::Value;

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Const(Value),
    /// A parameter, counted from zero.
    Param(usize),
    /// A place in the row.
    Slot(usize),
    /// The n-th aggregate of the query, before rows are grouped.
    Aggregate(usize),
    Not(Box<Self>),
    Negate(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Compare(Compare, Box<Self>, Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    Concat(Box<Self>, Box<Self>),
    /// `->` and, as text, `->>`.
    Member(Box<Self>, Box<Self>, bool),
    IsNull(Box<Self>, bool),
    /// `IS [NOT] TRUE | FALSE`: the truth asked for, and whether it is negated.
    IsBool(Box<Self>, bool, bool),
    /// `IS [NOT] DISTINCT FROM`.
    Distinct(Box<Self>, Box<Self>, bool),
    In(Box<Self>, Vec<Self>, bool),
    Like {
        text: Box<Self>,
        pattern: Box<Self>,
        escape: Option<char>,
        any_case: bool,
        negated: bool,
    },
    Case {
        branches: Vec<(Self, Self)>,
        otherwise: Option<Box<Self>>,
        ty: Type,
    },
    Cast(Box<Self>, Cast),
    Call(Function, Vec<Self>),
}

/// The target of a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    To(Type),
    /// `numeric(p, s)`: rounded to the scale.
    Scale(i32),
    /// `varchar(n)`.
    Length(usize),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Compare {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

/// An operation on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// An aggregate call.
#[derive(Debug, Clone)]
pub(crate) struct AggregateCall {
    pub(crate) kind: AggregateKind,
    /// `None` for `count(*)`.
    pub(crate) argument: Option<Expr>,
    pub(crate) distinct: bool,
    /// `FILTER (WHERE …)`.
    pub(crate) filter: Option<Expr>,
    /// A sum of 32-bit integers stays an integer, as in PostgreSQL.
    pub(crate) stays_int: bool,
}

/// Equal text is equal meaning here; values compare by kind too, so that `a / 2` is not `a / 2.0`.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl PartialEq for AggregateCall {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Compare {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
        }
    }

    /// The same comparison with its sides exchanged.
    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::LtEq => Self::GtEq,
            Self::Gt => Self::Lt,
            Self::GtEq => Self::LtEq,
            same => same,
        }
    }

    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::NotEq => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::LtEq => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::GtEq => order.is_ge(),
        }
    }
}

impl Expr {
    /// Whether its value is the same for all rows.
    pub(crate) fn is_constant(&self) -> bool {
        let mut constant = true;
        self.visit(&mut |e| constant &= !matches!(e, Self::Slot(_) | Self::Aggregate(_)));
        constant
    }

    /// Calls `f` with each part, the whole first.
    pub(crate) fn visit(&self, f: &mut dyn FnMut(&Self)) {
        f(self);
        match self {
            Self::Const(_) | Self::Param(_) | Self::Slot(_) | Self::Aggregate(_) => {}
            Self::Not(a)
            | Self::Negate(a)
            | Self::IsNull(a, _)
            | Self::IsBool(a, ..)
            | Self::Cast(a, _) => a.visit(f),
            Self::And(list) | Self::Or(list) | Self::Call(_, list) => {
                list.iter().for_each(|e| e.visit(f))
            }
            Self::Compare(_, a, b)
            | Self::Arithmetic(_, a, b)
            | Self::Concat(a, b)
            | Self::Member(a, b, _)
            | Self::Distinct(a, b, _) => {
                a.visit(f);
                b.visit(f);
            }
            Self::In(a, list, _) => {
                a.visit(f);
                list.iter().for_each(|e| e.visit(f));
            }
            Self::Like { text, pattern, .. } => {
                text.visit(f);
                pattern.visit(f);
            }
            Self::Case {
                branches,
                otherwise,
                ..
            } => {
                for (when, then) in branches {
                    when.visit(f);
                    then.visit(f);
                }
                if let Some(e) = otherwise {
                    e.visit(f);
                }
            }
        }
    }

    /// Replaces each part for which `f` has a replacement, the whole first.
    pub(crate) fn replace<E>(
        self,
        f: &mut dyn FnMut(&Self) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        if let Some(other) = f(&self)? {
            return Ok(other);
        }
        let mut one = |e: Box<Self>| -> Result<Box<Self>, E> { Ok(Box::new(e.replace(f)?)) };
        Ok(match self {
            Self::Not(a) => Self::Not(one(a)?),
            Self::Negate(a) => Self::Negate(one(a)?),
            Self::IsNull(a, n) => Self::IsNull(one(a)?, n),
            Self::IsBool(a, t, n) => Self::IsBool(one(a)?, t, n),
            Self::Cast(a, c) => Self::Cast(one(a)?, c),
            Self::Compare(op, a, b) => Self::Compare(op, one(a)?, one(b)?),
            Self::Arithmetic(op, a, b) => Self::Arithmetic(op, one(a)?, one(b)?),
            Self::Concat(a, b) => Self::Concat(one(a)?, one(b)?),
            Self::Member(a, b, t) => Self::Member(one(a)?, one(b)?, t),
            Self::Distinct(a, b, n) => Self::Distinct(one(a)?, one(b)?, n),
            Self::And(list) => Self::And(all(list, f)?),
            Self::Or(list) => Self::Or(all(list, f)?),
            Self::Call(name, list) => Self::Call(name, all(list, f)?),
            Self::In(a, list, n) => Self::In(one(a)?, all(list, f)?, n),
            Self::Like {
                text,
                pattern,
                escape,
                any_case,
                negated,
            } => Self::Like {
                text: one(text)?,
                pattern: one(pattern)?,
                escape,
                any_case,
                negated,
            },
            Self::Case {
                branches,
                otherwise,
                ty,
            } => {
                let otherwise = otherwise.map(one).transpose()?;
                let mut replaced = Vec::with_capacity(branches.len());
                for (when, then) in branches {
                    replaced.push((when.replace(f)?, then.replace(f)?));
                }
                Self::Case {
                    branches: replaced,
                    otherwise,
                    ty,
                }
            }
            leaf => leaf,
        })
    }

    /// The parts of a conjunction.
    pub(crate) fn conjuncts(self) -> Vec<Self> {
        match self {
            Self::And(list) => list.into_iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }
}

fn all<E>(
    list: Vec<Expr>,
    f: &mut dyn FnMut(&Expr) -> Result<Option<Expr>, E>,
) -> Result<Vec<Expr>, E> {
    list.into_iter().map(|e| e.replace(f)).collect()
}
