//! `POST /api/embed`.

use polity_sdk::Problem;
use polity_wire::{Endpoint, Transport, check_vectors, invalid};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Ollama;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [String],
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Vec<Vec<f32>>,
}

pub(crate) fn embed(
    settings: &Ollama,
    model: &str,
    input: &[String],
    endpoint: &Endpoint<'_>,
    transport: &impl Transport,
) -> Result<Vec<Vec<f32>>, Problem> {
    let keep_alive = settings.keep_alive.as_deref();
    let body = serde_json::to_vec(&Body {
        model,
        input,
        truncate: settings.truncate,
        keep_alive,
    })
    .map_err(|error| invalid(error.to_string()))?;
    let answer: Answer = endpoint.post_for(transport, "/api/embed", body)?;
    check_vectors(&endpoint.provider, answer.embeddings, input.len())
}
