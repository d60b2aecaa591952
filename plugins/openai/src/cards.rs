//! OpenAI's current models, for an adapter that is not configured otherwise.
//!
//! Source: the model pages under <https://developers.openai.com/api/docs/models> as of November 2026; prices are US
//! dollars. `context_tokens` ends where a dearer tariff for long prompts begins, so that a cost computed from this list
//! is the cost that is billed; list the model in the configuration to use the rest of its context. The `gpt-6` models
//! take tools over chat completions only at reasoning effort `none`, and those without that effort take none.

use std::borrow::Cow::{self, Borrowed};

use polity_wire::Card;

const TEXT_AND_TOOLS: &[Cow<'static, str>] = &[
    Borrowed("chat"),
    Borrowed("tools"),
    Borrowed("vision"),
    Borrowed("json-schema"),
];
const TEXT: &[Cow<'static, str>] = &[
    Borrowed("chat"),
    Borrowed("vision"),
    Borrowed("json-schema"),
];
const VECTORS: &[Cow<'static, str>] = &[Borrowed("embed")];

/// Longer prompts cost twice as much.
const STANDARD_TARIFF: u32 = 272_000;

const REASONING: Card = Card {
    context_tokens: STANDARD_TARIFF,
    max_output_tokens: 128_000,
    abilities: Borrowed(TEXT),
    sampling: false,
    ..Card::PLAIN
};
const REASONING_WITH_TOOLS: Card = Card {
    abilities: Borrowed(TEXT_AND_TOOLS),
    tool_effort: Some(Borrowed("none")),
    ..REASONING
};
const CLASSIC: Card = Card {
    context_tokens: 1_047_576,
    max_output_tokens: 32_768,
    abilities: Borrowed(TEXT_AND_TOOLS),
    effort: false,
    ..Card::PLAIN
};
const EMBEDDING: Card = Card {
    context_tokens: 8_192,
    abilities: Borrowed(VECTORS),
    ..Card::PLAIN
};

pub(crate) const BUILT_IN: &[Card] = &[
    Card {
        id: Borrowed("gpt-6.2-astra"),
        input_price: 8_000_000,
        output_price: 40_000_000,
        ..REASONING
    },
    Card {
        id: Borrowed("gpt-6.2-sol"),
        input_price: 2_000_000,
        output_price: 10_000_000,
        ..REASONING
    },
    Card {
        id: Borrowed("gpt-6-sol"),
        input_price: 2_000_000,
        output_price: 10_000_000,
        ..REASONING_WITH_TOOLS
    },
    Card {
        id: Borrowed("gpt-6-luna"),
        input_price: 100_000,
        output_price: 500_000,
        ..REASONING_WITH_TOOLS
    },
    Card {
        id: Borrowed("gpt-4.1"),
        input_price: 2_000_000,
        output_price: 8_000_000,
        ..CLASSIC
    },
    Card {
        id: Borrowed("gpt-4.1-mini"),
        input_price: 400_000,
        output_price: 1_600_000,
        ..CLASSIC
    },
    Card {
        id: Borrowed("gpt-4o-mini"),
        context_tokens: 128_000,
        max_output_tokens: 16_384,
        input_price: 150_000,
        output_price: 600_000,
        ..CLASSIC
    },
    Card {
        id: Borrowed("text-embedding-3-small"),
        input_price: 20_000,
        ..EMBEDDING
    },
    Card {
        id: Borrowed("text-embedding-3-large"),
        input_price: 130_000,
        ..EMBEDDING
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_has_a_name_of_its_own_a_price_and_a_limit() {
        for (at, card) in BUILT_IN.iter().enumerate() {
            assert!(
                card.input_price > 0 && card.context_tokens > 0,
                "{}",
                card.id
            );
            assert!(
                card.can("embed") || card.output_price > card.input_price,
                "{}",
                card.id
            );
            assert!(
                BUILT_IN[..at].iter().all(|other| other.id != card.id),
                "{}",
                card.id
            );
        }
    }
}
