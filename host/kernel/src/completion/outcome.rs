//! What the ledger keeps of a completion.

use std::fmt;
use std::sync::Arc;

use polity_dispatch::AttemptRecord;
use polity_runtime::digest::Digest;
use serde::{Deserialize, Serialize};

use super::price::Tokens;
use super::{About, PARTY, TraceParent};
use crate::digest::text;
use crate::models::{Chosen, ModelEntry, Routing};

/// How a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompletionStatus {
    /// The model answered.
    Answered,
    /// The rules did not let it happen.
    Refused,
    /// It would have cost more than the budget has left.
    OverBudget,
    /// The adapter or its provider failed.
    Failed,
    /// The answer had not ended when the deadline passed.
    Late,
    /// The caller went away.
    Cancelled,
}

/// A completion: which model, what it used and cost, how long it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionRecord {
    /// The model as the caller named it.
    pub asked: String,
    /// Why this model was chosen, where it had to be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub routing: Option<Box<Routing>>,
    /// The model's id: the one that answered, or was asked last.
    pub model: Arc<str>,
    /// The adapter.
    pub plugin: Arc<str>,
    /// The adapter's version, where it says one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin_version: Option<Arc<str>>,
    /// The adapter's bytes.
    #[serde(serialize_with = "text::always")]
    pub digest: Digest,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// Whether vectors were wanted, and no answer.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub embeddings: bool,
    /// How it ended.
    pub status: CompletionStatus,
    /// `stop`, `length`, `tool_calls` or `content_filter`, where the model answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finish: Option<String>,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// The part of the prompt that came from the provider's cache.
    pub cached_tokens: u64,
    /// Whether the tokens were guessed from the text, because the provider did not say or was not asked to the end.
    pub is_estimate: bool,
    /// What the provider said that it used, where that cannot be. The tokens and the cost are then those of the text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disbelieved: Option<Claim>,
    /// What was reserved of the budget beforehand.
    pub reserved_micro: u64,
    /// What it cost.
    pub cost_micro: u64,
    /// From the request to the first piece of a streamed answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_piece_us: Option<u64>,
    /// From the request to its end.
    pub took_us: u64,
    /// Every call that was made, where it was not a single one that went well.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attempts: Vec<AttemptRecord>,
    /// How the answer came about, where there is more to say: councils, cascades, the cache. Long texts are shortened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<Box<About>>,
    /// Why there is no answer, where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Failure>,
    /// The span of a trace that the request was part of. It is told to who watches, and not kept.
    #[serde(skip)]
    pub trace: Option<TraceParent>,
}

/// What a provider says that an answer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, for programs.
    pub code: String,
    /// One sentence.
    pub detail: String,
}

/// The largest number that every reader of JSON keeps as it is.
const MOST: u64 = (1 << 53) - 1;

impl Claim {
    pub(super) fn of(said: Tokens) -> Self {
        Self {
            input_tokens: said.input.min(MOST),
            output_tokens: said.output.min(MOST),
        }
    }
}

impl CompletionStatus {
    /// The name that records and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::OverBudget => "over-budget",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for CompletionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl CompletionRecord {
    /// A completion that has not come to the adapter.
    pub(super) fn new(
        asked: String,
        chosen: &Chosen,
        stream: bool,
        status: CompletionStatus,
    ) -> Self {
        let model = &chosen.model;
        Self {
            asked,
            routing: chosen.routing.clone(),
            model: model.id().clone(),
            plugin: model.plugin.clone(),
            plugin_version: model.version().cloned(),
            digest: model.digest(),
            stream,
            embeddings: false,
            status,
            finish: None,
            input_tokens: 0,
            output_tokens: 0,
            cached_tokens: 0,
            is_estimate: false,
            disbelieved: None,
            reserved_micro: 0,
            cost_micro: 0,
            first_piece_us: None,
            attempts: Vec::new(),
            took_us: 0,
            about: None,
            error: None,
            trace: None,
        }
    }

    /// The record of several models together. What they used and cost is in their own records, and not in this one.
    pub(super) fn of_many(
        asked: &str,
        routing: Option<Box<Routing>>,
        digest: Digest,
        stream: bool,
        status: CompletionStatus,
    ) -> Self {
        Self {
            asked: asked.to_owned(),
            routing,
            model: asked.into(),
            plugin: PARTY.into(),
            plugin_version: None,
            digest,
            stream,
            embeddings: false,
            status,
            finish: None,
            input_tokens: 0,
            output_tokens: 0,
            cached_tokens: 0,
            is_estimate: false,
            disbelieved: None,
            reserved_micro: 0,
            cost_micro: 0,
            first_piece_us: None,
            attempts: Vec::new(),
            took_us: 0,
            about: None,
            error: None,
            trace: None,
        }
    }

    /// What the OpenTelemetry conventions call it.
    pub(crate) fn operation(&self) -> &'static str {
        if self.embeddings {
            "embeddings"
        } else {
            "chat"
        }
    }

    /// Another model answers.
    pub(super) fn seat(&mut self, model: &ModelEntry) {
        self.model = model.id().clone();
        self.plugin = model.plugin.clone();
        self.plugin_version = model.version().cloned();
        self.digest = model.digest();
    }

    pub(super) fn set_tokens(&mut self, tokens: Tokens, is_estimate: bool) {
        self.input_tokens = tokens.input;
        self.output_tokens = tokens.output;
        self.cached_tokens = tokens.cached;
        self.is_estimate = is_estimate;
    }
}
