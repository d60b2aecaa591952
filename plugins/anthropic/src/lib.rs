//! Anthropic's Messages API, and servers that speak it.
//!
//! Its conversation differs from the contract's in every joint (system text apart, tool results as user blocks, calls
//! as blocks with parsed input), so requests are rebuilt; see `request`. Answers come as typed events; see `stream`.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cards;
mod conversation;
mod models;
mod request;
mod schema;
mod stream;

use std::collections::BTreeMap;

use polity_sdk::model::{Info, Outcome, Request};
use polity_sdk::{Problem, problem};
use polity_wire::{Card, Cards, Endpoint, Provider, Sink, Transport, is_loopback, served_by};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The vendor's address; the built-in list of models describes what is served there.
const VENDOR: &str = "https://api.anthropic.com";

/// The version of the format that this adapter is written to.
const VERSION: &str = "2023-06-01";

/// The plugin's configuration; `polity.json` documents each field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Anthropic {
    base_url: Option<String>,
    models: Option<Vec<Card>>,
    discover: bool,
    local: Option<bool>,
    region: Option<String>,
    headers: BTreeMap<String, String>,
    timeout_ms: Option<u32>,
    default_max_tokens: Option<u32>,
    extra_body: Option<Box<RawValue>>,
}

polity_sdk::manifest!("polity.json");
// A native build has nobody to export to, and its linker refuses the contract's names.
polity_sdk::export_model!(polity_wire::Hosted<Anthropic>);

impl Anthropic {
    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(VENDOR)
    }

    fn is_vendor(&self) -> bool {
        self.base_url().trim_end_matches('/') == VENDOR
    }

    fn cards(&self) -> Cards<'_> {
        Cards {
            cards: self.models.as_deref().unwrap_or(cards::BUILT_IN),
            region: self.region.as_deref(),
            local: self.local.unwrap_or_else(|| is_loopback(self.base_url())),
        }
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            provider: served_by("Anthropic", VENDOR, self.base_url()),
            base_url: self.base_url(),
            fixed: vec![("anthropic-version", VERSION)],
            headers: &self.headers,
            timeout_ms: self.timeout_ms,
        }
    }
}

impl Provider for Anthropic {
    fn models(&self, transport: &impl Transport) -> Result<Vec<Info>, Problem> {
        let cards = self.cards();
        if self.discover {
            return models::discover(self, cards, &self.endpoint(), transport);
        }
        Ok(cards.cards.iter().map(|card| cards.info(card)).collect())
    }

    fn complete(
        &self,
        request: &Request,
        transport: &impl Transport,
        sink: &mut impl Sink,
    ) -> Result<Outcome, Problem> {
        let body = request::body(self, request)?;
        let response = self.endpoint().post(transport, "/v1/messages", body)?;
        stream::answer(response, sink)
    }

    fn embed(
        &self,
        model: &str,
        _: &[String],
        _: &impl Transport,
    ) -> Result<Vec<Vec<f32>>, Problem> {
        let detail = format!("the model '{model}' does not embed: Anthropic offers no embeddings");
        Err(problem("not-found", detail))
    }
}
