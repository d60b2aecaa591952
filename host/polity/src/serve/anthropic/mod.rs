//! Anthropic's Messages API, for clients that exist already.
//!
//! `request` turns a message request into a completion, `block` its contents, `whole` and `events` write the answer,
//! `schema` describes both, and `count` says how long a prompt is. Errors have the vendor's shape.

mod block;
pub(crate) mod count;
mod events;
pub(crate) mod messages;
mod request;
pub(crate) mod schema;
mod whole;
