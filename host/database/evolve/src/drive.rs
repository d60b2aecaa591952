//! Carrying effects out, for whoever has an engine, a judge and a journal at hand and can wait for them.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::catalogue::Inverse;
use crate::evolution::{Effect, Evolution};
use crate::life::{Batch, Built, Life};
use crate::mutation::Mutation;
use crate::proposal::Verdict;

/// The engine. Every method may be called again after a crash, and must then come to the same.
pub trait Surgery {
    /// Builds it hidden, from the start whatever there is of it. `None` if that goes on by itself: then the engine's
    /// owner tells [`Evolution::built`] later.
    ///
    /// # Errors
    /// It cannot be built.
    fn build(&mut self, id: Uuid, mutation: &Mutation) -> Result<Option<Built>, SurgeryError>;

    /// Begins to ask [`Evolution::deal`] for each run that the mutation affects.
    ///
    /// # Errors
    /// It cannot be measured.
    fn interleave(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError>;

    /// Checks that documents say the same with and without it, and that taking it back gives what was.
    ///
    /// # Errors
    /// They do not.
    fn verify(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError>;

    /// Makes it visible.
    ///
    /// # Errors
    /// It cannot.
    fn activate(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError>;

    /// Takes back whatever there is of it, hidden or visible.
    ///
    /// # Errors
    /// It cannot; it will be asked again.
    fn undo(
        &mut self,
        id: Uuid,
        mutation: &Mutation,
        inverse: &Inverse,
    ) -> Result<(), SurgeryError>;
}

/// The rules and the people.
pub trait Judge {
    /// What the rules say; `None` if the answer comes later, through [`Evolution::judged`].
    fn judge(&mut self, life: &Life) -> Option<Verdict>;

    /// Puts it to a person. The answer comes through [`Evolution::answered`].
    fn ask(&mut self, life: &Life);
}

/// What survives a crash.
pub trait Journal {
    /// Stores a batch, all or nothing, and durably.
    ///
    /// # Errors
    /// It is not stored.
    fn store(&mut self, batch: &Batch) -> Result<(), String>;
}

/// What the engine could not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SurgeryError(pub String);

/// Why effects were not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// What was to be stored is not. The machine is ahead of what is stored.
    #[error(
        "the schema's journal does not store ({0}): drop this machine and resume from the journal when it does"
    )]
    Journal(String),
}

/// Carries effects out, and those that follow from them, until there are none.
///
/// # Errors
/// The journal failed; see [`Effect::Persist`].
pub fn drive(
    evolution: &mut Evolution,
    effects: Vec<Effect>,
    surgery: &mut impl Surgery,
    judge: &mut impl Judge,
    journal: &mut impl Journal,
    now_ms: u64,
) -> Result<(), DriveError> {
    let mut queue = VecDeque::from(effects);
    while let Some(effect) = queue.pop_front() {
        // A fact out of turn is one that a later effect of the same queue has overtaken; it changes nothing.
        let next = match effect {
            Effect::Persist(batch) => {
                journal.store(&batch).map_err(DriveError::Journal)?;
                Ok(Vec::new())
            }
            Effect::Judge(life) => match judge.judge(&life) {
                Some(verdict) => evolution.judged(life.id, verdict, now_ms),
                None => Ok(Vec::new()),
            },
            Effect::Ask(life) => {
                judge.ask(&life);
                Ok(Vec::new())
            }
            Effect::Build(id, mutation) => match surgery.build(id, &mutation) {
                Ok(Some(built)) => evolution.built(id, built, now_ms),
                Ok(None) => Ok(Vec::new()),
                Err(error) => evolution.failed(id, &error.0, now_ms),
            },
            Effect::Interleave(id, mutation) => match surgery.interleave(id, &mutation) {
                Ok(()) => Ok(Vec::new()),
                Err(error) => evolution.failed(id, &error.0, now_ms),
            },
            Effect::Verify(id, mutation) => match surgery.verify(id, &mutation) {
                Ok(()) => evolution.verified(id, now_ms),
                Err(error) => evolution.failed(id, &error.0, now_ms),
            },
            Effect::Activate(id, mutation) => match surgery.activate(id, &mutation) {
                Ok(()) => evolution.activated(id, now_ms),
                Err(error) => evolution.failed(id, &error.0, now_ms),
            },
            Effect::Undo(id, mutation, inverse) => match surgery.undo(id, &mutation, &inverse) {
                Ok(()) => evolution.undone(id, now_ms),
                // Asked again by a later tick.
                Err(_) => Ok(Vec::new()),
            },
        };
        queue.extend(next.unwrap_or_default());
    }
    Ok(())
}
