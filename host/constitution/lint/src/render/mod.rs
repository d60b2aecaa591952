//! Reports for people, editors, pull requests and programs. The JSON shape is the [`Report`](crate::Report) itself.

mod markdown;
mod sarif;
mod text;

pub use markdown::markdown;
pub use sarif::sarif;
pub use text::{colored, text};
