//! Who is asked in turn, and what their answers have to pass.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Candidate, Compare};

/// One check of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "check")]
pub enum Check {
    /// The model is asked several times, and so large a share has to say the same.
    SelfConsistency {
        /// How often it is asked.
        samples: u8,
        /// The share, in thousandths. A sample that failed agrees with nobody.
        at_least_permille: u16,
    },
    /// The answer satisfies the schema of the request.
    Schema,
    /// A rule of the constitution lets it pass.
    Rule {
        /// The rule's binding.
        name: Arc<str>,
    },
    /// A model scores it.
    Judge {
        /// The model.
        model: Arc<str>,
        /// The score, in thousandths, that it needs.
        at_least_permille: u16,
        /// The most that judging should cost.
        #[serde(default)]
        estimate_micro: u64,
    },
}

/// One model of a cascade, and what its answer has to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The model.
    pub candidate: Candidate,
    /// The checks; all have to be passed. The cheapest come first, whatever their order here. None: the answer is taken
    /// as it is.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// How often the model may correct an answer that a schema or a rule rejected, before a stronger one is asked.
    #[serde(default)]
    pub corrections: u8,
}

/// What it means that a check could not be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unchecked {
    /// The answer has not passed.
    #[default]
    Rejects,
    /// The answer is taken, and the result says that it was not checked.
    Accepts,
}

/// A cascade: the cheap model first, the strong one last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CascadePlan {
    /// The models, in the order in which they are asked.
    pub rungs: Vec<Rung>,
    /// When everything has to be over.
    pub deadline_ms: u64,
    /// The most that answers and checks may cost together.
    #[serde(default)]
    pub max_cost_micro: Option<u64>,
    /// When two samples say the same.
    #[serde(default)]
    pub compare: Compare,
    /// What it means that a check could not be made.
    #[serde(default)]
    pub unchecked: Unchecked,
}

impl Check {
    /// Cheap checks first: a judge is not paid for what a schema rejects.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::SelfConsistency { .. } => 0,
            Self::Schema => 1,
            Self::Rule { .. } => 2,
            Self::Judge { .. } => 3,
        }
    }
}

impl Rung {
    /// How often its model is asked, and how large a share has to agree.
    pub(super) fn samples(&self) -> (u32, u16) {
        self.checks
            .iter()
            .find_map(|check| match check {
                Check::SelfConsistency {
                    samples,
                    at_least_permille,
                } => Some((u32::from(*samples).max(1), *at_least_permille)),
                _ => None,
            })
            .unwrap_or((1, 0))
    }

    /// The checks of one answer, cheapest first.
    pub(super) fn checks_in_order(&self) -> Vec<Check> {
        let mut checks: Vec<_> = self
            .checks
            .iter()
            .filter(|check| !matches!(check, Check::SelfConsistency { .. }))
            .cloned()
            .collect();
        checks.sort_by_key(Check::rank);
        checks
    }

    /// What asking it may cost.
    pub(super) fn estimate_micro(&self) -> u64 {
        let (samples, _) = self.samples();
        self.candidate.estimate_micro.saturating_mul(samples.into())
    }
}
