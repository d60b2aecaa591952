//! What an adapter knows of each model: the list that is built in, or the operator's own.

use std::borrow::Cow;

use polity_sdk::model::Info;
use serde::Deserialize;

/// One model. The same shape serves the built-in lists and the `models` table of the configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// As requests name it.
    pub id: Cow<'static, str>,
    /// Longest prompt and answer together, 0 if unknown.
    #[serde(default)]
    pub context_tokens: u32,
    /// Longest answer, 0 if unknown.
    #[serde(default)]
    pub max_output_tokens: u32,
    /// `chat`, `tools`, `vision`, `json-schema`, `embed`, ….
    #[serde(default = "only_chat")]
    pub abilities: Cow<'static, [Cow<'static, str>]>,
    /// Micro-units per million prompt tokens.
    #[serde(default)]
    pub input_price: u64,
    /// Micro-units per million answer tokens.
    #[serde(default)]
    pub output_price: u64,
    /// Where prompts are processed, if it differs from the provider's.
    #[serde(default)]
    pub region: Option<Cow<'static, str>>,
    /// Whether prompts stay on the company's machines, if it differs from the provider's.
    #[serde(default)]
    pub local: Option<bool>,
    /// Takes `temperature` and `top_p`. Reasoning models refuse them, so they are left out where this is false.
    #[serde(default = "yes")]
    pub sampling: bool,
    /// Takes a reasoning effort; left out where this is false.
    #[serde(default = "yes")]
    pub effort: bool,
    /// The only reasoning effort with which the model takes tools, sent along when the caller names none.
    #[serde(default)]
    pub tool_effort: Option<Cow<'static, str>>,
}

/// The models of one provider.
#[derive(Debug, Clone, Copy)]
pub struct Cards<'a> {
    /// What is known of each.
    pub cards: &'a [Card],
    /// Where prompts are processed, unless a card says otherwise.
    pub region: Option<&'a str>,
    /// Whether prompts stay on the company's machines, unless a card says otherwise.
    pub local: bool,
}

impl Card {
    /// A model of which nothing but its name and abilities is known.
    pub fn unknown(id: String, abilities: &[String]) -> Self {
        let abilities: Vec<_> = abilities.iter().cloned().map(Cow::Owned).collect();
        Self {
            id: id.into(),
            abilities: abilities.into(),
            ..Self::PLAIN
        }
    }

    /// A chat model that takes every parameter, to build others from.
    pub const PLAIN: Self = Self {
        id: Cow::Borrowed(""),
        context_tokens: 0,
        max_output_tokens: 0,
        abilities: Cow::Borrowed(&[]),
        input_price: 0,
        output_price: 0,
        region: None,
        local: None,
        sampling: true,
        effort: true,
        tool_effort: None,
    };

    /// Whether the model can do something.
    pub fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|known| known == ability)
    }
}

impl<'a> Cards<'a> {
    /// What is known of a model.
    pub fn find(&self, id: &str) -> Option<&'a Card> {
        self.cards.iter().find(|card| card.id == id)
    }

    /// A card in the form of the contract.
    pub fn info(&self, card: &Card) -> Info {
        Info {
            id: card.id.to_string(),
            context_tokens: card.context_tokens,
            max_output_tokens: card.max_output_tokens,
            abilities: card.abilities.iter().map(ToString::to_string).collect(),
            input_price: card.input_price,
            output_price: card.output_price,
            region: card.region.as_deref().or(self.region).map(str::to_owned),
            local: card.local.unwrap_or(self.local),
        }
    }
}

fn yes() -> bool {
    true
}

fn only_chat() -> Cow<'static, [Cow<'static, str>]> {
    const CHAT: &[Cow<'static, str>] = &[Cow::Borrowed("chat")];
    Cow::Borrowed(CHAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_only_named_can_chat_and_costs_nothing() {
        let card: Card = serde_json::from_str(r#"{"id":"qwen"}"#).unwrap();
        let cards = Cards {
            cards: &[card],
            region: Some("eu"),
            local: true,
        };
        let info = cards.info(cards.find("qwen").unwrap());
        assert_eq!(info.abilities, ["chat"]);
        assert_eq!((info.input_price, info.output_price), (0, 0));
        assert_eq!((info.region.as_deref(), info.local), (Some("eu"), true));
        assert!(cards.find("other").is_none());
    }

    #[test]
    fn a_card_says_more_than_its_provider() {
        let card: Card =
            serde_json::from_str(r#"{"id":"m","region":"us","local":false,"abilities":["embed"]}"#)
                .unwrap();
        let cards = Cards {
            cards: &[],
            region: Some("eu"),
            local: true,
        };
        let info = cards.info(&card);
        assert_eq!((info.region.as_deref(), info.local), (Some("us"), false));
        assert!(card.can("embed") && !card.can("chat"));
    }
}
