//! One decision, step by step: read the request, see who may answer, weigh, choose, and see whether anything like it is
//! known.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::catalogue::{Ability, Model, Resolved};
use crate::decision::{BaseFrom, Candidate, Decision, GateFinding, Outcome, Quality};
use crate::eligibility::{Expected, broken};
use crate::learning::{Learned, Page, sketch};
use crate::live::{Live, Standing};
use crate::policy::Mode;
use crate::predictor::Prediction;
use crate::request::Request;
use crate::requirements::{Requirements, TaskFrom, question};
use crate::router::Setup;
use crate::text::Look;
use crate::thompson::{draw, probabilities, unit};

/// How sure a predictor must be of a task for it to count as the request's.
const SURE: f64 = 0.5;

/// The longest answer assumed where neither the request nor the model says: what a careful reservation assumes.
const LONGEST_ANSWER: u64 = 4096;

/// A request that is being decided on.
pub(crate) struct Deciding<'s> {
    setup: &'s Setup,
    needs: Requirements,
    look: Option<Look>,
    prediction: Option<Prediction<'s>>,
}

impl<'s> Deciding<'s> {
    /// Reads the request. This takes the most time, and no lock.
    pub(crate) fn new(setup: &'s Setup, request: &Request<'_>) -> Self {
        let predictor = setup.predictor.as_deref().filter(|_| !request.embeddings);
        let stated = request.wants.and_then(|wants| wants.task.as_deref());
        let look = predictor.map(|_| Look::at(question(request)));
        let prediction = predictor
            .zip(look.as_ref())
            .map(|(predictor, look)| predictor.predict_look(look, stated));
        let task = prediction
            .as_ref()
            .and_then(Prediction::likeliest)
            .filter(|(_, share)| *share >= SURE);
        let needs = Requirements::of(request, &setup.policy, task);
        Self {
            setup,
            needs,
            look,
            prediction,
        }
    }

    /// Decides with what was learned.
    pub(crate) fn decide(
        self,
        asked: &Resolved<'_>,
        live: &Live,
        learned: &Learned,
        now_ms: u64,
        seed: u64,
    ) -> Decision {
        let policy = &self.setup.policy;
        let page = learned.page(&self.needs.task, self.needs.wants.region.as_deref());
        let models = self.setup.catalogue.models();
        let mut candidates: Vec<Candidate> = match asked {
            Resolved::Auto | Resolved::Council(None) => (0..models.len())
                .map(|at| self.weigh(at, false, live, &page, now_ms))
                .collect(),
            Resolved::Model(at) => vec![self.weigh(*at, true, live, &page, now_ms)],
            Resolved::Alias(members) | Resolved::Council(Some(members)) => members
                .iter()
                .map(|at| self.weigh(*at, true, live, &page, now_ms))
                .collect(),
        };
        candidates.sort_unstable_by(rank);
        let may = candidates
            .iter()
            .take_while(|candidate| candidate.reasons.is_empty())
            .count();
        let shadow = (policy.mode == Mode::Shadow)
            .then(|| with_learning(&candidates[..may]))
            .flatten();

        let chosen = self.choose(&mut candidates[..may], learned, now_ms, seed);
        let gate = self.gate(asked, learned);
        let unknown = gate.as_ref().is_some_and(|gate| gate.unknown)
            || self.too_little(asked, learned, now_ms);
        let (outcome, explored) = match (chosen, asked) {
            (None, _) => (Outcome::Nobody, false),
            (Some(_), Resolved::Council(_)) => {
                let members = candidates[..may]
                    .iter()
                    .map(|candidate| candidate.model.clone())
                    .collect();
                let name = self.needs.asked.clone();
                (Outcome::Council { name, members }, false)
            }
            // The guess is the best there is, not an experiment: a person is going to look at it.
            (Some(_), _) if unknown => {
                let guess = candidates[0].model.clone();
                (Outcome::Person { guess }, false)
            }
            (Some(chosen), _) => {
                let candidate = &candidates[chosen];
                let outcome = Outcome::Model {
                    model: candidate.model.clone(),
                    propensity: candidate.probability,
                };
                (outcome, chosen > 0)
            }
        };
        let explored_cost = match chosen {
            Some(chosen) if explored => candidates[chosen].cost.saturating_sub(candidates[0].cost),
            _ => 0,
        };
        Decision {
            at_ms: now_ms,
            seed,
            mode: policy.mode,
            requirements: self.needs,
            outcome,
            candidates,
            explored,
            explored_cost,
            shadow,
            gate,
            predictor: self.setup.digest.clone(),
        }
    }

