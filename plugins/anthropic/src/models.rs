//! Which models the account may use (`GET /v1/models`).

use polity_sdk::Problem;
use polity_sdk::model::Info;
use polity_wire::{Card, Cards, Endpoint, Transport};
use serde::Deserialize;

use crate::Anthropic;

#[derive(Deserialize)]
struct Listing {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    max_input_tokens: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
}

/// What the server serves, as far as it is known or may be offered without being known.
///
/// A model without a description has no price, so on the vendor's own host, where every answer is billed, it is left
/// out.
pub(crate) fn discover(
    settings: &Anthropic,
    cards: Cards<'_>,
    endpoint: &Endpoint<'_>,
    transport: &impl Transport,
) -> Result<Vec<Info>, Problem> {
    // One page holds them all: 1000 is the documented maximum, and a hundredth of it are in service.
    let listing: Listing = endpoint.get_for(transport, "/v1/models?limit=1000")?;
    let offered = listing.data.into_iter().filter_map(|listed| {
        if let Some(card) = cards.find(&listed.id) {
            return Some(cards.info(card));
        }
        if settings.is_vendor() {
            return None;
        }
        let card = Card::unknown(listed.id, &["chat".to_owned(), "tools".to_owned()]);
        Some(cards.info(&Card {
            context_tokens: listed.max_input_tokens.unwrap_or(0),
            max_output_tokens: listed.max_tokens.unwrap_or(0),
            ..card
        }))
    });
    Ok(offered.collect())
}
