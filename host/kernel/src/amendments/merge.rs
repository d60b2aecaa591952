//! Merging what was agreed on, and proposing to take it back.

use polity_constitution::OWNER;
use polity_ledger::Commit;
use polity_repository::{GitError, Merge, Merged, SigningKey};
use serde_json::json;

use super::place::Place;
use super::record::put;
use super::submit::blocking;
use super::{AmendmentError, AmendmentState, AmendmentView, Ending, Proposal, Submission, law_of};
use crate::kept::cut;
use crate::{Actor, Kernel, remote};

/// A merge that was made, and the key that signed its tag.
struct Done {
    merged: Merged,
    signed_by: Option<String>,
}

impl Kernel {
    /// Merges an amendment that enough people have agreed on, and puts it in force. When this returns, every action from
    /// now on is judged by it; what is being judged ends under the constitution that it began under.
    ///
    /// # Errors
    /// See [`AmendmentError`]; unless it says otherwise, nothing has changed. Where it was broken off, doing it again
    /// goes on.
    pub async fn merge_amendment(
        &self,
        actor: &Actor,
        name: &str,
    ) -> Result<AmendmentView, AmendmentError> {
        let _visit = self.enter()?;
        let _alone = self.inner.amending.lock().await;
        let known = self.open_amendment(name)?;
        let view = self.view_amendment(known.amendment)?;
        may_merge(actor, &view)?;
        let mut amendment = view.amendment.clone();
        let Some(round) = amendment.current().cloned() else {
            return Err(AmendmentError::Invalid("it has no round".to_owned()));
        };
        let _pulling = self.inner.pulling.lock().await;
        // Whoever follows the folder sees it before the merge or after it, and never in between.
        let reloading = self.inner.reloading.lock().await;
        let in_force = self.constitution().version().digest.clone();
        let proposal = round.proposal;
        if in_force != proposal.base && in_force != proposal.digest {
            return Err(moved(name, "the constitution has changed since"));
        }
        let tag = format!("amendment/{name}");
        let message = message(&view, actor, &proposal);
        let done = self
            .merge_branch(&amendment.branch, &proposal, &tag, &message)
            .await?;
        self.read_again(&proposal).await?;
        drop(reloading);
        let ending = Ending::Merged {
            by: actor.id.clone(),
            at_ms: self.inner.clock.now_ms(),
            commit: done.merged.commit,
            tag,
            signed_by: done.signed_by,
        };
        amendment.ending = Some(ending.clone());
        let commit = put(Commit::new(), &amendment, Some(&known.bytes))?.event(amendment.event(
            "amendment.merged",
            json!({ "ending": ending, "proposal": proposal, "votes": view.votes, "tally": view.tally }),
        ));
        self.inner.ledger.commit(commit).await?;
        Ok(self.view_amendment(amendment)?)
    }

    /// Proposes to take a merged amendment back: a branch that undoes it, and the vote on that.
    ///
    /// # Errors
    /// See [`AmendmentError`].
    pub async fn revert_amendment(
        &self,
        actor: &Actor,
        name: &str,
        why: Option<String>,
    ) -> Result<AmendmentView, AmendmentError> {
        let _visit = self.enter()?;
        let _alone = self.inner.amending.lock().await;
        let amendment = self.known_amendment(name)?.amendment;
        let Some(Ending::Merged { commit, .. }) = amendment.ending else {
            return Err(AmendmentError::Invalid(format!(
                "`{name}` is not in force, so there is nothing to take back"
            )));
        };
        let revert = self.free_name(&format!("revert-{}", name.trim_start_matches("revert-")))?;
        let branch = format!("amend/{revert}");
        let (settings, made) = (self.settings().clone(), branch.clone());
        let message = format!("Take back the amendment {name}\n\nThis undoes {commit}.\n");
        blocking(move || {
            let place = Place::with(&settings, &[])?;
            let repository = &place.repository;
            let head = repository.head()?;
            let tree = repository.tree_without(&head.commit, &commit)?;
            let undone = repository.commit_tree(&tree, &[&head.commit], &message)?;
            place.publish(&made, &undone)
        })
        .await?;
        let submission = Submission {
            name: revert,
            branch: Some(branch),
            title: Some(cut(&format!("Take back: {}", amendment.title), 190).to_owned()),
            why,
            reverts: Some(name.to_owned()),
        };
        self.submit(actor, submission).await
    }

