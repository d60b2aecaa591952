//! Submitting: a branch becomes a proposal, and the vote on it opens.

use std::collections::BTreeMap;

use polity_amend::{Comparison, quorum_of};
use polity_constitution::{ActorKind, Constitution, Permission};
use polity_inbox::{AnswerKind, NewItem, OnExpiry, Withdrawal};
use polity_ledger::{Commit, CommitError};
use polity_repository::{Changed, branch_fault};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::place::Place;
use super::record::{Known, MAX_ROUNDS, closed, put};
use super::{Amendment, AmendmentError, AmendmentView, ITEM, Proposal, Round, law_of};
use crate::constitution_store as store;
use crate::kept::cut;
use crate::{Actor, Kernel};

/// The longest summary that voters are shown.
const MAX_SUMMARY: usize = 6_000;

/// The most that may vote on one amendment: their questions, and taking back those of the round before, are one commit.
const MAX_VOTERS: usize = 50;

const MAX_NAME: usize = 60;
const MAX_TITLE: usize = 200;
const MAX_WHY: usize = 4_000;

/// What is submitted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Submission {
    /// What the amendment is called by: lower-case letters, digits and hyphens.
    pub name: String,
    /// The branch; `amend/NAME` where it is absent.
    pub branch: Option<String>,
    /// One line; what it was before, or the name, where it is absent.
    pub title: Option<String>,
    /// Why it is wanted.
    pub why: Option<String>,
    /// The amendment that it takes back.
    pub reverts: Option<String>,
}

/// A branch as it would be merged now.
pub(super) struct Proposed {
    pub(super) proposal: Proposal,
    pub(super) constitution: Constitution,
}

impl Kernel {
    /// Opens the vote on an amendment, or a new round of it where it has changed. Durable when it returns.
    ///
    /// # Errors
    /// See [`AmendmentError`].
    pub async fn submit_amendment(
        &self,
        actor: &Actor,
        submission: Submission,
    ) -> Result<AmendmentView, AmendmentError> {
        let _visit = self.enter()?;
        let _alone = self.inner.amending.lock().await;
        self.submit(actor, submission).await
    }

    /// To be called by one at a time.
    pub(super) async fn submit(
        &self,
        actor: &Actor,
        submission: Submission,
    ) -> Result<AmendmentView, AmendmentError> {
        check(&submission)?;
        let known = self.find_amendment(&submission.name)?;
        if let Some(ending) = known
            .as_ref()
            .and_then(|known| known.amendment.ending.as_ref())
        {
            return Err(AmendmentError::Closed(closed(&submission.name, ending)));
        }
        let branch = submission
            .branch
            .clone()
            .or_else(|| known.as_ref().map(|known| known.amendment.branch.clone()))
            .unwrap_or_else(|| format!("amend/{}", submission.name));
        let Proposed {
            proposal,
            constitution,
        } = self.propose(&branch).await?;
        if let Some(known) = &known
            && known.amendment.branch == branch
            && known
                .amendment
                .current()
                .is_some_and(|round| round.proposal == proposal)
        {
            return Ok(self.view_amendment(known.amendment.clone())?);
        }
        let comparison = self
            .compare_with(&self.constitution(), &constitution)
            .await?;
        let amendment = self.next_round(
            actor,
            submission,
            branch,
            known.as_ref(),
            proposal,
            &comparison,
        )?;
        let amendment = self
            .open_vote(amendment, known.as_ref(), &constitution, &comparison)
            .await?;
        Ok(self.view_amendment(amendment)?)
    }

    /// The branch, merged with what is in force in a tree of its own; nothing in the repository changes.
    pub(super) async fn propose(&self, branch: &str) -> Result<Proposed, AmendmentError> {
        if self.settings().remote.is_some() {
            // What is voted on is a change of what the remote holds now.
            self.pull()
                .await
                .map_err(|error| AmendmentError::Moved(error.to_string()))?;
        }
        let settings = self.settings().clone();
        let in_force = self.constitution().version().digest.clone();
        let branch = branch.to_owned();
        blocking(move || {
            let repository = Place::with(&settings, &[&branch])?.repository;
            let head = repository.head()?;
            let commit = repository.commit_of(&branch)?;
            if head.branch == branch {
                return Err(AmendmentError::Invalid(format!(
                    "the branch {branch} is the one in force; write the amendment on another one: polity amend new"
                )));
            }
            let base = law_of::read(&repository, &head.commit, Some(head.commit.clone()))?;
            if base.version().digest != in_force {
                return Err(AmendmentError::Moved(format!(
                    "the constitution in force is not what the branch {} holds: the company's folder was changed and not committed. Commit it, or undo it, and submit again",
                    head.branch
                )));
            }
            let tree = repository.merged_tree(&head.commit, &commit)?;
            let strange: Vec<Changed> = repository
                .changed(&head.commit, &tree)?
                .into_iter()
                .filter(|changed| !changed.is_document())
                .collect();
            if let Some(first) = strange.first() {
                return Err(AmendmentError::Invalid(format!(
                    "an amendment changes documents, and this one changes {}{}; take that out of the branch, whoever votes cannot read it",
                    first.path,
                    match strange.len() {
                        1 => String::new(),
                        many => format!(" and {} files more", many - 1),
                    }
                )));
            }
            let constitution = law_of::read(&repository, &tree, None)?;
            if constitution.version().digest == in_force {
                return Err(AmendmentError::Invalid(format!(
                    "the branch {branch} changes nothing that is in force"
                )));
            }
            let proposal = Proposal {
                commit,
                digest: constitution.version().digest.clone(),
                base: in_force,
                base_commit: head.commit,
            };
            Ok(Proposed {
                proposal,
                constitution,
            })
        })
        .await
    }

