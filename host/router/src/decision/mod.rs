//! What was decided and everything that it was decided on: enough to explain it, to learn from it and to check it again.

mod table;
mod why;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::learning::{Feedback, Lesson, Nearest};
use crate::policy::Mode;
use crate::predictor::Row;
use crate::reason::Reason;
use crate::requirements::Requirements;

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What chance was drawn from.
    pub seed: u64,
    /// How far learning went.
    pub mode: Mode,
    /// What the request needs.
    pub requirements: Requirements,
    /// What comes of it.
    pub outcome: Outcome,
    /// Every model that was asked for; those that may answer first, best first.
    pub candidates: Vec<Candidate>,
    /// True where another than the best-looking was chosen, to learn.
    pub explored: bool,
    /// What the exploration costs more than the best-looking would, in micro-units.
    pub explored_cost: u64,
    /// Under [`Mode::Shadow`], who would have been chosen with what was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Arc<str>>,
    /// How strange the request is; nothing where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateFinding>,
    /// The digest of the predictor that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictor: Option<Arc<str>>,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// A model answers.
    Model {
        /// Its key.
        model: Arc<str>,
        /// The probability with which it was chosen.
        propensity: f64,
    },
    /// Several models answer together.
    Council {
        /// The council's name.
        name: Arc<str>,
        /// Keys of those that may take part, best first.
        members: Vec<Arc<str>>,
    },
    /// A person answers: nothing like the request is known.
    Person {
        /// The key of the model that would have been chosen.
        guess: Arc<str>,
    },
    /// Nobody may answer; each candidate has its reasons.
    Nobody,
}

/// One model, and what speaks for and against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its key.
    pub model: Arc<str>,
    /// Why it may not answer; none if it may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is expected of its answer.
    pub quality: Quality,
    /// Tokens of the answer that are expected.
    pub output_tokens: u64,
    /// Whether anybody knows what it costs; if not, it is taken to cost as much as the dearest.
    pub price_known: bool,
    /// What the request is expected to cost, in micro-units.
    pub cost: u64,
    /// The most that it may cost, in micro-units.
    pub most_cost: u64,
    /// Milliseconds that are expected, if anybody knows.
    pub latency_ms: Option<u64>,
    /// Taken off for the cost.
    pub cost_term: f64,
    /// Taken off for the time.
    pub latency_term: f64,
    /// What remains: the expected score less both terms.
    pub utility: f64,
    /// The probability with which it is chosen.
    pub probability: f64,
}

/// What is expected of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Before feedback.
    pub base: f64,
    /// Where that comes from.
    pub from: BaseFrom,
    /// What feedback adds to it.
    pub learned: f64,
    /// How sure that is.
    pub deviation: f64,
    /// Feedback on the task.
    pub feedback: f64,
    /// What counts: with what was learned, if the mode says so.
    pub expected: f64,
}

/// Where an expectation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseFrom {
    /// The predictor read the text.
    Text,
    /// The company's priors.
    Prior,
    /// Nobody said anything.
    Default,
}

/// How strange a request is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateFinding {
    /// Whether nothing like it is known.
    pub unknown: bool,
    /// How strange it is, in deviations from the typical.
    pub strangeness: f64,
    /// The most that is still known.
    pub threshold: f64,
    /// The share of known requests that are at least as strange.
    pub share: f64,
    /// The known task it is most like.
    pub nearest_task: Arc<str>,
    /// The settled request it is most like, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// Hashed words, to know its like once it is settled; only of what is strange.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sketch: Vec<(u16, f32)>,
}

impl Decision {
    /// The model that answers, or the one that would have.
    pub fn model(&self) -> Option<&Arc<str>> {
        match &self.outcome {
            Outcome::Model { model, .. } => Some(model),
            Outcome::Person { guess } => Some(guess),
            Outcome::Council { members, .. } => members.first(),
            Outcome::Nobody => None,
        }
    }

    /// The candidate of a key.
    pub fn candidate(&self, model: &str) -> Option<&Candidate> {
        self.candidates
            .iter()
            .find(|candidate| &*candidate.model == model)
    }

    /// Candidates that may answer, best first.
    pub fn eligible(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .filter(|candidate| candidate.reasons.is_empty())
    }

    /// What feedback on the decision teaches; nothing where it concerns no candidate.
    pub fn lesson(&self, feedback: &Feedback) -> Option<Lesson> {
        let model = feedback.model.as_ref().or(self.model())?;
        let candidate = self.candidate(model)?;
        let quality = feedback.quality();
        let settled = feedback.settled_by_person.as_ref();
        Some(Lesson {
            model: candidate.model.clone(),
            task: settled
                .and_then(|settled| settled.task.clone())
                .unwrap_or_else(|| self.requirements.task.clone()),
            region: self.requirements.wants.region.as_deref().map(Into::into),
            residual: quality.map(|(score, _)| score - candidate.quality.base),
            weight: quality.map_or(0.0, |(_, weight)| weight),
            output_tokens: feedback.output_tokens,
            latency_ms: feedback.latency_ms,
        })
    }

    /// A row to train a predictor with, where the feedback says how good the answer was.
    pub fn row(&self, prompt: &str, feedback: &Feedback) -> Option<Row> {
        let lesson = self.lesson(feedback)?;
        let (score, _) = feedback.quality()?;
        Some(Row {
            prompt: prompt.to_owned(),
            score: [(lesson.model.to_string(), score)].into(),
            task: Some(lesson.task.to_string()),
        })
    }
}