    async fn merge_branch(
        &self,
        branch: &str,
        proposal: &Proposal,
        tag: &str,
        message: &str,
    ) -> Result<Done, AmendmentError> {
        let settings = self.settings().clone();
        let (branch, proposal) = (branch.to_owned(), proposal.clone());
        let (tag, message) = (tag.to_owned(), message.to_owned());
        blocking(move || {
            let name = tag.trim_start_matches("amendment/").to_owned();
            let place = Place::with(&settings, &[&branch])?;
            let repository = &place.repository;
            let head = repository.head()?;
            if repository.commit_of(&branch)? != proposal.commit {
                return Err(moved(
                    &name,
                    &format!("the branch {branch} was changed after the vote had opened"),
                ));
            }
            let tree = match repository.merged_tree(&head.commit, &proposal.commit) {
                Err(GitError::Conflict { paths, .. }) => {
                    return Err(moved(
                        &name,
                        &format!("{} has changed in {} since", paths.join(", "), head.branch),
                    ));
                }
                tree => tree?,
            };
            if repository
                .changed(&head.commit, &tree)?
                .iter()
                .any(|changed| !changed.is_document())
            {
                return Err(moved(&name, "it changes files that are no documents"));
            }
            let merged = law_of::read(repository, &tree, None)?;
            if merged.version().digest != proposal.digest {
                return Err(moved(
                    &name,
                    &format!("the branch {} has moved on since", head.branch),
                ));
            }
            let key = SigningKey::in_folder(&settings.data);
            let merged = repository.merge(&Merge {
                onto: &head.branch,
                base: &head.commit,
                commit: &proposal.commit,
                tree: &tree,
                tag: &tag,
                message: &message,
                key: key.as_ref(),
            })?;
            if place.publish_merge(&head.branch, &tag, &merged)? {
                let company = repository.clone().with_company(&merged.commit)?;
                let brought = remote::stage(&settings.data, &company, &merged.commit)
                    .map_err(|error| AmendmentError::Failed(error.to_string()))?;
                remote::deploy(
                    &settings.company,
                    &settings.data,
                    brought.constitution.version(),
                )
                .map_err(|error| AmendmentError::Failed(error.to_string()))?;
            }
            Ok(Done {
                signed_by: key
                    .filter(|_| merged.signed)
                    .map(|key| key.public().to_owned()),
                merged,
            })
        })
        .await
    }

    /// Puts in force what the folder holds now, which has to be what was agreed on.
    async fn read_again(&self, proposal: &Proposal) -> Result<(), AmendmentError> {
        let (loaded, overlay) = self
            .read_folder()
            .await
            .map_err(crate::constitution_live::ReloadError::from)?;
        if loaded.version().digest != proposal.digest {
            return Err(AmendmentError::Moved(
                "it is merged, but the company's folder holds something else than was agreed on; see what was changed there by hand: git status".to_owned(),
            ));
        }
        self.enact((loaded, overlay)).await?;
        Ok(())
    }

    fn free_name(&self, wanted: &str) -> Result<String, AmendmentError> {
        let wanted: String = wanted.chars().take(56).collect();
        for number in 1..100 {
            let name = match number {
                1 => wanted.clone(),
                number => format!("{wanted}-{number}"),
            };
            if self.find_amendment(&name)?.is_none() {
                return Ok(name);
            }
        }
        Err(AmendmentError::Invalid(format!(
            "there are too many amendments called {wanted}"
        )))
    }
}

/// Those who wanted it, those who agreed, and the owners.
fn may_merge(actor: &Actor, view: &AmendmentView) -> Result<(), AmendmentError> {
    let is_person = actor.id.starts_with("person:");
    let is_concerned = view.amendment.authors.contains(&actor.id)
        || view.votes.iter().any(|vote| vote.voter == actor.id)
        || actor.roles.iter().any(|role| role == OWNER);
    if !is_person || !is_concerned {
        return Err(AmendmentError::Forbidden(format!(
            "{} may not merge it: a person who submitted it or may vote on it has to, or an owner",
            actor.id
        )));
    }
    let name = &view.amendment.name;
    match view.state {
        AmendmentState::Accepted => Ok(()),
        AmendmentState::Rejected => Err(AmendmentError::Closed(format!(
            "`{name}` was rejected; change it and submit it again, or withdraw it"
        ))),
        _ => {
            let missing: Vec<&str> = view
                .votes
                .iter()
                .filter(|vote| vote.vote == "waiting")
                .map(|vote| vote.voter.as_str())
                .collect();
            Err(AmendmentError::Waiting(format!(
                "`{name}` has {} of the {} votes that it needs; {} have not voted",
                view.tally.yes,
                view.tally.quorum,
                missing.join(", ")
            )))
        }
    }
}

fn moved(name: &str, why: &str) -> AmendmentError {
    AmendmentError::Moved(format!(
        "{why}, so this is not what was agreed on; submit it again, which opens a new vote: polity amend submit {name}"
    ))
}

/// What the merge commit and its tag say, for whoever has the repository and not the ledger.
fn message(view: &AmendmentView, actor: &Actor, proposal: &Proposal) -> String {
    let amendment = &view.amendment;
    let mut message = format!("Amendment: {}\n\n", amendment.title);
    if !amendment.why.trim().is_empty() {
        message.push_str(&format!("{}\n\n", amendment.why.trim()));
    }
    message.push_str(&format!(
        "Amendment-Name: {}\nConstitution-Digest: sha256:{}\nReplaces-Digest: sha256:{}\nQuorum: {} of {}\n",
        amendment.name, proposal.digest, proposal.base, view.tally.quorum, view.tally.eligible
    ));
    for author in &amendment.authors {
        message.push_str(&format!("Submitted-by: {author}\n"));
    }
    for vote in view
        .votes
        .iter()
        .filter(|vote| matches!(vote.vote, "yes" | "no"))
    {
        let word = if vote.vote == "yes" {
            "Approved-by"
        } else {
            "Rejected-by"
        };
        message.push_str(&format!("{word}: {}\n", vote.voter));
    }
    message.push_str(&format!("Merged-by: {}\n", actor.id));
    message
}
