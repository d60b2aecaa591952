//! Changing data and schema.

pub(crate) mod build;
mod collection;
pub(crate) mod forecast;
pub(crate) mod mutation;
pub(crate) mod rollup;
pub(crate) mod txn;
