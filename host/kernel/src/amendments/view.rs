//! An amendment with how it stands: counted from the inbox, and stored nowhere.

use polity_amend::{Standing, Tally};
use polity_inbox::{Answer, Item, State};
use polity_ledger::{Hash, ReadError};
use serde::Serialize;
use uuid::Uuid;

use super::{Amendment, AmendmentError, Ending, Round};
use crate::Kernel;

/// How it stands with an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AmendmentState {
    /// Votes are missing.
    Voting,
    /// Enough people agree: it can be merged.
    Accepted,
    /// Too few can agree any more; it can be changed and submitted again.
    Rejected,
    /// It was put in force.
    Merged,
    /// Whoever wanted it does not any more.
    Withdrawn,
}

/// One person's vote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoteView {
    /// Who.
    pub voter: String,
    /// The inbox item that holds it.
    pub item: Uuid,
    /// `yes`, `no`, `words`, `waiting`, `expired` or `withdrawn`.
    pub vote: &'static str,
    /// Why, in their words.
    pub note: Option<String>,
    /// When.
    pub at_ms: Option<u64>,
}

/// An amendment, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AmendmentView {
    /// What is on record.
    #[serde(flatten)]
    pub amendment: Amendment,
    /// How it stands.
    pub state: AmendmentState,
    /// The count.
    pub tally: Tally,
    /// The votes of the round that counts.
    pub votes: Vec<VoteView>,
    /// The digest of what is voted on, as each of the inbox items has it.
    pub proposal_digest: Option<Hash>,
}

impl Kernel {
    /// An amendment.
    ///
    /// # Errors
    /// There is none of this name, or the ledger does not read.
    pub fn amendment(&self, name: &str) -> Result<AmendmentView, AmendmentError> {
        Ok(self.view_amendment(self.known_amendment(name)?.amendment)?)
    }

    /// All amendments, the newest first.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn amendments(&self) -> Result<Vec<AmendmentView>, AmendmentError> {
        let mut all = self.read_amendments()?;
        all.sort_by_key(|amendment| std::cmp::Reverse(amendment.opened_at_ms));
        let views: Result<_, ReadError> = all
            .into_iter()
            .map(|amendment| self.view_amendment(amendment))
            .collect();
        Ok(views?)
    }

    pub(super) fn view_amendment(&self, amendment: Amendment) -> Result<AmendmentView, ReadError> {
        let now_ms = self.inner.clock.now_ms();
        let mut votes = Vec::new();
        let mut tally = Tally::default();
        let mut proposal_digest = None;
        if let Some(round) = amendment.current() {
            (votes, tally, proposal_digest) = self.count(round, now_ms)?;
        }
        let state = match &amendment.ending {
            Some(Ending::Merged { .. }) => AmendmentState::Merged,
            Some(Ending::Withdrawn { .. }) => AmendmentState::Withdrawn,
            None => match tally.standing() {
                Standing::Voting => AmendmentState::Voting,
                Standing::Accepted => AmendmentState::Accepted,
                Standing::Rejected => AmendmentState::Rejected,
            },
        };
        Ok(AmendmentView {
            amendment,
            state,
            tally,
            votes,
            proposal_digest,
        })
    }

    fn count(
        &self,
        round: &Round,
        now_ms: u64,
    ) -> Result<(Vec<VoteView>, Tally, Option<Hash>), ReadError> {
        let mut digest = None;
        let mut tally = Tally {
            eligible: round.voters.len(),
            quorum: round.quorum,
            ..Tally::default()
        };
        let mut votes = Vec::new();
        for (voter, id) in &round.voters {
            let item = self
                .inner
                .inbox
                .get(*id)
                .map_err(crate::escalation::unread)?;
            digest = digest.or(item.as_ref().map(|item| item.proposal_digest));
            let vote = vote_of(item.as_ref(), voter, now_ms);
            match vote {
                "yes" => tally.yes += 1,
                "no" => tally.no += 1,
                "words" | "expired" | "withdrawn" => tally.neither += 1,
                _ => {}
            }
            let decision = item.as_ref().and_then(Item::decision);
            votes.push(VoteView {
                voter: voter.clone(),
                item: *id,
                vote,
                note: decision.map(|decision| match &decision.answer {
                    Answer::Respond(text) => text.clone(),
                    _ => decision.note.clone(),
                }),
                at_ms: decision.map(|decision| decision.at_ms),
            });
        }
        Ok((votes, tally, digest))
    }
}

/// What became of a voter's item. Only the voter's own word is a vote.
fn vote_of(item: Option<&Item>, voter: &str, now_ms: u64) -> &'static str {
    let Some(item) = item else { return "withdrawn" };
    match &item.state {
        State::Open if item.is_due(now_ms) => "expired",
        State::Open => "waiting",
        State::Expired { .. } => "expired",
        State::Withdrawn { .. } => "withdrawn",
        State::Decided(decision) if decision.by != voter => "withdrawn",
        State::Decided(decision) => match &decision.answer {
            Answer::Accept => "yes",
            Answer::Reject => "no",
            Answer::Respond(_) | Answer::Edit(_) => "words",
        },
    }
}
