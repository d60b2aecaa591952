//! Our own API: JSON in and out, RFC 9457 problems, lists in pages.

pub(super) mod actions;
pub(super) mod amendments;
pub(super) mod constitution;
pub(super) mod decisions;
pub(super) mod halts;
pub(super) mod inbox;
pub(super) mod ledger;
pub(super) mod links;
pub(super) mod mutations;
mod page;
pub(crate) mod plugins;
pub(super) mod protocols;
pub(super) mod pull;
pub(super) mod records;
pub(super) mod route;
pub(super) mod router;
mod schema;
pub(super) mod tokens;
pub(super) mod workflows;
