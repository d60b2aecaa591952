//! Anthropic's current models, for an adapter that is not configured otherwise.
//!
//! Source: the model pages under <https://platform.claude.com/docs/en/models/overview> as of November 2026; prices are
//! US dollars. `context_tokens` ends where a dearer tariff for long prompts begins, so that a cost computed from this
//! list is the cost that is billed; list the model in the configuration to use the rest of its context. Models since
//! Claude 4.7 refuse sampling parameters; Claude Haiku 4.5 takes no effort.

use std::borrow::Cow::{self, Borrowed};

use polity_wire::Card;

const ABILITIES: &[Cow<'static, str>] = &[
    Borrowed("chat"),
    Borrowed("tools"),
    Borrowed("vision"),
    Borrowed("json-schema"),
];

const CURRENT: Card = Card {
    context_tokens: 1_000_000,
    max_output_tokens: 128_000,
    abilities: Borrowed(ABILITIES),
    sampling: false,
    ..Card::PLAIN
};

pub(crate) const BUILT_IN: &[Card] = &[
    Card {
        id: Borrowed("claude-fable-5-2"),
        input_price: 8_000_000,
        output_price: 40_000_000,
        ..CURRENT
    },
    Card {
        id: Borrowed("claude-opus-5-5"),
        input_price: 4_000_000,
        output_price: 20_000_000,
        ..CURRENT
    },
    Card {
        id: Borrowed("claude-sonnet-5-5"),
        input_price: 2_000_000,
        output_price: 10_000_000,
        ..CURRENT
    },
    Card {
        id: Borrowed("claude-haiku-5-5"),
        // Prompts past this cost five times as much.
        context_tokens: 100_000,
        input_price: 100_000,
        output_price: 500_000,
        ..CURRENT
    },
    Card {
        id: Borrowed("claude-haiku-4-5"),
        context_tokens: 200_000,
        max_output_tokens: 64_000,
        input_price: 1_000_000,
        output_price: 5_000_000,
        sampling: true,
        effort: false,
        ..CURRENT
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_has_a_name_of_its_own_a_price_and_a_limit() {
        for (at, card) in BUILT_IN.iter().enumerate() {
            assert!(
                card.input_price > 0 && card.output_price > card.input_price,
                "{}",
                card.id
            );
            assert!(
                card.context_tokens > 0 && card.max_output_tokens > 0,
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
