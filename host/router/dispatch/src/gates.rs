//! What a request has to pass before a model is called: the breaker, the model's limits, the budgets.
//!
//! [`Dispatch`](crate::Dispatch) asks through this port, so a host can put its own in between, for example to write each
//! settlement to its ledger. [`House`](crate::House) joins the three that this crate has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::budget::{OverBudget, ReservationId};
use crate::{BreakerEvent, BreakerOpen, BreakerPermit, Candidate, LimitPermit, Limited};
use crate::{RequestFacts, Tokens, Verdict};

/// One attempt that wants to begin.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The request.
    pub facts: &'a RequestFacts,
    /// Number of the attempt within the request.
    pub attempt: u32,
    /// Where it wants to go.
    pub candidate: &'a Candidate,
    /// Through an open breaker, because nothing else is left.
    pub force: bool,
    /// Now.
    pub now_ms: u64,
}

/// Leave for one attempt. It is handed back once, when the attempt has ended.
#[derive(Debug, Default)]
#[must_use = "what a permit holds is free again only when it is settled"]
pub struct Permit {
    /// The breaker's part.
    pub breaker: Option<BreakerPermit>,
    /// The limits' part.
    pub limit: Option<LimitPermit>,
    /// The budgets' part.
    pub reservation: Option<ReservationId>,
    /// What the breaker did on the way.
    pub event: Option<BreakerEvent>,
}

/// Why an attempt may not begin now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// The breaker is open.
    Breaker(BreakerOpen),
    /// The model's limits are used up.
    Limit(Limited),
    /// A budget is.
    OverBudget(Box<OverBudget>),
    /// The request itself may not cost so much.
    CostCap {
        /// The most that the request may cost.
        cap_micro: u64,
        /// What it has cost, and what is set aside for what is in progress.
        taken_micro: u64,
        /// What this attempt may cost.
        needed_micro: u64,
    },
    /// The host has a reason of its own.
    Other(String),
}

/// How an attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What it cost.
    pub cost_micro: u64,
    /// What it used, where anything was sent at all.
    pub tokens: Option<Tokens>,
    /// What it means for the breaker.
    pub verdict: Verdict,
    /// When.
    pub now_ms: u64,
}

/// Lets attempts begin, and takes them back.
pub trait Gates {
    /// Takes what an attempt needs of everything, or of nothing and says why.
    fn admit(&self, ask: &Ask<'_>) -> Result<Permit, Blocked>;

    /// Gives back what it took. Called exactly once for each permit.
    fn settle(
        &self,
        candidate: &Candidate,
        permit: Permit,
        settlement: &Settlement,
    ) -> Option<BreakerEvent>;

    /// Whether a retry at the same model may be made, beyond what the request itself allows.
    fn allow_retry(&self) -> bool {
        true
    }

    /// Whether a second model may be asked at the same time, beyond what the request itself allows.
    fn allow_hedge(&self) -> bool {
        true
    }
}

/// Everything may begin, and nothing is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGates;

impl Gates for NoGates {
    fn admit(&self, _ask: &Ask<'_>) -> Result<Permit, Blocked> {
        Ok(Permit::default())
    }

    fn settle(&self, _: &Candidate, permit: Permit, _: &Settlement) -> Option<BreakerEvent> {
        drop(permit);
        None
    }
}

impl Blocked {
    /// When it may be asked again; `None` where waiting does not help.
    pub fn until_ms(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Breaker(open) => Some(open.until_ms),
            Self::Limit(limited) => limited.until_ms(now_ms),
            Self::OverBudget(over) => Some(over.resets_at_ms),
            Self::CostCap { .. } | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(BreakerOpen { until_ms, why }) => {
                write!(f, "its breaker is open until {until_ms}, because {why}")
            }
            Self::Limit(limited) => limited.fmt(f),
            Self::OverBudget(over) => over.fmt(f),
            Self::CostCap {
                cap_micro,
                taken_micro,
                needed_micro,
            } => write!(
                f,
                "the request may cost {cap_micro} micro-units, {taken_micro} are taken and this may cost {needed_micro}"
            ),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests { until_ms } => {
                write!(f, "its requests of the minute are used up until {until_ms}")
            }
            Self::Tokens { until_ms } => {
                write!(f, "its tokens of the minute are used up until {until_ms}")
            }
            Self::TooLarge { tokens, per_minute } => write!(
                f,
                "the request needs {tokens} tokens and the model allows {per_minute} in a minute"
            ),
            Self::Concurrent { limit } => {
                write!(
                    f,
                    "{limit} requests are in progress there, as many as may be"
                )
            }
        }
    }
}
