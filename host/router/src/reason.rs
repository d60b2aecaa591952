//! Why a model cannot answer a request: one reason for each constraint it breaks, with the figures.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::Abilities;
use crate::money::Amount;
use crate::requirements::{Found, PersonalData};

/// One constraint that a model breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The company has taken it out of use.
    Disabled,
    /// It cannot do what is needed.
    LacksAbilities {
        /// What it cannot do.
        missing: Abilities,
    },
    /// The prompt and the answer do not fit.
    ContextTooShort {
        /// Tokens needed.
        needed: u64,
        /// Tokens there are.
        available: u64,
    },
    /// Its answers are not long enough.
    AnswerTooShort {
        /// Tokens wanted.
        wanted: u64,
        /// Tokens at most.
        most: u64,
    },
    /// Data would leave the region.
    OutsideRegion {
        /// Where data must stay.
        required: String,
        /// Where the model is, if known.
        region: Option<String>,
    },
    /// The caller wants nothing to leave the company's machines.
    NotLocal,
    /// Personal data would leave the company's machines.
    PersonalDataLeaves {
        /// What was found; nothing where the text was too long to be looked through.
        found: Vec<Found>,
    },
    /// It does not satisfy a compliance tag.
    LacksCompliance {
        /// The tags.
        missing: Vec<String>,
    },
    /// The company does not want it for such a task.
    NeverForTask {
        /// The task.
        task: String,
    },
    /// The company does not want it for such a request.
    NeverForTag {
        /// The tag.
        tag: String,
    },
    /// It may cost more than allowed.
    TooDear {
        /// The most that it may cost, in micro-units.
        most: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// Nobody knows what it costs, and the cost is limited.
    PriceUnknown {
        /// What is allowed, in micro-units.
        allowed: u64,
    },
    /// It is too slow.
    TooSlow {
        /// Milliseconds expected.
        expected_ms: u64,
        /// Milliseconds allowed.
        deadline_ms: u64,
    },
    /// Its answers are not good enough.
    BelowQuality {
        /// The score expected.
        expected: f64,
        /// The least wanted.
        least: f64,
    },
    /// Its breaker is open.
    BreakerOpen {
        /// Milliseconds until it is tried again, if known.
        for_ms: Option<u64>,
    },
    /// Its provider refuses more requests.
    RateLimited {
        /// Milliseconds until it takes some again, if known.
        for_ms: Option<u64>,
    },
    /// Its budget does not suffice.
    OverBudget {
        /// The most that the request may cost, in micro-units.
        most: u64,
        /// What is left.
        left: u64,
    },
    /// Its last probe failed.
    Unhealthy {
        /// Why.
        why: String,
    },
}

impl Reason {
    /// Stable and lower-case, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::LacksAbilities { .. } => "lacks-abilities",
            Self::ContextTooShort { .. } => "context-too-short",
            Self::AnswerTooShort { .. } => "answer-too-short",
            Self::OutsideRegion { .. } => "outside-region",
            Self::NotLocal => "not-local",
            Self::PersonalDataLeaves { .. } => "personal-data-leaves",
            Self::LacksCompliance { .. } => "lacks-compliance",
            Self::NeverForTask { .. } => "never-for-task",
            Self::NeverForTag { .. } => "never-for-tag",
            Self::TooDear { .. } => "too-dear",
            Self::PriceUnknown { .. } => "price-unknown",
            Self::TooSlow { .. } => "too-slow",
            Self::BelowQuality { .. } => "below-quality",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::RateLimited { .. } => "rate-limited",
            Self::OverBudget { .. } => "over-budget",
            Self::Unhealthy { .. } => "unhealthy",
        }
    }

    /// True where waiting may help: nothing is wrong with the request.
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::BreakerOpen { .. }
                | Self::RateLimited { .. }
                | Self::OverBudget { .. }
                | Self::Unhealthy { .. }
        )
    }

    pub(crate) fn personal(data: &PersonalData) -> Self {
        Self::PersonalDataLeaves {
            found: match data {
                PersonalData::Found(found) => found.clone(),
                _ => Vec::new(),
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = |for_ms: &Option<u64>| match for_ms {
            Some(ms) => format!("for another {ms} ms"),
            None => "for now".to_owned(),
        };
        match self {
            Self::Disabled => f.write_str("it is disabled in models.json"),
            Self::LacksAbilities { missing } => write!(f, "it cannot do: {missing}"),
            Self::ContextTooShort { needed, available } => {
                write!(
                    f,
                    "prompt and answer need {needed} tokens, it takes {available}"
                )
            }
            Self::AnswerTooShort { wanted, most } => {
                write!(
                    f,
                    "an answer of {wanted} tokens is wanted, it gives at most {most}"
                )
            }
            Self::OutsideRegion { required, region } => match region {
                Some(region) => write!(f, "data must stay in {required}, it is in {region}"),
                None => write!(
                    f,
                    "data must stay in {required}, and nobody says where it is"
                ),
            },
            Self::NotLocal => {
                f.write_str("nothing may leave the company's machines, and it is not local")
            }
            Self::PersonalDataLeaves { found } if found.is_empty() => f.write_str(
                "the text is too long to be searched for personal data, and it is not local",
            ),
            Self::PersonalDataLeaves { found } => {
                let names: Vec<&str> = found.iter().map(|found| found.name()).collect();
                write!(
                    f,
                    "the text holds {}, and it is not local",
                    names.join(" and ")
                )
            }
            Self::LacksCompliance { missing } => {
                write!(f, "it does not satisfy {}", missing.join(", "))
            }
            Self::NeverForTask { task } => write!(f, "models.json says never for the task {task}"),
            Self::NeverForTag { tag } => {
                write!(f, "models.json says never for requests tagged {tag}")
            }
            Self::TooDear { most, allowed } => {
                write!(
                    f,
                    "it may cost {}, allowed are {}",
                    Amount(*most),
                    Amount(*allowed)
                )
            }
            Self::PriceUnknown { allowed } => write!(
                f,
                "nobody says what it costs, and only {} are allowed; give its price in models.json",
                Amount(*allowed)
            ),
            Self::TooSlow {
                expected_ms,
                deadline_ms,
            } => {
                write!(
                    f,
                    "it takes about {expected_ms} ms, allowed are {deadline_ms} ms"
                )
            }
            Self::BelowQuality { expected, least } => {
                write!(
                    f,
                    "a score of {expected:.3} is expected of it, at least {least:.3} is wanted"
                )
            }
            Self::BreakerOpen { for_ms } => {
                write!(f, "it failed too often and is left alone {}", until(for_ms))
            }
            Self::RateLimited { for_ms } => {
                write!(f, "its provider refuses requests {}", until(for_ms))
            }
            Self::OverBudget { most, left } => {
                write!(
                    f,
                    "it may cost {}, its budget has {} left",
                    Amount(*most),
                    Amount(*left)
                )
            }
            Self::Unhealthy { why } => write!(f, "its last probe failed: {why}"),
        }
    }
}
