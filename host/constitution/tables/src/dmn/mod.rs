//! Models that other DMN modellers export: their decision tables become tables of ours, and the simple expressions between
//! them are carried out, so that an existing policy can be brought in and compared before and after.

mod boxed;
mod calc;
mod model;
pub mod tck;
mod xml;

pub use calc::ModelError;
pub use model::{ImportError, Model};
