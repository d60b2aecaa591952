//! The emergency stop: kinds of action that do not happen until somebody lets them.
//!
//! It holds from the moment it is given: an effect looks at it last of all before it begins. What a workflow wanted to do
//! waits, and goes on when it may; what anybody else asks for is refused.
//!
//! Nobody is late because of it: while an effect is held back, the time limits of its task, of the tasks around it and of
//! its workflow stand still, and go on with what was left of them. Branches beside it go on; so does what only waits.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use polity_constitution::{ActionKind, KindPattern, Outcome, Resolution};
use polity_ledger::{Commit, CommitError, Event, Ledger, ReadError};
use polity_workflow::Call;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::drive::Fact;
use super::events::rfc3339;
use super::key;
use crate::rules::Ruling;
use crate::{Actor, Kernel};

/// Roles whose holders may stop and resume.
const ROLES: [&str; 2] = ["owner", "operator"];

/// Kinds of action that were stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Which kinds.
    pub pattern: KindPattern,
    /// Who stopped them.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at_ms: u64,
}

/// Why nothing was stopped or resumed.
#[derive(Debug, thiserror::Error)]
pub enum HaltError {
    /// Not everybody may.
    #[error("{actor} may not stop or resume the company: a person with the role {} may", ROLES.join(" or "))]
    Forbidden {
        /// Who wanted it.
        actor: String,
    },
    /// There is nothing to resume.
    #[error("`{0}` is not stopped; `polity halt` lists what is")]
    NotHalted(String),
    /// It has no reason.
    #[error("{0}")]
    Invalid(String),
    /// The ledger could not take it.
    #[error("it could not be recorded: {0}")]
    Record(#[from] CommitError),
}

impl Halt {
    /// Makes of a resolution what it is where actions of this kind are stopped.
    pub(crate) fn stop(&self, resolution: &mut Resolution) {
        resolution.sentence = format!("Denied: {self}.");
        resolution.decided_by.clear();
        resolution.outcome = Outcome::Deny {
            reason: self.to_string(),
        };
    }

    /// Why something does not happen.
    pub fn sentence(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` was stopped by {} on {}: {}",
            self.pattern,
            self.by,
            rfc3339(self.at_ms),
            self.reason
        )
    }
}

/// All halts in force.
#[derive(Default)]
pub(crate) struct Halts(ArcSwap<Vec<Halt>>);

impl Halts {
    pub(super) fn read(ledger: &Ledger) -> Result<Self, ReadError> {
        let rows = ledger.scan(key::HALT, None, 1_000)?;
        let halts = rows
            .iter()
            .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok());
        Ok(Self(ArcSwap::from_pointee(halts.collect())))
    }

    /// The halt that covers a kind of action.
    pub(crate) fn find(&self, kind: &ActionKind) -> Option<Halt> {
        let halts = self.0.load();
        halts
            .iter()
            .find(|halt| halt.pattern.matches(kind))
            .cloned()
    }

    /// Denies what is stopped.
    pub(crate) fn stop(&self, ruling: &mut Ruling) {
        if let Some(halt) = self.find(&ruling.kind) {
            halt.stop(&mut ruling.resolution);
            ruling.halted = Some(halt);
        }
    }

    pub(crate) fn covers(&self, kind: &ActionKind) -> bool {
        let halts = self.0.load();
        halts.iter().any(|halt| halt.pattern.matches(kind))
    }

    /// The same for effects that are judged elsewhere under a kind of their own.
    pub(super) fn covers_call(&self, call: &Call) -> bool {
        if self.0.load().is_empty() {
            return false;
        }
        let kind = match call {
            Call::Model { .. } | Call::Council { .. } => crate::completion::KIND,
            Call::Decide { .. } => return false,
            call => call.kind(),
        };
        kind.parse().is_ok_and(|kind| self.covers(&kind))
    }

    fn list(&self) -> Arc<Vec<Halt>> {
        self.0.load_full()
    }
}

impl Kernel {
    /// Stops kinds of action. Nothing of these kinds begins any more when this returns.
    ///
    /// # Errors
    /// See [`HaltError`].
    pub async fn halt(
        &self,
        actor: &Actor,
        pattern: KindPattern,
        reason: &str,
    ) -> Result<Halt, HaltError> {
        authorised(actor)?;
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > 1_000 {
            let why = "say in a sentence of at most 1000 bytes why";
            return Err(HaltError::Invalid(why.to_owned()));
        }
        let halts = &self.inner.workflows.halts;
        let halt = Halt {
            pattern,
            by: actor.id.clone(),
            reason: reason.to_owned(),
            at_ms: self.inner.clock.now_ms(),
        };
        // In force at once, and then on record: it must not have to wait for a disk.
        halts.0.rcu(|known| {
            let others = known.iter().filter(|known| known.pattern != halt.pattern);
            others.cloned().chain([halt.clone()]).collect::<Vec<_>>()
        });
        let pattern = halt.pattern.to_string();
        let event = Event::new(
            "halt.given",
            "/kernel",
            format!("halt/{pattern}"),
            json!(halt),
        );
        let keep = Commit::new()
            .put(key::halt(&pattern), json!(halt).to_string())
            .event(event);
        self.inner.ledger.commit(keep).await?;
        Ok(halt)
    }

    /// Lets kinds of action happen again, and goes on with what waited for it.
    ///
    /// # Errors
    /// See [`HaltError`].
    pub async fn resume_halted(
        &self,
        actor: &Actor,
        pattern: &KindPattern,
    ) -> Result<Halt, HaltError> {
        authorised(actor)?;
        let halts = &self.inner.workflows.halts;
        let found = halts
            .list()
            .iter()
            .find(|halt| halt.pattern == *pattern)
            .cloned();
        let halt = found.ok_or_else(|| HaltError::NotHalted(pattern.to_string()))?;
        let data = json!({ "halt": halt, "by": actor.id });
        let event = Event::new("halt.lifted", "/kernel", format!("halt/{pattern}"), data);
        let keep = Commit::new()
            .delete(key::halt(&pattern.to_string()))
            .event(event);
        self.inner.ledger.commit(keep).await?;
        halts.0.rcu(|known| {
            let others = known.iter().filter(|known| known.pattern != *pattern);
            others.cloned().collect::<Vec<_>>()
        });
        for instance in self.inner.workflows.flights.held() {
            self.tell(instance, Fact::Recover);
        }
        Ok(halt)
    }

    /// What is stopped.
    pub fn halts(&self) -> Arc<Vec<Halt>> {
        self.inner.workflows.halts.list()
    }
}

fn authorised(actor: &Actor) -> Result<(), HaltError> {
    let holds = |role: &str| actor.roles.iter().any(|held| held == role);
    if actor.id.starts_with("person:") && ROLES.iter().any(|role| holds(role)) {
        return Ok(());
    }
    Err(HaltError::Forbidden {
        actor: actor.id.clone(),
    })
}
