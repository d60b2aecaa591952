//! Voting, talking and taking back. A vote is a person's answer to an inbox item; it counts the same whether it is given
//! here, in the console or with `polity inbox`.

use std::collections::BTreeSet;

use polity_inbox::{Actor as Decider, Answer, Item, authority};
use polity_ledger::{Commit, CommitError, Hash};
use serde_json::json;

use super::record::{MAX_COMMENTS, put};
use super::{AmendmentError, AmendmentState, AmendmentView, Comment, Ending, ITEM};
use crate::{Actor, Kernel};

const MAX_TEXT: usize = 4_000;

impl Kernel {
    /// Takes a vote.
    ///
    /// # Errors
    /// The actor may not vote on it, has voted already, or the amendment is closed.
    pub async fn vote_on_amendment(
        &self,
        actor: &Actor,
        name: &str,
        answer: Answer,
        note: &str,
        seen_digest: Option<Hash>,
    ) -> Result<AmendmentView, AmendmentError> {
        let amendment = self.open_amendment(name)?.amendment;
        let Some(round) = amendment.current() else {
            return Err(AmendmentError::Invalid("it has no round".to_owned()));
        };
        let Some(item) = round.voters.get(&actor.id) else {
            // Why not, in the words of the one who decides that.
            if let Some(any) = round.voters.values().next()
                && let Some(item) = self.inner.inbox.get(*any)?
            {
                let asked = Item {
                    role: round.role.clone(),
                    ..item
                };
                authority(&asked, &Decider::new(&actor.id, &actor.roles))
                    .map_err(polity_inbox::DecideError::from)?;
            }
            let why = match amendment.authors.contains(&actor.id) {
                true => "submitted a round of it and cannot vote on it too",
                false => "was not among those who could vote when the vote opened",
            };
            return Err(AmendmentError::Forbidden(format!("{} {why}", actor.id)));
        };
        self.decide(*item, actor, answer, note, seen_digest).await?;
        self.amendment(name)
    }

    /// Adds a word to the debate.
    ///
    /// # Errors
    /// The text is empty or too long, the amendment is closed, or the ledger failed.
    pub async fn comment_on_amendment(
        &self,
        actor: &Actor,
        name: &str,
        text: &str,
    ) -> Result<AmendmentView, AmendmentError> {
        let _alone = self.inner.amending.lock().await;
        let known = self.open_amendment(name)?;
        let mut amendment = known.amendment;
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(AmendmentError::Invalid(format!(
                "a comment has 1 to {MAX_TEXT} bytes"
            )));
        }
        if amendment.comments.len() >= MAX_COMMENTS {
            return Err(AmendmentError::Invalid(format!(
                "there are {MAX_COMMENTS} comments on it already; talk, and submit again"
            )));
        }
        let comment = Comment {
            by: actor.id.clone(),
            at_ms: self.inner.clock.now_ms(),
            text: text.to_owned(),
        };
        amendment.comments.push(comment.clone());
        let commit = put(Commit::new(), &amendment, Some(&known.bytes))?
            .event(amendment.event("amendment.commented", json!(comment)));
        self.inner.ledger.commit(commit).await?;
        Ok(self.view_amendment(amendment)?)
    }

    /// Closes an amendment that nobody wants any more.
    ///
    /// # Errors
    /// Somebody else's amendment, closed already, or the ledger failed.
    pub async fn withdraw_amendment(
        &self,
        actor: &Actor,
        name: &str,
        why: &str,
    ) -> Result<AmendmentView, AmendmentError> {
        let _alone = self.inner.amending.lock().await;
        let known = self.open_amendment(name)?;
        let mut amendment = known.amendment;
        if !amendment.authors.contains(&actor.id) {
            return Err(AmendmentError::Forbidden(format!(
                "{} did not submit it; who does not want it votes no",
                actor.id
            )));
        }
        let why = match why.trim() {
            "" => "no reason given",
            why if why.len() > MAX_TEXT => {
                return Err(AmendmentError::Invalid(format!(
                    "the reason has at most {MAX_TEXT} bytes"
                )));
            }
            why => why,
        };
        let ending = Ending::Withdrawn {
            by: actor.id.clone(),
            at_ms: self.inner.clock.now_ms(),
            why: why.to_owned(),
        };
        amendment.ending = Some(ending.clone());
        loop {
            let open = self.withdrawals(amendment.current(), "the amendment was withdrawn")?;
            let commit = open
                .iter()
                .fold(Commit::new(), |commit, item| item.add_to(commit));
            let commit = put(commit, &amendment, Some(&known.bytes))?
                .event(amendment.event("amendment.withdrawn", json!({ "ending": ending })));
            match self.inner.ledger.commit(commit).await {
                Ok(_) => {
                    open.iter()
                        .for_each(|item| self.inner.inbox.announce_withdrawal(item));
                    return Ok(self.view_amendment(amendment)?);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Notes what a vote has settled, and takes back the questions that need no answer any more. What counts is counted
    /// from the items, so that nothing is lost where this does not come to its end.
    pub(crate) async fn after_vote(&self, item: &Item) {
        if item.kind != ITEM {
            return;
        }
        let Some(name) = item.proposal["amendment"].as_str() else {
            return;
        };
        let _alone = self.inner.amending.lock().await;
        if let Err(error) = self.settle_vote(name).await {
            tracing::error!(%error, amendment = name, "what a vote has settled could not be noted");
        }
    }

    /// Notes which votes ended because their time was over.
    pub async fn after_expiry(&self, items: &[Item]) {
        let mut noted = BTreeSet::new();
        for item in items
            .iter()
            .filter(|item| item.kind == ITEM && !item.is_open())
        {
            if noted.insert(item.proposal["amendment"].as_str()) {
                self.after_vote(item).await;
            }
        }
    }

    async fn settle_vote(&self, name: &str) -> Result<(), AmendmentError> {
        let Some(known) = self.find_amendment(name)? else {
            return Ok(());
        };
        let view = self.view_amendment(known.amendment)?;
        let (kind, why) = match view.state {
            AmendmentState::Accepted => ("amendment.accepted", "enough people have agreed"),
            AmendmentState::Rejected => ("amendment.rejected", "too many people have not agreed"),
            _ => return Ok(()),
        };
        let amendment = &view.amendment;
        loop {
            let open = self.withdrawals(amendment.current(), why)?;
            let commit = open
                .iter()
                .fold(Commit::new(), |commit, item| item.add_to(commit));
            let data = json!({ "tally": view.tally, "votes": view.votes, "round": amendment.rounds.len() });
            match self
                .inner
                .ledger
                .commit(commit.event(amendment.event(kind, data)))
                .await
            {
                Ok(_) => {
                    open.iter()
                        .for_each(|item| self.inner.inbox.announce_withdrawal(item));
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