    fn next_round(
        &self,
        actor: &Actor,
        submission: Submission,
        branch: String,
        known: Option<&Known>,
        proposal: Proposal,
        comparison: &Comparison,
    ) -> Result<Amendment, AmendmentError> {
        let now_ms = self.inner.clock.now_ms();
        let law = self.inner.books.law();
        let charter = law.charter();
        let policy = charter.amendments();
        let mut amendment = known.map_or_else(
            || Amendment {
                title: submission.name.replace('-', " "),
                name: submission.name.clone(),
                why: String::new(),
                branch: branch.clone(),
                authors: Default::default(),
                opened_at_ms: now_ms,
                reverts: submission.reverts.clone(),
                rounds: Vec::new(),
                comments: Vec::new(),
                ending: None,
            },
            |known| known.amendment.clone(),
        );
        if amendment.rounds.len() >= MAX_ROUNDS {
            return Err(AmendmentError::Invalid(format!(
                "it was submitted {MAX_ROUNDS} times already; withdraw it and make another one"
            )));
        }
        amendment.branch = branch;
        amendment.title = submission.title.unwrap_or(amendment.title);
        amendment.why = submission.why.unwrap_or(amendment.why);
        amendment.authors.insert(actor.id.clone());
        let voters: Vec<String> = charter
            .actors()
            .filter(|person| {
                person.kind == ActorKind::Person
                    && person.holds(&policy.role)
                    && charter.permits(&person.id, Permission::InboxDecide)
                    && !amendment.authors.contains(&person.id)
            })
            .map(|person| person.id.clone())
            .collect();
        let stated = policy
            .quorum
            .and_then(|quorum| usize::try_from(quorum).ok());
        let quorum = quorum_of(voters.len(), stated);
        if voters.len() > MAX_VOTERS {
            return Err(AmendmentError::Invalid(format!(
                "{} people hold the role `{}`, and at most {MAX_VOTERS} can vote on one amendment; name a smaller role in the charter's amendments.role",
                voters.len(),
                policy.role
            )));
        }
        if voters.len() < quorum {
            return Err(AmendmentError::Invalid(format!(
                "{quorum} people with the role `{}` have to agree, and {} may vote, because nobody votes on an amendment of their own; give the role to another person in the charter, or let somebody without it submit the amendment",
                policy.role,
                voters.len()
            )));
        }
        let summary = comparison.to_string();
        amendment.rounds.push(Round {
            proposal,
            by: actor.id.clone(),
            opened_at_ms: now_ms,
            due_at_ms: now_ms.saturating_add(policy.due_ms.max(1)),
            role: policy.role.clone(),
            quorum,
            voters: voters
                .into_iter()
                .map(|voter| (voter, uuid::Uuid::nil()))
                .collect(),
            summary: cut(&summary, MAX_SUMMARY).to_owned(),
        });
        Ok(amendment)
    }

