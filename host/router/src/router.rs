//! The whole: a request, what is available, the time and a seed in; a decision out.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use crate::catalogue::{Catalogue, Price, UnknownModel};
use crate::decide::Deciding;
use crate::decision::Decision;
use crate::learning::{Exemplar, Feedback, Learned, Lesson, State, StateError};
use crate::live::Live;
use crate::policy::{Policy, PolicyError};
use crate::predictor::Predictor;
use crate::request::{Request, WantsError};

/// Models that something may be learned of. Names come from adapters, which come and go.
const MOST_SLOTS: usize = 4096;

/// Chooses models.
///
/// Catalogue, policy and predictor are one immutable snapshot behind an [`ArcSwap`]: a decision works on one snapshot
/// from beginning to end, and replacing it waits for nobody. What was learned is behind a reader-writer lock: decisions
/// share it and hold it for a few microseconds, a lesson holds it alone for less than one. So decisions run
/// concurrently, and one decision never sees half a lesson.
#[derive(Debug)]
pub struct Router {
    setup: ArcSwap<Setup>,
    learned: RwLock<Learned>,
    /// Held while the setup is replaced, so that two who replace different parts do not undo each other.
    slots: Mutex<Slots>,
}

/// What decisions are made with, beside what was learned.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) catalogue: Catalogue,
    pub(crate) policy: Policy,
    pub(crate) predictor: Option<Arc<Predictor>>,
    /// By model of the catalogue: where what was learned of it is kept.
    pub(crate) slots: Vec<Option<usize>>,
    /// By model of the catalogue: its place in the predictor.
    pub(crate) predicted: Vec<Option<usize>>,
    /// What a model is taken to cost whose price nobody knows: as much as the dearest. Taken for free, it would be
    /// chosen before all others.
    pub(crate) dearest: Price,
    /// The strangeness from which on the policy takes a request for unlike everything known; nothing where the gate is
    /// off or nobody can tell.
    pub(crate) strange_from: Option<f32>,
    /// The predictor's digest.
    pub(crate) digest: Option<Arc<str>>,
}

/// Places of models in what was learned. A place is given once and kept while the router lives: a model that comes back
/// finds what was learned of it.
#[derive(Debug, Default)]
struct Slots {
    of: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
}

/// Why a request cannot be decided on at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// The model it names does not exist.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// It wants what makes no sense.
    #[error(transparent)]
    Wants(#[from] WantsError),
}

impl Router {
    /// A router that has learned nothing.
    ///
    /// # Errors
    /// Where a number of the policy makes no sense.
    pub fn new(catalogue: Catalogue, policy: Policy) -> Result<Self, PolicyError> {
        policy.check()?;
        let mut slots = Slots::default();
        Ok(Self {
            setup: ArcSwap::from_pointee(Setup::new(catalogue, policy, None, &mut slots)),
            learned: RwLock::default(),
            slots: Mutex::new(slots),
        })
    }

    /// Replaces the catalogue. Decisions that have begun finish on the old one.
    pub fn set_catalogue(&self, catalogue: Catalogue) {
        self.replace(|old, slots| {
            Setup::new(catalogue, old.policy.clone(), old.predictor.clone(), slots)
        });
    }

    /// Replaces the policy.
    ///
    /// # Errors
    /// Where a number of it makes no sense; the old one stays.
    pub fn set_policy(&self, policy: Policy) -> Result<(), PolicyError> {
        policy.check()?;
        self.replace(|old, slots| {
            Setup::new(old.catalogue.clone(), policy, old.predictor.clone(), slots)
        });
        Ok(())
    }

    /// Replaces the predictor, or takes it away. What was learned is about differences from the old one's predictions;
    /// it stays, and fades as feedback on the new one's comes in.
    pub fn set_predictor(&self, predictor: Option<Arc<Predictor>>) {
        self.replace(|old, slots| {
            Setup::new(old.catalogue.clone(), old.policy.clone(), predictor, slots)
        });
    }

