//! A workflow as people see it.

mod cases;
mod outline;
mod picture;
mod tree;
pub(crate) mod words;

pub use tree::{Branch, Step, Tree};
