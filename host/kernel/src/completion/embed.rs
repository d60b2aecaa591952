//! Vectors of texts.
//!
//! To the rules it is a completion (`model.complete`) whose input says `"embeddings": true` and whose messages are the
//! texts: whatever keeps a text from a model keeps it from one that embeds it, too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_router::Wants;
use polity_runtime::Usage;
use polity_runtime::plugin::{self, Completion, Outcome};
use serde::Deserialize;
use uuid::Uuid;

use super::flight::Next;
use super::others::Others;
use super::run::{Prepared, Ready, within};
use super::{CompleteError, CompletionRequest, Message, TraceParent};
use crate::{Actor, Kernel};

/// Texts of one request.
const MAX_TEXTS: usize = 2048;

/// Texts of which vectors are wanted.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingRequest {
    /// A model, an alias, or `auto`.
    pub model: String,
    /// The texts.
    pub input: Vec<String>,
    /// What the model must be like.
    pub wants: Option<Wants>,
    /// Time until the vectors must be there.
    pub deadline: Option<Duration>,
    /// The span of a trace that it is part of.
    pub trace: Option<TraceParent>,
}

/// Vectors, and where they come from.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The decision that let it happen, for `explain`.
    pub decision_id: Uuid,
    /// The model's id.
    pub model: Arc<str>,
    /// The adapter.
    pub plugin: Arc<str>,
    /// Why this model, where it was not simply named.
    pub why: Option<Arc<str>>,
    /// One for each text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the texts, guessed.
    pub input_tokens: u64,
    /// What it cost.
    pub cost_micro: u64,
}

impl Kernel {
    /// Has texts turned into vectors, under the same rules and out of the same budgets as a completion.
    ///
    /// # Errors
    /// See [`CompleteError`].
    pub async fn embed(
        &self,
        actor: &Actor,
        request: EmbeddingRequest,
    ) -> Result<Embedded, CompleteError> {
        let EmbeddingRequest {
            model,
            input,
            wants,
            deadline,
            trace,
        } = request;
        if input.is_empty() || input.len() > MAX_TEXTS {
            return Err(CompleteError::Invalid(format!(
                "`input` has {} texts; send between 1 and {MAX_TEXTS}",
                input.len()
            )));
        }
        if let Some(empty) = input.iter().position(String::is_empty) {
            return Err(CompleteError::Invalid(format!(
                "the text at /input/{empty} is empty; leave it out"
            )));
        }
        let messages = input.iter().map(|text| Message::text("user", text));
        let mut wants = wants;
        if let Some(wants) = &mut wants {
            // Answers are kept, vectors are not.
            wants.cache = Some(false);
        }
        let request = CompletionRequest {
            wants,
            deadline,
            embeddings: true,
            trace,
            ..CompletionRequest::new(model, messages.collect())
        };
        let ready = match self.prepare_completion(actor, request, false, None).await? {
            Prepared::Ready(ready) => *ready,
            Prepared::Cached(_) => {
                return Err(CompleteError::Invalid("vectors are not kept".to_owned()));
            }
        };
        let Ready {
            mut running,
            wire,
            others_input,
            at_ms,
            deadline,
            ..
        } = ready;
        // As the rules left them.
        let texts = texts(&wire).map_err(CompleteError::Invalid)?;
        let others = Others {
            kernel: self,
            actor,
            input: &others_input,
            at_ms,
        };
        let (mut last, mut vectors) = (None, Vec::new());
        let called = loop {
            others.judge(&mut running).await;
            let (model, patience) = match running.next().await {
                Next::Call(model, patience) => (model, patience),
                Next::Nobody(why) => break last.unwrap_or(Err(why)),
            };
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let call = model.adapter.embed(&model.info.id, &texts, left);
            let called = within(patience, call).await.map(|found| {
                let bytes: usize = found.iter().map(|vector| 4 * vector.len()).sum();
                running.data(bytes as u64);
                vectors = found;
                ended()
            });
            if running.landed(&called) {
                break called;
            }
            last = Some(called);
        };
        let completed = running.end(called).await?;
        Ok(Embedded {
            decision_id: completed.decision_id,
            model: completed.model,
            plugin: completed.plugin,
            why: completed.why,
            vectors,
            input_tokens: completed.outcome.usage.input_tokens,
            cost_micro: completed.cost_micro,
        })
    }
}

/// No adapter says what vectors used, so it is guessed from the texts.
fn ended() -> Completion {
    Completion {
        outcome: Outcome {
            finish: "stop".to_owned(),
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
                cached_tokens: 0,
            },
        },
        pieces: Vec::new(),
    }
}

fn texts(request: &plugin::Request) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Body {
        content: String,
    }
    let text = |message: &plugin::Message| {
        serde_json::from_str(&message.content)
            .map(|Body { content }| content)
            .map_err(|error| format!("the rules left a text that is none: {error}"))
    };
    request.messages.iter().map(text).collect()
}
