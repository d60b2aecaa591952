//! An amendment as the ledger's state holds it: what was proposed, who may vote on it, what was said. Votes are inbox
//! items and are not repeated here.
//!
//! | key | value |
//! |---|---|
//! | `amendment/NAME` | the amendment as JSON |
//! | `constitution/DIGEST` | the proposed documents, as those that were in force are kept |

use std::collections::{BTreeMap, BTreeSet};

use polity_ledger::store::StoreError;
use polity_ledger::{Commit, CommitError, Event, ReadError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::AmendmentError;
use crate::Kernel;
use crate::near::near;

const PREFIX: &str = "amendment/";
const PAGE: usize = 200;

/// Rounds of one amendment; whoever needs more makes another one.
pub(super) const MAX_ROUNDS: usize = 50;

/// Comments on one amendment.
pub(super) const MAX_COMMENTS: usize = 500;

/// A proposed change of the constitution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amendment {
    /// What it is called by.
    pub name: String,
    /// One line.
    pub title: String,
    /// Why, in the words of whoever wants it.
    pub why: String,
    /// The branch.
    pub branch: String,
    /// Everybody who has submitted a round of it; none of them votes.
    pub authors: BTreeSet<String>,
    /// When it was first submitted.
    pub opened_at_ms: u64,
    /// The amendment that it takes back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reverts: Option<String>,
    /// What was proposed, oldest first; votes on the last one count. Never empty.
    pub rounds: Vec<Round>,
    /// The debate, oldest first.
    #[serde(default)]
    pub comments: Vec<Comment>,
    /// How it ended; none while it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ending: Option<Ending>,
}

/// One version of a proposal, and the vote on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What is voted on.
    pub proposal: Proposal,
    /// Who submitted it.
    pub by: String,
    /// When the vote opened.
    pub opened_at_ms: u64,
    /// When it ends.
    pub due_at_ms: u64,
    /// The role whose holders vote.
    pub role: String,
    /// How many have to agree.
    pub quorum: usize,
    /// Who may vote, each with the inbox item that holds the vote.
    pub voters: BTreeMap<String, Uuid>,
    /// What it changes, in words, as the voters were told.
    pub summary: String,
}

/// Exactly what is voted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The branch's commit.
    pub commit: String,
    /// SHA-256 of the constitution that would be in force.
    pub digest: String,
    /// SHA-256 of the one that it was compared with.
    pub base: String,
    /// The commit that it would be merged onto.
    pub base_commit: String,
}

/// A word of the debate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Who.
    pub by: String,
    /// When.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

/// How an amendment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is in force, or was.
    Merged {
        /// Who had it merged.
        by: String,
        /// When.
        at_ms: u64,
        /// The merge commit.
        commit: String,
        /// The tag.
        tag: String,
        /// The key that signed the tag, as OpenSSH writes it; none where it is not signed.
        signed_by: Option<String>,
    },
    /// Whoever wanted it does not any more.
    Withdrawn {
        /// Who said so.
        by: String,
        /// When.
        at_ms: u64,
        /// Why.
        why: String,
    },
}

impl Amendment {
    /// The round that counts.
    pub fn current(&self) -> Option<&Round> {
        self.rounds.last()
    }

    pub(super) fn subject(&self) -> String {
        key(&self.name)
    }

    pub(super) fn event(&self, kind: &'static str, data: Value) -> Event {
        let mut data = data;
        data["amendment"] = json!(self.name);
        Event::new(kind, "/kernel", self.subject(), data)
    }
}

/// An amendment and the bytes it was read from.
pub(super) struct Known {
    pub(super) amendment: Amendment,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Adds an amendment to a commit that fails if it is not what it was when it was read.
pub(super) fn put(
    commit: Commit,
    amendment: &Amendment,
    known: Option<&[u8]>,
) -> Result<Commit, CommitError> {
    let bytes =
        serde_json::to_vec(amendment).map_err(|error| CommitError::Invalid(error.to_string()))?;
    let key = key(&amendment.name);
    let commit = match known {
        Some(known) => commit.expect_value(&key, known),
        None => commit.expect_absent(&key),
    };
    Ok(commit.put(key, bytes))
}

impl Kernel {
    /// All amendments, by name.
    pub(super) fn read_amendments(&self) -> Result<Vec<Amendment>, ReadError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.inner.ledger.scan(PREFIX, after.as_deref(), PAGE)?;
            for (key, bytes) in &page {
                all.push(decode(key, bytes)?);
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => return Ok(all),
            }
        }
    }

    pub(super) fn find_amendment(&self, name: &str) -> Result<Option<Known>, ReadError> {
        // A name that is none is in no key; a long one could not be.
        if name.len() > 200 {
            return Ok(None);
        }
        let key = key(name);
        let Some(bytes) = self.inner.ledger.get(&key)? else {
            return Ok(None);
        };
        Ok(Some(Known {
            amendment: decode(&key, &bytes)?,
            bytes,
        }))
    }

    pub(super) fn known_amendment(&self, name: &str) -> Result<Known, AmendmentError> {
        if let Some(known) = self.find_amendment(name)? {
            return Ok(known);
        }
        let all = self.read_amendments()?;
        Err(AmendmentError::Unknown {
            asked: name.chars().take(200).collect(),
            near: near(name, all.iter().map(|amendment| amendment.name.as_str())),
        })
    }

    /// One that is not closed.
    pub(super) fn open_amendment(&self, name: &str) -> Result<Known, AmendmentError> {
        let known = self.known_amendment(name)?;
        match &known.amendment.ending {
            None => Ok(known),
            Some(ending) => Err(AmendmentError::Closed(closed(name, ending))),
        }
    }
}

pub(super) fn closed(name: &str, ending: &Ending) -> String {
    match ending {
        Ending::Merged { by, commit, .. } => format!(
            "the amendment `{name}` was merged by {by} as {commit:.12}; make another one: polity amend new, or take it back: polity amend revert {name}"
        ),
        Ending::Withdrawn { by, why, .. } => format!(
            "the amendment `{name}` was withdrawn by {by} ({why}); make another one under another name: polity amend new"
        ),
    }
}

fn decode(key: &str, bytes: &[u8]) -> Result<Amendment, ReadError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ReadError::Store(StoreError::Damaged(format!("{key}: {error}"))))
}
