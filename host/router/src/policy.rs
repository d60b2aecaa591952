//! What the company wants of its router.

use serde::{Deserialize, Serialize};

/// How far the router goes with what it learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Feedback is kept; choices come from priors and the predictor alone.
    #[default]
    Observe,
    /// As `observe`, and each decision says what would have been chosen with what was learned.
    Shadow,
    /// Choices come from what was learned, and some requests explore.
    On,
}

/// What happens with requests that contain personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonalData {
    /// They are answered by local models only.
    #[default]
    LocalOnly,
    /// They are treated as any other; a rule of the constitution may say more.
    Anywhere,
}

/// How requests are routed. Every field has a default, and the defaults suit a company that has set nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How far learning goes.
    pub mode: Mode,
    /// Quality given up to save one unit of the currency on one request: at 10, an answer that is a hundredth of a unit
    /// dearer must be a tenth better.
    pub cost_weight: f64,
    /// Quality given up to save one second on one request.
    pub latency_weight: f64,
    /// What happens with personal data.
    pub personal_data: PersonalData,
    /// Score expected of a model of which nothing is known.
    pub default_quality: f64,
    /// Length of answers where nothing is known of them.
    pub assumed_output_tokens: u32,
    /// How choices explore.
    pub exploration: Exploration,
    /// When a request goes to a person because nothing like it is known.
    pub gate: Gate,
    /// How feedback is weighed.
    pub learning: Learning,
}

/// How much exploration may cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exploration {
    /// The share of requests that may go to another model than the one that looks best, 0 to 1.
    pub share: f64,
    /// What exploring may cost more than not exploring, in micro-units within a day. When it is used up, choices stop
    /// exploring until it has come back.
    pub day_budget: u64,
}

/// When nothing like a request is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Whether such requests go to a person at all.
    pub enabled: bool,
    /// The share of requests of known kinds that may be taken for unknown.
    pub false_alarms: f64,
    /// Feedback that a task must have for its requests to be routed, where no predictor can tell; 0 to route all.
    pub least_feedback: f64,
}

/// How feedback is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// Requests that are remembered of a model: older ones fade.
    pub window: f64,
    /// Milliseconds after which feedback counts half.
    pub half_life_ms: u64,
    /// Feedback that a prior is worth.
    pub prior: f64,
    /// Feedback that what is known of all tasks is worth for one task.
    pub across_tasks: f64,
    /// Feedback that what is known of all regions is worth for one region.
    pub across_regions: f64,
    /// Deviation of scores where it is not known.
    pub deviation: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            cost_weight: 10.0,
            latency_weight: 0.01,
            personal_data: PersonalData::default(),
            default_quality: 0.5,
            assumed_output_tokens: 400,
            exploration: Exploration::default(),
            gate: Gate::default(),
            learning: Learning::default(),
        }
    }
}

impl Default for Exploration {
    fn default() -> Self {
        Self {
            share: 0.1,
            day_budget: 1_000_000,
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            enabled: true,
            false_alarms: 0.05,
            least_feedback: 0.0,
        }
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            window: 200.0,
            half_life_ms: 14 * 86_400_000,
            prior: 8.0,
            across_tasks: 12.0,
            across_regions: 24.0,
            deviation: 0.4,
        }
    }
}

/// A number that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{field}` is {value}; it must be a number {expected}")]
pub struct PolicyError {
    /// Its path.
    pub field: &'static str,
    /// What it is.
    pub value: f64,
    /// What it must be.
    pub expected: &'static str,
}

impl Policy {
    /// Checks every number.
    ///
    /// # Errors
    /// With the first that makes no sense.
    pub fn check(&self) -> Result<(), PolicyError> {
        let shares = [
            ("default_quality", self.default_quality),
            ("exploration.share", self.exploration.share),
            ("gate.false_alarms", self.gate.false_alarms),
        ];
        let amounts = [
            ("cost_weight", self.cost_weight),
            ("latency_weight", self.latency_weight),
            ("gate.least_feedback", self.gate.least_feedback),
        ];
        let sizes = [
            ("learning.prior", self.learning.prior),
            ("learning.across_tasks", self.learning.across_tasks),
            ("learning.across_regions", self.learning.across_regions),
            ("learning.deviation", self.learning.deviation),
        ];
        let check = |list: &[(&'static str, f64)], expected, is_right: fn(f64) -> bool| {
            let wrong = list.iter().find(|(_, value)| !is_right(*value));
            wrong.map_or(Ok(()), |&(field, value)| {
                Err(PolicyError {
                    field,
                    value,
                    expected,
                })
            })
        };
        check(&shares, "from 0 to 1", |value| (0.0..=1.0).contains(&value))?;
        check(&amounts, "from 0 to 1000000000", |value| {
            (0.0..=1e9).contains(&value)
        })?;
        check(&sizes, "above 0, up to 1000000", |value| {
            value > 0.0 && value <= 1e6
        })?;
        check(
            &[("learning.window", self.learning.window)],
            "from 2 to 1000000",
            |value| (2.0..=1e6).contains(&value),
        )
    }
}
