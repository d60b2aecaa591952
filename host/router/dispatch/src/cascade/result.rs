//! What came of a cascade.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Check;

/// How far an answer is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// It failed a check.
    Rejected,
    /// Nobody checked it.
    Unchecked,
    /// It passed every check.
    Verified,
}

/// Why a cascade was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CascadeEnd {
    /// An answer was good enough.
    Accepted,
    /// The strongest model's was not, either.
    LastRung,
    /// A stronger model would have cost more than is left.
    CostCap,
    /// A stronger model would have taken longer than is left.
    Deadline,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is passed.
    Pass,
    /// It is not, and why.
    Fail(String),
    /// A judge's score, in thousandths.
    Score(u16),
    /// The check could not be made, and why.
    Unavailable(String),
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Which.
    #[serde(flatten)]
    pub check: Check,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the answer passed.
    pub is_passed: bool,
}

/// One answer of a cascade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Position of the model in the plan.
    pub rung: usize,
    /// The answer; none where the model failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Arc<str>>,
    /// The share of samples that say the same, in thousandths, where there were several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agreement_permille: Option<u16>,
    /// Whether it corrects the one before.
    pub is_correction: bool,
    /// The checks that were made.
    pub checks: Vec<Checked>,
    /// How far it is to be trusted.
    pub trust: Trust,
    /// What it cost, with its checks.
    pub cost_micro: u64,
}

/// What came of a cascade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CascadeResult {
    /// The best answer: position among the tries; none where every model failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best: Option<usize>,
    /// Everything that was tried, in order.
    pub tries: Vec<Try>,
    /// Models that were left out, because they would have cost or taken too much.
    pub left_out: Vec<usize>,
    /// Why it was over.
    pub ended_by: CascadeEnd,
    /// What all of it cost.
    pub cost_micro: u64,
}

impl CascadeResult {
    /// The best answer and how far it is to be trusted.
    pub fn answer(&self) -> Option<(&Arc<str>, Trust)> {
        let best = self.tries.get(self.best?)?;
        Some((best.answer.as_ref()?, best.trust))
    }
}

impl Try {
    /// What decides which of several answers is the best: trust, then checks passed, then a judge's score, then the
    /// stronger model.
    pub(super) fn merit(&self) -> (Trust, usize, u16, u16, usize) {
        let passed = self.checks.iter().filter(|it| it.is_passed).count();
        let score = self.checks.iter().filter_map(|it| match it.verdict {
            Verdict::Score(score) => Some(score),
            _ => None,
        });
        (
            self.trust,
            passed,
            score.max().unwrap_or(0),
            self.agreement_permille.unwrap_or(0),
            self.rung,
        )
    }
}