    /// What speaks for and against one model.
    fn weigh(
        &self,
        at: usize,
        named: bool,
        live: &Live,
        page: &Page<'_>,
        now_ms: u64,
    ) -> Candidate {
        let policy = &self.setup.policy;
        let model = &self.setup.catalogue.models()[at];
        // A model without a place, the 4,097th, shares that of no other.
        let slot = self.setup.slots[at].unwrap_or(usize::MAX);
        let belief = page.belief(slot, now_ms, &policy.learning);
        let standing = live.of(&model.key);
        let output_tokens = self.output_tokens(model, belief.output_tokens);
        let input = self.needs.input_tokens;
        let price = model.price.unwrap_or(self.setup.dearest);
        let cost = price.of(input, 0, output_tokens);
        let most_cost = price.of(input, 0, self.most_output_tokens(model));
        let latency_ms = latency(model, standing, belief.latency_ms, output_tokens);
        let (base, from) = self.base(at, model);
        let mut quality = Quality {
            base,
            from,
            learned: belief.offset,
            deviation: belief.deviation,
            feedback: belief.feedback,
            expected: base,
        };
        if policy.mode == Mode::On {
            quality.expected = with_offset(&quality);
        }
        let cost_term = policy.cost_weight * cost as f64 / 1e6;
        let latency_term = policy.latency_weight * latency_ms.unwrap_or(0) as f64 / 1e3;
        let expected = Expected {
            output_tokens,
            most_cost,
            latency_ms,
            quality: quality.expected,
            named,
        };
        Candidate {
            model: model.key.clone(),
            reasons: broken(model, &self.needs, &expected, standing, now_ms),
            output_tokens,
            price_known: model.price.is_some(),
            cost,
            most_cost,
            latency_ms,
            cost_term,
            latency_term,
            utility: quality.expected - cost_term - latency_term,
            quality,
            probability: 0.0,
        }
    }

    /// The score that is expected before any feedback.
    fn base(&self, at: usize, model: &Model) -> (f64, BaseFrom) {
        let predicted = self.prediction.as_ref().zip(self.setup.predicted[at]);
        if let Some((prediction, place)) = predicted {
            return (f64::from(prediction.quality[place]), BaseFrom::Text);
        }
        match model.prior(&self.needs.task) {
            Some(prior) => (prior, BaseFrom::Prior),
            None => (self.setup.policy.default_quality, BaseFrom::Default),
        }
    }

    fn output_tokens(&self, model: &Model, measured: Option<f64>) -> u64 {
        if self.needs.abilities.has(Ability::Embeddings) {
            return 0;
        }
        let usual = measured.map_or(
            u64::from(self.setup.policy.assumed_output_tokens),
            |tokens| tokens as u64,
        );
        let limits = [self.needs.max_output_tokens, model.max_output_tokens];
        limits
            .into_iter()
            .flatten()
            .fold(usual, |tokens, limit| tokens.min(limit.into()))
    }

    fn most_output_tokens(&self, model: &Model) -> u64 {
        if self.needs.abilities.has(Ability::Embeddings) {
            return 0;
        }
        match (self.needs.max_output_tokens, model.max_output_tokens) {
            (Some(wanted), Some(most)) => wanted.min(most).into(),
            (Some(tokens), None) | (None, Some(tokens)) => tokens.into(),
            (None, None) => LONGEST_ANSWER,
        }
    }

