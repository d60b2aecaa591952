//! The bodies of decisions.

use std::sync::Arc;

use crate::decision::DecisionTable;
use crate::feel::Expr;

/// What a decision is made of.
#[derive(Debug)]
pub(super) enum Boxed {
    Literal(Expr),
    Table(Box<DecisionTable>),
    /// Entries that see those before them; the one without a name is the result.
    Context(Vec<(Option<Arc<str>>, Self)>),
    Invocation(Expr, Vec<(Arc<str>, Self)>),
    List(Vec<Self>),
    /// A table of values: the names of its columns and its rows.
    Relation(Vec<Arc<str>>, Vec<Vec<Self>>),
    /// A function as a field of a context.
    Function(Function),
    /// A part of DMN that is not carried out here, and which.
    Unsupported(String),
}

/// Knowledge that decisions call.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) parameters: Vec<Arc<str>>,
    pub(super) body: Box<Boxed>,
}
