//! Ending instances from outside, and what a child that has ended says to whoever runs it.

use polity_ledger::ReadError;
use polity_workflow::{Event, Fault, FaultKind, Outcome};
use serde_json::Value;
use uuid::Uuid;

use super::drive::{DriveError, Fact};
use super::key;
use super::stored::Stored;
use super::view::InstanceView;
use crate::{Actor, Kernel};

/// Why an instance was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such instance.
    #[error("there is no instance {0}")]
    Unknown(Uuid),
    /// It has ended.
    #[error("the instance {0} has ended already")]
    Ended(Uuid),
    /// Not everybody may.
    #[error(
        "{actor} may not cancel what {owner} has run; {owner} may, and a person with the role owner or operator"
    )]
    Forbidden {
        /// Who wanted it.
        actor: String,
        /// Who has it run.
        owner: String,
    },
    /// The ledger does not read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Kernel {
    /// Ends an instance for good. What it has done stays done; what waits for people on its account is closed.
    ///
    /// # Errors
    /// See [`CancelError`].
    pub async fn cancel_instance(
        &self,
        actor: &Actor,
        id: Uuid,
        reason: &str,
    ) -> Result<InstanceView, CancelError> {
        let view = self.instance(id)?.ok_or(CancelError::Unknown(id))?;
        if view.has_ended() {
            return Err(CancelError::Ended(id));
        }
        let runs_things = |role: &String| role == "owner" || role == "operator";
        if actor.id != view.actor && !actor.roles.iter().any(runs_things) {
            return Err(CancelError::Forbidden {
                actor: actor.id.clone(),
                owner: view.actor,
            });
        }
        let mut changes = self.inner.workflows.changed.subscribe();
        let reason = format!("{}: {reason}", actor.id);
        self.tell(id, Fact::Event(Box::new(Event::Cancel { reason })));
        loop {
            match self.instance(id)? {
                Some(view) if view.has_ended() => return Ok(view),
                Some(_) => {}
                None => return Err(CancelError::Unknown(id)),
            }
            // What has been missed is seen when it is read again.
            let _ =
                tokio::time::timeout(std::time::Duration::from_millis(200), changes.recv()).await;
        }
    }

    /// What a child came to; none while it goes on.
    pub(super) fn child_answer(
        &self,
        id: Uuid,
    ) -> Result<Option<Result<Value, Fault>>, DriveError> {
        let ledger = &self.inner.ledger;
        if ledger.get(&key::open(id))?.is_some() {
            return Ok(None);
        }
        let Some(bytes) = ledger.get(&key::done(id))? else {
            let why = "the workflow that it runs is not there any more";
            return Ok(Some(Err(Fault::new(FaultKind::Runtime, why))));
        };
        let stored: Stored = serde_json::from_slice(&bytes)
            .map_err(|error| DriveError::Unreadable(error.to_string()))?;
        Ok(stored.instance.outcome().map(answer))
    }
}

/// An outcome as whoever runs it gets it.
pub(super) fn answer(outcome: &Outcome) -> Result<Value, Fault> {
    match outcome {
        Outcome::Completed { output } => Ok(output.clone()),
        Outcome::Faulted { error } => Err(error.clone()),
        Outcome::Cancelled { reason } => {
            let why = format!("the workflow was cancelled: {reason}");
            Err(Fault::new(FaultKind::Runtime, why))
        }
    }
}
