//! A model that may answer, as whoever ranked it hands it over.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What tokens cost, in micro-units per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

/// Tokens that one attempt used, or is thought to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

/// One model at one plugin, with what it is expected to cost and to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The model's id.
    pub model: Arc<str>,
    /// The adapter that has it.
    pub plugin: Arc<str>,
    /// True when no prompt leaves the company's own machines.
    #[serde(default)]
    pub local: bool,
    /// The most that the request should cost here; this much is reserved. 0 for free.
    pub estimate_micro: u64,
    /// Expected time until the whole answer, 0 if unknown.
    #[serde(default)]
    pub expected_ms: u64,
    /// Time within which 95 % of requests have their first piece (of a stream) or their answer (otherwise). Without it
    /// the candidate is never hedged.
    #[serde(default)]
    pub p95_ms: Option<u64>,
    /// What its tokens cost.
    #[serde(default)]
    pub price: Price,
    /// Longest prompt and answer together, 0 if unknown.
    #[serde(default)]
    pub context_tokens: u64,
}

/// Bytes of text in a token, for guessing. English prose has four; anything denser is cheaper than guessed.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens in so many bytes of text, guessed and rounded up.
pub fn guess_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

impl Price {
    /// What tokens cost, rounded up, at most `u64::MAX`.
    pub fn cost(self, tokens: Tokens) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(tokens.input, self.input).saturating_add(part(tokens.output, self.output));
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Tokens {
    /// Both together.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Where one side is said to be nothing though there was something, what is thought of it.
    pub fn filled_up(self, guess: Self) -> Self {
        let or = |said, guess| if said == 0 { guess } else { said };
        Self {
            input: or(self.input, guess.input),
            output: or(self.output, guess.output),
        }
    }
}

impl Candidate {
    /// A candidate of which nothing is known but its names: free, and of unknown speed.
    pub fn new(plugin: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self {
            model: model.into(),
            plugin: plugin.into(),
            local: false,
            estimate_micro: 0,
            expected_ms: 0,
            p95_ms: None,
            price: Price::default(),
            context_tokens: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_rounded_up_and_never_overflows() {
        let cost = |input_price, output_price, input, output| {
            Price {
                input: input_price,
                output: output_price,
            }
            .cost(Tokens { input, output })
        };
        assert_eq!(cost(2_500_000, 10_000_000, 1000, 100), 3500);
        assert_eq!(cost(1, 0, 1, 0), 1);
        assert_eq!(cost(0, 0, 5, 5), 0);
        assert_eq!(cost(u64::MAX, u64::MAX, u64::MAX, u64::MAX), u64::MAX);
    }
}
