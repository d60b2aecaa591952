//! What became of every mutation, in a chain of hashes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::canary::{Decision, Measured};
use crate::catalogue::{Catalogue, Conflict, Inverse, Origin};
use crate::digest::{Digest, digest};
use crate::life::Built;
use crate::proposal::{Proposal, Verdict};

/// Why a mutation was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The trial said so.
    Trial {
        /// What it came to.
        decision: Decision,
    },
    /// The engine could not make it, or documents were not the same after it.
    Failed {
        /// What the engine said.
        reason: String,
    },
    /// It is larger than it may be.
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The bytes it may have.
        allowed: u64,
    },
    /// The schema has changed under it.
    Conflict {
        /// How.
        reason: String,
    },
    /// The process ended each time it was built.
    Crashed,
    /// A person said so.
    Person {
        /// Who.
        by: String,
    },
}

/// How a mutation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is part of the schema.
    Kept,
    /// It was taken back, or what it had changed earlier was.
    Reverted {
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// It was never begun.
    Refused {
        /// Who refused: a person or `rules`.
        by: String,
        /// Why.
        reason: String,
    },
}

/// One mutation that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 0.
    pub seq: u64,
    /// The hash of the entry before.
    pub parent: Digest,
    /// The hash of this one.
    pub hash: Digest,
    /// The mutation's identity.
    pub id: Uuid,
    /// When it was over.
    pub at_ms: u64,
    /// When it was admitted.
    pub proposed_ms: u64,
    /// When building began.
    pub build_ms: Option<u64>,
    /// The strategy or the person behind it.
    pub strategy: String,
    /// A person or a strategy.
    pub origin: Origin,
    /// What was proposed, with evidence and prediction.
    pub proposal: Proposal,
    /// What the rules said.
    pub verdict: Option<Verdict>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// What building made.
    pub built: Option<Built>,
    /// What the trial measured.
    pub measured: Option<Measured>,
    /// What takes it back.
    pub inverse: Option<Inverse>,
    /// The entry whose change this one took back.
    pub takes_back: Option<Uuid>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Why a history is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry does not follow from the one before it.
    #[error(
        "entry {0} of the schema's history does not follow from the one before: it was altered or is missing"
    )]
    Link(u64),
    /// An entry's content is not what its hash says.
    #[error("entry {0} of the schema's history was altered")]
    Content(u64),
    /// A change does not fit the schema that those before it made.
    #[error("entry {0} of the schema's history cannot be replayed: {1}")]
    Replay(u64, Conflict),
}

/// All that are over, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    entries: Vec<Entry>,
}

impl History {
    /// Takes entries from storage.
    ///
    /// # Errors
    /// The chain is broken, or does not replay.
    pub fn verify(entries: Vec<Entry>) -> Result<(Self, Catalogue), Broken> {
        let mut parent = Digest::default();
        for (seq, entry) in (0..).zip(&entries) {
            if entry.seq != seq || entry.parent != parent {
                return Err(Broken::Link(seq));
            }
            if entry.hash != content(entry) {
                return Err(Broken::Content(seq));
            }
            parent = entry.hash.clone();
        }
        let history = Self { entries };
        let catalogue = history.replay()?;
        Ok((history, catalogue))
    }

    /// The schema that the kept mutations make of an empty one.
    ///
    /// # Errors
    /// Which entry does not fit.
    pub fn replay(&self) -> Result<Catalogue, Broken> {
        let mut catalogue = Catalogue::default();
        for entry in &self.entries {
            match (&entry.outcome, &entry.takes_back, &entry.inverse) {
                (Outcome::Kept, _, _) => {
                    catalogue
                        .apply(&entry.proposal.mutation, entry.origin)
                        .map_err(|conflict| Broken::Replay(entry.seq, conflict))?;
                }
                (Outcome::Reverted { .. }, Some(_), Some(inverse)) => catalogue
                    .undo(inverse)
                    .map_err(|conflict| Broken::Replay(entry.seq, conflict))?,
                _ => {}
            }
        }
        Ok(catalogue)
    }

    /// The entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a mutation.
    pub fn find(&self, id: Uuid) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.id == id)
    }

    /// Gives an entry its place in the chain and adds it.
    pub(crate) fn append(&mut self, mut entry: Entry) -> Entry {
        entry.seq = self.entries.len() as u64;
        entry.parent = self
            .entries
            .last()
            .map(|last| last.hash.clone())
            .unwrap_or_default();
        // A number that JSON cannot hold would be read back as another one, and break the chain.
        if let Some(measured) = &mut entry.measured {
            for number in [
                &mut measured.effect,
                &mut measured.saved_us,
                &mut measured.upkeep_us,
            ] {
                *number = if number.is_finite() { *number } else { 0.0 };
            }
        }
        entry.hash = content(&entry);
        self.entries.push(entry.clone());
        entry
    }
}

fn content(entry: &Entry) -> Digest {
    let mut value = serde_json::to_value(entry).unwrap_or(Value::Null);
    if let Value::Object(members) = &mut value {
        members.insert("hash".to_owned(), json!(null));
    }
    digest(&value)
}
