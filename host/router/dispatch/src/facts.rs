//! What the dispatch has to know of a request, and of how an attempt used it up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Tokens;
use crate::budget::Payer;

/// A request, without its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// Its id.
    pub id: Uuid,
    /// Who pays.
    #[serde(default)]
    pub payer: Payer,
    /// Whether pieces of the answer go out as they come.
    #[serde(default)]
    pub stream: bool,
    /// Tokens of the prompt, counted or guessed.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Longest answer wanted, 0 if not said.
    #[serde(default)]
    pub max_output_tokens: u64,
    /// Whether somebody is waiting so impatiently that a second model may be asked at the same time.
    #[serde(default)]
    pub latency_critical: bool,
    /// The most that all attempts together may cost.
    #[serde(default)]
    pub max_cost_micro: Option<u64>,
    /// Whether another model may write on where one broke off. Not where the answer is JSON, which rarely survives it.
    #[serde(default)]
    pub may_continue: bool,
}

/// What a provider says that an answer used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// What it cost, where the adapter knows better than the price list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost_micro: Option<u64>,
}

/// Tokens that any count may be off by.
const SLACK: u64 = 4096;

/// Times that a count may exceed what was sent and asked for: tokenisers differ, and so do ways of counting pictures.
const TIMES: u64 = 8;

/// Tokens of hidden reasoning that no model exceeds.
const MOST_REASONING: u64 = 10_000_000;

/// What a count may be where so much was expected.
pub(crate) fn limit(expected: u64) -> u64 {
    expected.saturating_mul(TIMES).saturating_add(SLACK)
}

impl Usage {
    /// Whether the tokens can be what an answer used of which `guess` is thought. Providers slip, and a slip must not
    /// empty a budget. `max_output_tokens` is the longest answer that was asked for and `context_tokens` what the model
    /// has room for, each 0 where nobody said.
    pub fn is_credible(self, guess: Tokens, max_output_tokens: u64, context_tokens: u64) -> bool {
        let Tokens { input, output } = self.tokens;
        // A picture or a document may be named by its address alone; what fits the model may have been read.
        let is_prompt = input <= limit(guess.input) || input <= context_tokens;
        // Reasoning is counted and not sent, so only an answer with a longest length can be too long.
        let is_short =
            max_output_tokens == 0 || output <= limit(guess.output.max(max_output_tokens));
        is_prompt && is_short && output <= limit(guess.output).saturating_add(MOST_REASONING)
    }
}

impl RequestFacts {
    /// A request that wants a whole answer and about which nothing more is known.
    pub fn new(id: Uuid) -> Self {
        Self {
            id,
            payer: Payer::default(),
            stream: false,
            prompt_tokens: 0,
            max_output_tokens: 0,
            latency_critical: false,
            max_cost_micro: None,
            may_continue: true,
        }
    }
}
