//! OpenAI's Responses API, for clients that exist already. Nothing is stored: each request brings its conversation along.
//!
//! `request` turns a request into a completion, `items` its input, `object` writes the answer, `events` its pieces.

pub(crate) mod create;
mod events;
mod items;
mod object;
mod request;
pub(crate) mod schema;
