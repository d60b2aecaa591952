//! OpenAI's API, for clients that exist already: chat completions, embeddings and the list of models.
//!
//! `request` reads what is asked, `chunk` writes the pieces of an answer as they come, `whole` all of it at once,
//! `embeddings` answers with vectors. What OpenAI's API has no word for travels in headers, and what does not fit there
//! in a member `polity` of the answer.

pub(crate) mod chat;
mod chunk;
pub(crate) mod embeddings;
pub(crate) mod models;
mod request;
pub(crate) mod schema;
mod whole;

#[cfg(test)]
pub(crate) use chunk::Chunks;
