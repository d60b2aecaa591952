//! How values and rows become bytes.

pub(crate) mod key;
pub(crate) mod row;
