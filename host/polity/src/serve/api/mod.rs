//! Our own API: JSON in and out, RFC 9457 problems, lists in pages.

pub(super) mod actions;
pub(super) mod constitution;
pub(super) mod decisions;
pub(super) mod inbox;
pub(super) mod ledger;
pub(super) mod links;
pub(super) mod mutations;
mod page;
pub(crate) mod plugins;
pub(super) mod protocols;
pub(super) mod records;
pub(super) mod route;
mod schema;
pub(super) mod tokens;
