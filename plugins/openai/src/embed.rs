//! `POST /embeddings`.

use polity_sdk::Problem;
use polity_wire::{Endpoint, Transport, check_vectors, invalid};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [String],
    /// Not every compatible server knows base64.
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(default)]
    index: usize,
    embedding: Vec<f32>,
}

pub(crate) fn embed(
    endpoint: &Endpoint<'_>,
    model: &str,
    input: &[String],
    transport: &impl Transport,
) -> Result<Vec<Vec<f32>>, Problem> {
    let body = serde_json::to_vec(&Body {
        model,
        input,
        encoding_format: "float",
    })
    .map_err(|error| invalid(error.to_string()))?;
    let mut answer: Answer = endpoint.post_for(transport, "/embeddings", body)?;
    // The order is documented by index, not by position; a stable sort keeps servers that number nothing in order.
    answer.data.sort_by_key(|embedding| embedding.index);
    let vectors = answer
        .data
        .into_iter()
        .map(|embedding| embedding.embedding)
        .collect();
    check_vectors(&endpoint.provider, vectors, input.len())
}
