//! OpenAI's API, for clients that exist already: chat completions and the list of models.
//!
//! `request` reads what is asked, `chunk` writes the pieces of an answer, `stream` sends them as they come, `whole` sends
//! them at once, `failure` tells what went wrong. Everything that OpenAI's API has no word for travels in headers.

pub(crate) mod chat;
mod chunk;
mod failure;
pub(crate) mod models;
mod request;
pub(crate) mod schema;
mod stream;
mod whole;
