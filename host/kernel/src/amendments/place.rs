//! The repository that amendments are branches of: the one that the company's folder lies in, or a mirror of the remote
//! that the constitution is taken from.

use polity_repository::{GitError, Merged, Remote, Repository};

use super::AmendmentError;
use crate::Settings;

/// The mirror, in the data folder. It has all of the history, and the one that is only followed has none.
const MIRROR: &str = "amendments.git";

/// Where branches are found and merges are made.
pub(super) struct Place {
    pub(super) repository: Repository,
    remote: Option<Remote>,
}

impl Place {
    /// The repository, with the newest of these branches.
    pub(super) fn with(settings: &Settings, branches: &[&str]) -> Result<Self, AmendmentError> {
        let Some(remote) = settings.remote.as_ref().map(|remote| remote.remote.clone()) else {
            return Ok(Self {
                repository: Repository::of_folder(&settings.company)?,
                remote: None,
            });
        };
        let mirror = Repository::mirror(settings.data.join(MIRROR))?;
        let head = mirror
            .fetch_branches(&remote, branches)
            .map_err(|error| match error {
                GitError::Failed { said, .. } if said.contains("find remote ref") => {
                    AmendmentError::Invalid(format!(
                        "{remote}: {said}; push the branch there first: git push origin {}",
                        branches.join(" ")
                    ))
                }
                error => error.into(),
            })?;
        Ok(Self {
            repository: mirror.with_company(&head)?,
            remote: Some(remote),
        })
    }

    /// Makes a branch where others find it.
    pub(super) fn publish(&self, branch: &str, commit: &str) -> Result<(), AmendmentError> {
        self.repository.make_branch(branch, commit)?;
        if let Some(remote) = &self.remote {
            self.repository
                .push(remote, &[&format!("refs/heads/{branch}")])?;
        }
        Ok(())
    }

    /// Makes a merge where others find it. Returns whether the company's folder has still to be brought to it.
    pub(super) fn publish_merge(
        &self,
        onto: &str,
        tag: &str,
        merged: &Merged,
    ) -> Result<bool, AmendmentError> {
        let Some(remote) = &self.remote else {
            return Ok(false);
        };
        let (branch, name) = (format!("refs/heads/{onto}"), format!("refs/tags/{tag}"));
        if let Err(error) = self.repository.push(remote, &[&branch, &name]) {
            // It is not merged anywhere else, so it is not here.
            self.repository.forget_tag(tag)?;
            return Err(AmendmentError::Moved(format!(
                "{error}; the merge {:.12} was not made. Submit the amendment again where the remote has moved on, or see why it takes no push",
                merged.commit
            )));
        }
        Ok(true)
    }
}