    /// Sets each probability and draws. Candidates are those that may answer, best first.
    fn choose(
        &self,
        candidates: &mut [Candidate],
        learned: &Learned,
        now_ms: u64,
        seed: u64,
    ) -> Option<usize> {
        let policy = &self.setup.policy;
        let best_cost = candidates.first()?.cost;
        candidates[0].probability = 1.0;
        let share = if policy.mode == Mode::On {
            policy.exploration.share
        } else {
            0.0
        };
        if share <= 0.0 || candidates.len() == 1 {
            return Some(0);
        }
        // Nobody is tried who would cost more than what is left for trying.
        let left = learned.pool.left(now_ms, policy.exploration.day_budget);
        let tried: Vec<usize> = (0..candidates.len())
            .filter(|at| candidates[*at].cost.saturating_sub(best_cost) <= left)
            .collect();
        let beliefs: Vec<(f64, f64)> = tried
            .iter()
            .map(|at| (candidates[*at].utility, candidates[*at].quality.deviation))
            .collect();
        candidates[0].probability = 1.0 - share;
        for (at, probability) in tried.into_iter().zip(probabilities(&beliefs)) {
            candidates[at].probability += share * probability;
        }
        let chances: Vec<f64> = candidates
            .iter()
            .map(|candidate| candidate.probability)
            .collect();
        draw(&chances, unit(seed))
    }

    /// Whether anything like the request is known. A model that is asked for by name is asked, whatever for.
    fn gate(&self, asked: &Resolved<'_>, learned: &Learned) -> Option<GateFinding> {
        if matches!(asked, Resolved::Model(_)) {
            return None;
        }
        let threshold = self.setup.strange_from?;
        let (prediction, predictor) = self
            .prediction
            .as_ref()
            .zip(self.setup.predictor.as_ref())?;
        let score = prediction.strangeness.score;
        let mut finding = GateFinding {
            unknown: score > threshold,
            strangeness: f64::from(score),
            threshold: f64::from(threshold),
            share: predictor.familiar().share_at_least(score),
            nearest_task: predictor
                .tasks()
                .get(prediction.strangeness.nearest)?
                .clone(),
            nearest: None,
            sketch: Vec::new(),
        };
        if let (true, Some(look)) = (finding.unknown, &self.look) {
            finding.sketch = sketch(&look.words);
            if let Some((nearest, is_like)) = learned.known.nearest(&finding.sketch) {
                finding.unknown = !is_like;
                finding.nearest = Some(nearest);
            }
        }
        Some(finding)
    }

    /// Whether the task lacks feedback, where no predictor can say how strange the request is.
    fn too_little(&self, asked: &Resolved<'_>, learned: &Learned, now_ms: u64) -> bool {
        let policy = &self.setup.policy;
        policy.gate.enabled
            && policy.gate.least_feedback > 0.0
            && self.prediction.is_none()
            && !matches!(asked, Resolved::Model(_))
            && self.needs.task_from != TaskFrom::Caller
            && learned.feedback_of(&self.needs.task, now_ms, &policy.learning)
                < policy.gate.least_feedback
    }
}

/// Those that may answer first; then the better; then the cheaper; then by name, so that the order is always the same.
fn rank(a: &Candidate, b: &Candidate) -> Ordering {
    let by_worth = || {
        b.utility
            .total_cmp(&a.utility)
            .then_with(|| a.cost.cmp(&b.cost))
    };
    (!a.reasons.is_empty())
        .cmp(&!b.reasons.is_empty())
        .then_with(by_worth)
        .then_with(|| a.model.cmp(&b.model))
}

fn with_offset(quality: &Quality) -> f64 {
    (quality.base + quality.learned).clamp(0.0, 1.0)
}

/// Who would be best with what was learned.
fn with_learning(candidates: &[Candidate]) -> Option<Arc<str>> {
    let worth = |candidate: &Candidate| {
        with_offset(&candidate.quality) - candidate.cost_term - candidate.latency_term
    };
    let best = candidates.iter().max_by(|a, b| {
        worth(a)
            .total_cmp(&worth(b))
            .then_with(|| b.model.cmp(&a.model))
    });
    best.map(|candidate| candidate.model.clone())
}

/// Milliseconds until an answer is whole: as it is measured outside, as it was learned, or as the company says.
fn latency(
    model: &Model,
    standing: Option<&Standing>,
    learned: Option<f64>,
    output_tokens: u64,
) -> Option<u64> {
    standing
        .and_then(|standing| standing.latency_ms)
        .or_else(|| learned.map(|ms| ms as u64))
        .or_else(|| {
            model.latency.map(|prior| {
                let tokens = output_tokens.saturating_mul(u64::from(prior.token_us)) / 1000;
                u64::from(prior.first_token_ms).saturating_add(tokens)
            })
        })
}
