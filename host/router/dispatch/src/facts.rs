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
