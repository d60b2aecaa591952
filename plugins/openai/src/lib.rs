//! OpenAI, and every server that speaks its chat completions: llama.cpp, vLLM, LM Studio, gateways.
//!
//! The contract's messages and tools are OpenAI-style already, so most of a request passes through unread; what is
//! translated is the frame around it, and the stream that comes back.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cards;
mod embed;
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
const VENDOR: &str = "https://api.openai.com/v1";

/// The plugin's configuration; `polity.json` documents each field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OpenAi {
    base_url: Option<String>,
    models: Option<Vec<Card>>,
    discover: bool,
    default_abilities: Option<Vec<String>>,
    local: Option<bool>,
    region: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    headers: BTreeMap<String, String>,
    timeout_ms: Option<u32>,
    output_limit_field: OutputLimitField,
    include_usage: Option<bool>,
    extra_body: Option<Box<RawValue>>,
}

/// What the server calls the longest answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutputLimitField {
    #[default]
    MaxCompletionTokens,
    MaxTokens,
}

polity_sdk::manifest!("polity.json");
// A native build has nobody to export to, and its linker refuses the contract's names.
polity_sdk::export_model!(polity_wire::Hosted<OpenAi>);

impl OpenAi {
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
        let organization = self
            .organization
            .iter()
            .map(|id| ("openai-organization", id.as_str()));
        let project = self
            .project
            .iter()
            .map(|id| ("openai-project", id.as_str()));
        Endpoint {
            provider: served_by("OpenAI", VENDOR, self.base_url()),
            base_url: self.base_url(),
            fixed: organization.chain(project).collect(),
            headers: &self.headers,
            timeout_ms: self.timeout_ms,
        }
    }
}

impl Provider for OpenAi {
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
        let response = self.endpoint().post(transport, "/chat/completions", body)?;
        stream::answer(response, sink)
    }

    fn embed(
        &self,
        model: &str,
        input: &[String],
        transport: &impl Transport,
    ) -> Result<Vec<Vec<f32>>, Problem> {
        if self
            .cards()
            .find(model)
            .is_some_and(|card| !card.can("embed"))
        {
            return Err(problem(
                "not-found",
                format!("the model '{model}' does not embed"),
            ));
        }
        embed::embed(&self.endpoint(), model, input, transport)
    }
}
