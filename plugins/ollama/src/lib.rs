//! Ollama's native interface.
//!
//! It is used instead of Ollama's OpenAI-compatible one because only here the prompt can be kept from being cut
//! silently (`truncate`), the context length can be set (`num_ctx`), and the server says what each model can do.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod embed;
mod models;
mod request;
mod stream;

use std::collections::BTreeMap;

use polity_sdk::Problem;
use polity_sdk::model::{Info, Outcome, Request};
use polity_wire::{Card, Cards, Endpoint, Provider, Sink, Transport, is_loopback, served_by};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Where `ollama serve` listens.
const DEFAULT: &str = "http://127.0.0.1:11434";

/// The plugin's configuration; `polity.json` documents each field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ollama {
    base_url: Option<String>,
    models: Vec<Card>,
    only_listed: bool,
    local: Option<bool>,
    region: Option<String>,
    headers: BTreeMap<String, String>,
    timeout_ms: Option<u32>,
    context_tokens: Option<u32>,
    truncate: bool,
    keep_alive: Option<Box<RawValue>>,
    options: Option<Box<RawValue>>,
}

polity_sdk::manifest!("polity.json");
// A native build has nobody to export to, and its linker refuses the contract's names.
polity_sdk::export_model!(polity_wire::Hosted<Ollama>);

impl Ollama {
    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(DEFAULT)
    }

    fn cards(&self) -> Cards<'_> {
        Cards {
            cards: &self.models,
            region: self.region.as_deref(),
            local: self.local.unwrap_or_else(|| is_loopback(self.base_url())),
        }
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            provider: served_by("Ollama", DEFAULT, self.base_url()),
            base_url: self.base_url(),
            fixed: Vec::new(),
            headers: &self.headers,
            timeout_ms: self.timeout_ms,
        }
    }
}

impl Provider for Ollama {
    fn models(&self, transport: &impl Transport) -> Result<Vec<Info>, Problem> {
        models::installed(self, &self.endpoint(), transport)
    }

    fn complete(
        &self,
        request: &Request,
        transport: &impl Transport,
        sink: &mut impl Sink,
    ) -> Result<Outcome, Problem> {
        let body = request::body(self, request)?;
        let response = self.endpoint().post(transport, "/api/chat", body)?;
        stream::answer(response, sink)
    }

    fn embed(
        &self,
        model: &str,
        input: &[String],
        transport: &impl Transport,
    ) -> Result<Vec<Vec<f32>>, Problem> {
        embed::embed(self, model, input, &self.endpoint(), transport)
    }
}