    /// What there is to choose from.
    pub fn with_catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.setup.load().catalogue)
    }

    /// Decides who answers. The same catalogue, policy, predictor, state, request, availability, time and seed give the
    /// same decision.
    ///
    /// # Errors
    /// Where the request names no model there is, or wants what makes no sense. That nobody may answer is a decision,
    /// not an error.
    pub fn decide(
        &self,
        request: &Request<'_>,
        live: &Live,
        now_ms: u64,
        seed: u64,
    ) -> Result<Decision, DecideError> {
        if let Some(wants) = request.wants {
            wants.check()?;
        }
        let setup = self.setup.load();
        let asked = setup.catalogue.resolve(request.model)?;
        let deciding = Deciding::new(&setup, request);
        let decision = {
            let learned = self.learned.read();
            deciding.decide(&asked, live, &learned, now_ms, seed)
        };
        if decision.explored_cost > 0 {
            let budget = setup.policy.exploration.day_budget;
            self.learned
                .write()
                .pool
                .spend(decision.explored_cost, now_ms, budget);
        }
        Ok(decision)
    }

    /// Takes feedback on a decision, and returns what it teaches, to be kept. Feedback may come in pieces; each is a
    /// lesson of its own.
    pub fn learn(&self, decision: &Decision, feedback: &Feedback, now_ms: u64) -> Option<Lesson> {
        if let (Some(settled), Some(gate)) = (&feedback.settled_by_person, &decision.gate)
            && !gate.sketch.is_empty()
        {
            let task = settled
                .task
                .clone()
                .unwrap_or_else(|| decision.requirements.task.clone());
            let exemplar = Exemplar::new(settled.label.clone(), task, gate.sketch.clone());
            self.learned.write().known.add(exemplar);
        }
        let lesson = decision.lesson(feedback)?;
        self.take(&lesson, now_ms);
        Some(lesson)
    }

    /// Takes a lesson that was kept.
    pub fn take(&self, lesson: &Lesson, now_ms: u64) {
        let slot = self.slots.lock().of(&lesson.model);
        if let Some(slot) = slot {
            let learning = self.setup.load().policy.learning;
            self.learned.write().take(slot, lesson, now_ms, &learning);
        }
    }

    /// What was learned, to be kept.
    pub fn state(&self) -> State {
        let names = self.slots.lock().names.clone();
        self.learned.read().state(&names)
    }

    /// Takes up what was kept, in place of what was learned since.
    ///
    /// # Errors
    /// Where it was kept by another version or makes no sense; what was learned stays.
    pub fn restore(&self, state: &State) -> Result<(), StateError> {
        let learned = {
            let mut slots = self.slots.lock();
            Learned::of(state, |model| slots.of(model))?
        };
        *self.learned.write() = learned;
        Ok(())
    }

    fn replace(&self, make: impl FnOnce(&Setup, &mut Slots) -> Setup) {
        let mut slots = self.slots.lock();
        let setup = make(&self.setup.load(), &mut slots);
        self.setup.store(Arc::new(setup));
    }
}

impl Setup {
    fn new(
        catalogue: Catalogue,
        policy: Policy,
        predictor: Option<Arc<Predictor>>,
        slots: &mut Slots,
    ) -> Self {
        let models = catalogue.models();
        let place = |name: &str| {
            predictor
                .as_ref()
                .and_then(|predictor| predictor.model_index(name))
        };
        Self {
            slots: models.iter().map(|model| slots.of(&model.key)).collect(),
            // A predictor may know models by their keys or by their ids.
            predicted: models
                .iter()
                .map(|model| place(&model.key).or_else(|| place(&model.id)))
                .collect(),
            dearest: Price {
                input: models
                    .iter()
                    .filter_map(|model| model.price)
                    .map(|price| price.input)
                    .max()
                    .unwrap_or(0),
                output: models
                    .iter()
                    .filter_map(|model| model.price)
                    .map(|price| price.output)
                    .max()
                    .unwrap_or(0),
                cached: None,
            },
            strange_from: predictor
                .as_ref()
                .filter(|_| policy.gate.enabled)
                .and_then(|predictor| predictor.familiar().threshold(policy.gate.false_alarms)),
            digest: predictor
                .as_ref()
                .map(|predictor| predictor.digest().into()),
            catalogue,
            policy,
            predictor,
        }
    }
}

impl Slots {
    fn of(&mut self, model: &Arc<str>) -> Option<usize> {
        if let Some(slot) = self.of.get(model) {
            return Some(*slot);
        }
        if self.names.len() >= MOST_SLOTS {
            return None;
        }
        self.names.push(model.clone());
        self.of.insert(model.clone(), self.names.len() - 1);
        Some(self.names.len() - 1)
    }
}
