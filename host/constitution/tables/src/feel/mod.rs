//! The expression language of cells: S-FEEL unary tests, and as much of FEEL as plain arithmetic over the inputs needs.
//! Null and values of unlike kinds are never less, greater or equal, so that missing data cannot pass a limit.

mod ast;
mod eval;
mod functions;
mod lexer;
mod parser;

pub use ast::{Argument, Arithmetic, Comparison, Ends, Expr, Test};
pub(crate) use eval::is_of;
pub(crate) use eval::passes_any;
pub use eval::{EvalError, NoNames, Scope, Variables, evaluate, passes};
pub(crate) use parser::is_plain_name;
pub use parser::{SyntaxError, parse_expression, parse_tests};
