//! Which model answers: the one that is named, or the one that the router chooses.

use std::sync::Arc;
use std::time::Instant;

use polity_router::{Catalogue, DecideError, Decision, Live, Outcome, Request, WantsError};
use polity_runtime::registry::Runtime;
use serde::{Deserialize, Serialize};

use super::prompt::Prompt;
use super::{ModelEntry, Models};
use crate::completion::CompletionRequest;
use crate::near::near;

/// Candidates that a record keeps: whoever may answer comes first, and nobody reads further.
const MAX_CANDIDATES: usize = 24;

/// Models that may be asked in another's place.
const MAX_OTHERS: usize = 7;

/// Why a model was chosen, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    /// In one sentence.
    pub why: String,
    /// Candidates that were left out of the record, the least of them.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub omitted: usize,
    /// Everything that was weighed, the seed included.
    pub decision: Decision,
}

/// Who answers.
pub(crate) struct Chosen {
    pub(crate) model: Arc<ModelEntry>,
    /// Who may answer in its place, best first.
    pub(crate) others: Vec<Arc<ModelEntry>>,
    /// None where the model was named and nothing had to be weighed.
    pub(crate) routing: Option<Box<Routing>>,
}

/// What the router is asked.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'c> {
    pub(crate) request: &'c CompletionRequest,
    pub(crate) stream: bool,
    pub(crate) at_ms: u64,
    pub(crate) seed: u64,
}

/// Why nobody was chosen.
pub(crate) enum ChooseError {
    /// Nothing has the name.
    Unknown { near: Vec<String> },
    /// What is wanted makes no sense.
    Wants(WantsError),
    /// Nobody may answer; the decision says for each why not.
    Nobody(Box<Decision>),
    /// Several models are to answer together.
    Council,
}

impl Chosen {
    /// Why, for a header.
    pub(crate) fn why(&self) -> Option<&str> {
        self.routing.as_ref().map(|routing| &*routing.why)
    }

    /// Whether nothing like the request is known, so that a person decides.
    pub(crate) fn is_strange(&self) -> bool {
        self.routing
            .as_ref()
            .is_some_and(|routing| routing.is_strange())
    }
}

impl Routing {
    pub(crate) fn new(mut decision: Decision) -> Self {
        let why = decision.why();
        let chosen = decision.model().cloned();
        let all = decision.candidates.len();
        let mut kept = 0;
        decision.candidates.retain(|candidate| {
            kept += 1;
            kept <= MAX_CANDIDATES || Some(&candidate.model) == chosen.as_ref()
        });
        Self {
            why,
            omitted: all - decision.candidates.len(),
            decision,
        }
    }

    /// Whether nothing like the request is known, so that a person decides.
    pub fn is_strange(&self) -> bool {
        matches!(self.decision.outcome, Outcome::Person { .. })
    }
}

impl Models {
    /// Who answers a request. A model that is named by its id, or by its plugin's name and its id with a slash between,
    /// answers without further looking, unless the company or the caller puts conditions. Where several adapters have an
    /// id, the first by the adapter's name answers.
    ///
    /// Adapters are asked for their lists only if the name is not known or one has never been asked, and not again
    /// within half a minute.
    pub(crate) async fn choose(
        &self,
        runtime: &Runtime,
        choice: Choice<'_>,
    ) -> Result<Chosen, ChooseError> {
        let index = self.current(&runtime.current());
        let name = &*choice.request.model;
        let named = index.find(name).filter(|_| !index.is_alias(name));
        // Vectors are asked of few models, so it is always looked whether the named one has them.
        let is_simple = |model: &Arc<ModelEntry>| {
            choice.request.wants.is_none() && model.is_free && !choice.request.embeddings
        };
        if let Some(model) = named.filter(is_simple) {
            return Ok(Chosen {
                model,
                others: Vec::new(),
                routing: None,
            });
        }
        let decision = self.decide(runtime, choice).await?;
        self.seat(runtime, decision)
    }

    /// What the router says, whether or not it has to be asked.
    pub(crate) async fn decide(
        &self,
        runtime: &Runtime,
        choice: Choice<'_>,
    ) -> Result<Decision, ChooseError> {
        let name = &*choice.request.model;
        if !(self.current(&runtime.current()).is_complete && self.is_known(name)) {
            self.refresh(runtime).await;
        }
        self.weigh(choice).map_err(|error| match error {
            DecideError::UnknownModel(_) => {
                let index = self.current(&runtime.current());
                let names: Vec<&str> = index.names().chain(index.aliases()).collect();
                ChooseError::Unknown {
                    near: near(name, names),
                }
            }
            DecideError::Wants(error) => ChooseError::Wants(error),
        })
    }

    /// Asks the router.
    fn weigh(&self, choice: Choice<'_>) -> Result<Decision, DecideError> {
        let started = Instant::now();
        let request = choice.request;
        let prompt = Prompt::read(request);
        let texts = prompt.texts();
        let asked = Request {
            model: &request.model,
            texts: &texts,
            images: prompt.images,
            tools: prompt.tools,
            json_schema: request.response_schema.is_some(),
            stream: choice.stream,
            embeddings: request.embeddings,
            other_bytes: prompt.other_bytes,
            max_output_tokens: request.max_output_tokens,
            wants: request.wants.as_ref(),
        };
        let live = Live::all_available();
        let decision = self.router.decide(&asked, &live, choice.at_ms, choice.seed);
        let took_us = started.elapsed().as_micros();
        let took_us = u64::try_from(took_us).unwrap_or(u64::MAX);
        self.decided.lock().observe(took_us);
        decision
    }

    /// Finds the adapters of those whom the router chose.
    fn seat(&self, runtime: &Runtime, decision: Decision) -> Result<Chosen, ChooseError> {
        let key = match &decision.outcome {
            Outcome::Nobody => return Err(ChooseError::Nobody(Box::new(decision))),
            Outcome::Council { .. } => return Err(ChooseError::Council),
            Outcome::Model { model, .. } => model.clone(),
            Outcome::Person { guess } => guess.clone(),
        };
        let index = self.current(&runtime.current());
        let Some(model) = index.of_key(&key) else {
            // Its adapter went while the router thought.
            return Err(ChooseError::Unknown { near: Vec::new() });
        };
        let others = decision
            .eligible()
            .filter(|candidate| candidate.model != key)
            .filter_map(|candidate| index.of_key(&candidate.model))
            .take(MAX_OTHERS)
            .collect();
        Ok(Chosen {
            model,
            others,
            routing: Some(Box::new(Routing::new(decision))),
        })
    }

    fn is_known(&self, name: &str) -> bool {
        self.router
            .with_catalogue(|catalogue: &Catalogue| catalogue.resolve(name).is_ok())
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
