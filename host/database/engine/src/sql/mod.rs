//! SQL text to bound expressions.

pub(crate) mod bind;
mod call;
pub(crate) mod eval;
pub(crate) mod expr;
pub(crate) mod functions;
pub(crate) mod normal;
pub(crate) mod parse;
mod types;