    /// Raises the items of the last round and takes those of the one before back, in one commit with the amendment.
    async fn open_vote(
        &self,
        mut amendment: Amendment,
        known: Option<&Known>,
        constitution: &Constitution,
        comparison: &Comparison,
    ) -> Result<Amendment, AmendmentError> {
        let inner = &*self.inner;
        let before = known.and_then(|known| known.amendment.current()).cloned();
        let number = amendment.rounds.len();
        let Some(round) = amendment.rounds.last().cloned() else {
            return Err(AmendmentError::Invalid("it has no round".to_owned()));
        };
        loop {
            let mut commit = Commit::new();
            let void = self.withdrawals(
                before.as_ref(),
                "the amendment was changed; vote on what it is now",
            )?;
            for withdrawal in &void {
                commit = withdrawal.add_to(commit);
            }
            let mut staged = Vec::new();
            let mut voters = BTreeMap::new();
            for voter in round.voters.keys() {
                let question = question(&amendment, &round, number, voter, comparison);
                let item = inner.inbox.stage(question).await?;
                voters.insert(voter.clone(), item.item().id);
                commit = item.add_to(commit);
                staged.push(item);
            }
            if let Some(round) = amendment.rounds.last_mut() {
                round.voters = voters;
            }
            let commit = store::keep(put(commit, &amendment, known.map(|known| known.bytes.as_slice()))?, constitution)
                .event(amendment.event(
                    "amendment.submitted",
                    json!({
                        "by": round.by, "title": amendment.title, "branch": amendment.branch, "round": number,
                        "proposal": round.proposal, "quorum": round.quorum, "due_at_ms": round.due_at_ms,
                        "voters": round.voters.keys().collect::<Vec<_>>(),
                        "permits_more": comparison.permits_more(),
                        "new_lint_errors": comparison.lint.errors(),
                    }),
                ));
            match inner.ledger.commit(commit).await {
                Ok(_) => {
                    staged.iter().for_each(|item| inner.inbox.announce(item));
                    void.iter()
                        .for_each(|item| inner.inbox.announce_withdrawal(item));
                    return Ok(amendment);
                }
                // Somebody voted in this moment, on what is void now.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The open items of a round, about to be taken back.
    pub(super) fn withdrawals(
        &self,
        round: Option<&Round>,
        why: &str,
    ) -> Result<Vec<Withdrawal>, AmendmentError> {
        let mut found = Vec::new();
        for item in round.into_iter().flat_map(|round| round.voters.values()) {
            found.extend(self.inner.inbox.withdrawing(*item, why)?);
        }
        Ok(found)
    }
}

fn check(submission: &Submission) -> Result<(), AmendmentError> {
    let name = &submission.name;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) || name == "preview"
    {
        return Err(AmendmentError::Invalid(format!(
            "{name:?} is no name for an amendment: use 1 to {MAX_NAME} lower-case letters, digits and hyphens, like raise-refund-limit"
        )));
    }
    if let Some(branch) = &submission.branch
        && let Some(fault) = branch_fault(branch)
    {
        return Err(AmendmentError::Invalid(format!(
            "{branch:?} is no name for a branch: {fault}"
        )));
    }
    if let Some(title) = &submission.title
        && (title.trim().is_empty()
            || title.len() > MAX_TITLE
            || title.chars().any(char::is_control))
    {
        return Err(AmendmentError::Invalid(format!(
            "the title is one line of at most {MAX_TITLE} bytes"
        )));
    }
    if submission
        .why
        .as_ref()
        .is_some_and(|why| why.len() > MAX_WHY)
    {
        return Err(AmendmentError::Invalid(format!(
            "`why` has at most {MAX_WHY} bytes"
        )));
    }
    Ok(())
}

fn question(
    amendment: &Amendment,
    round: &Round,
    number: usize,
    voter: &str,
    comparison: &Comparison,
) -> NewItem {
    let Proposal {
        commit,
        digest,
        base,
        base_commit,
    } = &round.proposal;
    let why = match amendment.why.trim() {
        "" => String::new(),
        why => format!("{}\n\n", cut(why, 1_500)),
    };
    NewItem {
        kind: ITEM.to_owned(),
        subject: format!("{}/{number}/{voter}", amendment.name),
        title: format!("Amendment: {}", amendment.title),
        question: cut(&format!("{why}{}", round.summary), 7_900).to_owned(),
        proposal: json!({
            "amendment": amendment.name, "round": number, "commit": commit, "digest": digest,
            "base": base, "base_commit": base_commit,
        }),
        clause: Some(format!(
            "charter.json, amendments: {} of {} people with the role {} have to agree",
            round.quorum,
            round.voters.len(),
            round.role
        )),
        evidence: json!({
            "documents": comparison.documents.iter().map(|document| &document.path).collect::<Vec<_>>(),
            "permits_more": comparison.permits_more(),
            "new_lint_findings": comparison.lint.appeared.len(),
            "see": format!("polity amend diff {0}; polity amend simulate {0}", amendment.name),
        }),
        // Nobody else votes in their place.
        role: voter.to_owned(),
        requested_by: round.by.clone(),
        cost_at_stake: None,
        due_at_ms: Some(round.due_at_ms),
        on_expiry: OnExpiry::Reject,
        allowed: [AnswerKind::Accept, AnswerKind::Respond, AnswerKind::Reject].into(),
    }
}

/// Does work that blocks where no request waits for the thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AmendmentError> + Send + 'static,
) -> Result<T, AmendmentError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(AmendmentError::Failed(format!(
            "it ended before its end: {error}"
        ))),
    }
}
