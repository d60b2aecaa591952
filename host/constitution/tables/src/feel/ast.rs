//! Expressions and unary tests as trees.

use std::sync::Arc;

use crate::value::Value;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Literal(Value),
    /// What a name stands for.
    Name(Arc<str>),
    /// A field of a context; of each item where it is a list of contexts.
    Path(Box<Expr>, Arc<str>),
    /// `-a`
    Negate(Box<Expr>),
    /// `a + b` and its kin
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// `a < b` and its kin
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `a and b`
    And(Box<Expr>, Box<Expr>),
    /// `a or b`
    Or(Box<Expr>, Box<Expr>),
    /// `a in tests`, `a between b and c`
    In(Box<Expr>, Vec<Test>),
    /// `if a then b else c`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `name(a, b)` or `name(first: a, second: b)`
    Call(Box<Expr>, Vec<Argument>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{name: a}`
    Context(Vec<(Arc<str>, Expr)>),
    /// `[a..b)`
    Range(Box<Ends>),
    /// `list[condition]`, `list[1]`
    Filter(Box<Expr>, Box<Expr>),
}

/// An argument of a call, with the parameter's name where it is given.
pub type Argument = (Option<Arc<str>>, Expr);

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `**`
    Power,
}

/// An operator of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// The ends of an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    /// The lower end.
    pub low: Expr,
    /// Whether it belongs to the interval.
    pub low_closed: bool,
    /// The upper end.
    pub high: Expr,
    /// Whether it belongs to the interval.
    pub high_closed: bool,
}

/// What a cell asks of its input; several are joined by "or".
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `-`
    Any,
    /// `< 5`
    Compare(Comparison, Expr),
    /// `[1..5)`
    Within(Ends),
    /// `5`, or a list of which the input is an item
    Equal(Expr),
    /// `not(…)`
    Not(Vec<Test>),
    /// A condition on `?`
    Condition(Expr),
}

impl Expr {
    /// Whether it means the same whatever the inputs are.
    pub fn is_constant(&self) -> bool {
        let mut constant = true;
        self.each_name(&mut |_| constant = false);
        constant
    }

    /// Calls with every free name. Names of functions are not free.
    pub fn each_name<'e>(&'e self, seen: &mut dyn FnMut(&'e str)) {
        match self {
            Self::Literal(_) => {}
            Self::Name(name) => seen(name),
            Self::Path(of, _) | Self::Negate(of) => of.each_name(seen),
            Self::Arithmetic(_, a, b)
            | Self::Compare(_, a, b)
            | Self::And(a, b)
            | Self::Or(a, b)
            | Self::Filter(a, b) => {
                a.each_name(seen);
                b.each_name(seen);
            }
            Self::In(value, tests) => {
                value.each_name(seen);
                tests.iter().for_each(|test| test.each_name(seen));
            }
            Self::If(a, b, c) => [a, b, c].into_iter().for_each(|expr| expr.each_name(seen)),
            Self::Call(callee, arguments) => {
                if !matches!(**callee, Self::Name(_)) {
                    callee.each_name(seen);
                }
                arguments
                    .iter()
                    .for_each(|(_, argument)| argument.each_name(seen));
            }
            Self::List(items) => items.iter().for_each(|item| item.each_name(seen)),
            Self::Context(fields) => fields.iter().for_each(|(_, field)| field.each_name(seen)),
            Self::Range(ends) => {
                ends.low.each_name(seen);
                ends.high.each_name(seen);
            }
        }
    }

    /// `a.b.c` as its names; nothing for any other expression.
    pub fn as_path(&self) -> Option<Vec<Arc<str>>> {
        match self {
            Self::Name(name) => Some(vec![name.clone()]),
            Self::Path(of, name) => {
                let mut path = of.as_path()?;
                path.push(name.clone());
                Some(path)
            }
            _ => None,
        }
    }
}

impl Test {
    /// Calls with every free name.
    pub fn each_name<'e>(&'e self, seen: &mut dyn FnMut(&'e str)) {
        match self {
            Self::Any => {}
            Self::Compare(_, expr) | Self::Equal(expr) | Self::Condition(expr) => {
                expr.each_name(seen)
            }
            Self::Within(ends) => {
                ends.low.each_name(seen);
                ends.high.each_name(seen);
            }
            Self::Not(tests) => tests.iter().for_each(|test| test.each_name(seen)),
        }
    }
}
