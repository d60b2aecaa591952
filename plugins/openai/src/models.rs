//! Which models a server reports (`GET /models`).

use polity_sdk::Problem;
use polity_sdk::model::Info;
use polity_wire::{Card, Cards, Endpoint, Transport};
use serde::Deserialize;

use crate::OpenAi;

#[derive(Deserialize)]
struct Listing {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    /// vLLM says how long a context it serves.
    #[serde(default)]
    max_model_len: Option<u32>,
    #[serde(default)]
    meta: Option<Meta>,
}

/// llama.cpp says how long a context the model was trained for, and in newer versions how long a one it serves.
#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    n_ctx: Option<u32>,
    #[serde(default)]
    n_ctx_train: Option<u32>,
}

/// What the server serves, as far as it is known or may be offered without being known.
///
/// A model without a description has no price, so on the vendor's own host, where every answer is billed, it is left
/// out; on another server it is offered with the configured abilities.
pub(crate) fn discover(
    settings: &OpenAi,
    cards: Cards<'_>,
    endpoint: &Endpoint<'_>,
    transport: &impl Transport,
) -> Result<Vec<Info>, Problem> {
    let listing: Listing = endpoint.get_for(transport, "/models")?;
    let chat = ["chat".to_owned()];
    let abilities = settings.default_abilities.as_deref().unwrap_or(&chat);
    let offered = listing.data.into_iter().filter_map(|listed| {
        if let Some(card) = cards.find(&listed.id) {
            return Some(cards.info(card));
        }
        if settings.is_vendor() {
            return None;
        }
        let context = listed
            .max_model_len
            .or(listed.meta.and_then(|meta| meta.n_ctx.or(meta.n_ctx_train)));
        let card = Card::unknown(listed.id, abilities);
        Some(cards.info(&Card {
            context_tokens: context.unwrap_or(0),
            ..card
        }))
    });
    Ok(offered.collect())
}
