//! A place to write an amendment: the branch, checked out beside the folder that is in force. Whoever edits there changes
//! nothing until it is merged.

use std::path::{Path, PathBuf};

use crate::documents::{FILES, SHELVES};
use crate::git::Git;
use crate::{GitError, Repository, branch_fault};

impl Repository {
    /// Makes a branch from what is checked out and a folder with its files; returns the company's folder in it.
    ///
    /// # Errors
    /// The branch or the folder exists, or git failed.
    pub fn add_worktree(&self, branch: &str, folder: &Path) -> Result<PathBuf, GitError> {
        if let Some(fault) = branch_fault(branch) {
            return Err(GitError::BadBranch {
                name: branch.to_owned(),
                fault,
            });
        }
        self.git(format!("a place for the branch {branch} cannot be made"))
            .args(["worktree", "add", "--quiet", "-b", branch])
            .args([folder.as_os_str(), "HEAD".as_ref()])
            .run()?;
        Ok(match self.prefix.trim_end_matches('/') {
            "" => folder.to_owned(),
            prefix => folder.join(prefix),
        })
    }

    /// Takes the folder of a branch away; the branch stays.
    ///
    /// # Errors
    /// git failed.
    pub fn remove_worktree(&self, folder: &Path) -> Result<(), GitError> {
        self.git("the amendment's folder cannot be removed")
            .args(["worktree", "remove", "--force"])
            .args([folder.as_os_str()])
            .run()
            .map(drop)
    }

    /// Commits the documents of a folder as they are now; nothing else in it. Returns whether there was anything new.
    ///
    /// # Errors
    /// git failed.
    pub fn commit_documents(folder: &Path, message: &str) -> Result<bool, GitError> {
        let present = FILES
            .iter()
            .chain(&SHELVES)
            .filter(|name| {
                folder.join(name).exists()
                    || Git::in_folder(folder, "the index cannot be read")
                        .args(["ls-files", "--error-unmatch", "--", name])
                        .end()
                        .is_ok_and(|ended| ended.success)
            })
            .copied();
        Git::in_folder(folder, "the documents cannot be added")
            .args(["add", "--all", "--"])
            .args(present)
            .run()?;
        let same = Git::in_folder(folder, "the index cannot be compared")
            .args(["diff", "--cached", "--quiet", "--no-ext-diff"])
            .end()?;
        if same.success {
            return Ok(false);
        }
        // Whoever has told git who they are is named; nobody has to.
        let mut git = Git::in_folder(folder, "the documents cannot be committed");
        let who = Git::in_folder(folder, "git's settings cannot be read")
            .args(["config", "user.email"])
            .end()?;
        if !who.success {
            for (name, value) in [("NAME", "Polity"), ("EMAIL", "polity@localhost")] {
                git = git
                    .env(&format!("GIT_AUTHOR_{name}"), value)
                    .env(&format!("GIT_COMMITTER_{name}"), value);
            }
        }
        git.args(["commit", "--quiet", "--no-verify", "-F", "-"])
            .input(message)
            .run()?;
        Ok(true)
    }
}
