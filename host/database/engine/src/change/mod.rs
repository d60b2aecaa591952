//! Changing data and schema.

pub(crate) mod build;
pub(crate) mod mutation;
pub(crate) mod rollup;
pub(crate) mod txn;
