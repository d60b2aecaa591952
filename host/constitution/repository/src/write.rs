//! Merging: a commit made from what was agreed on, byte for byte, with a tag that says by whom.
//!
//! The steps can be broken off at any point and taken again: the tag is made first and names the merge, the branch
//! moves to it only from where it was, and the files follow the branch.

use crate::{GitError, Repository, SigningKey};

/// Who the host is to git.
const NAME: &str = "Polity";
const EMAIL: &str = "polity@localhost";

/// What is to be merged.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    /// The branch that is in force.
    pub onto: &'a str,
    /// Its commit when the amendment was agreed on.
    pub base: &'a str,
    /// The amendment's commit.
    pub commit: &'a str,
    /// The tree that was agreed on.
    pub tree: &'a str,
    /// The tag to make.
    pub tag: &'a str,
    /// For both commit and tag: what was decided, and by whom.
    pub message: &'a str,
    /// Where the tag is to be signed.
    pub key: Option<&'a SigningKey>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The merge commit.
    pub commit: String,
    /// Whether the tag is signed.
    pub signed: bool,
}

impl Repository {
    /// The tree that merging a commit into another one gives.
    ///
    /// # Errors
    /// The two contradict each other, or git failed.
    pub fn merged_tree(&self, onto: &str, commit: &str) -> Result<String, GitError> {
        self.tree_of(&[
            "merge-tree",
            "--write-tree",
            "--name-only",
            "--no-messages",
            onto,
            commit,
        ])
    }

    /// The tree of a commit with what another one brought taken back.
    ///
    /// # Errors
    /// What came later builds on it, or git failed.
    pub fn tree_without(&self, head: &str, merge: &str) -> Result<String, GitError> {
        let before = self
            .parent(merge)?
            .ok_or_else(|| GitError::Unknown(format!("commit before {merge}")))?;
        let base = format!("--merge-base={merge}");
        self.tree_of(&[
            "merge-tree",
            "--write-tree",
            "--name-only",
            "--no-messages",
            &base,
            head,
            &before,
        ])
    }

    fn tree_of(&self, args: &[&str]) -> Result<String, GitError> {
        let what = "the amendment cannot be merged";
        let ended = self.git(what).args(args.iter().copied()).end()?;
        let text = String::from_utf8_lossy(&ended.out).into_owned();
        let mut lines = text.lines();
        match (ended.code, lines.next()) {
            (Some(0), Some(tree)) => Ok(tree.to_owned()),
            (Some(1), Some(_)) => Err(GitError::Conflict {
                paths: lines
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect(),
                onto: self
                    .head()
                    .map_or_else(|_| "in force".to_owned(), |head| head.branch),
            }),
            _ => Err(GitError::Failed {
                what: what.to_owned(),
                said: ended.said,
            }),
        }
    }

    /// A commit of a tree, on no branch.
    ///
    /// # Errors
    /// git failed.
    pub fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
    ) -> Result<String, GitError> {
        let mut args = vec!["commit-tree", "-F", "-"];
        for parent in parents {
            args.extend(["-p", parent]);
        }
        args.push(tree);
        self.git("the commit cannot be made")
            .args(args)
            .env("GIT_AUTHOR_NAME", NAME)
            .env("GIT_AUTHOR_EMAIL", EMAIL)
            .env("GIT_COMMITTER_NAME", NAME)
            .env("GIT_COMMITTER_EMAIL", EMAIL)
            .input(message)
            .line()
    }

    /// Makes a branch; it must not exist.
    ///
    /// # Errors
    /// It exists, or git failed.
    pub fn make_branch(&self, branch: &str, commit: &str) -> Result<(), GitError> {
        if let Some(fault) = crate::branch_fault(branch) {
            return Err(GitError::BadBranch {
                name: branch.to_owned(),
                fault,
            });
        }
        let name = format!("refs/heads/{branch}");
        self.git(format!("the branch {branch} cannot be made"))
            .args(["update-ref", "--create-reflog", &name, commit, ""])
            .run()
            .map(drop)
    }

    /// Merges, tags, and brings the files to it. Doing it again after it was broken off goes on where it ended.
    ///
    /// # Errors
    /// The branch has moved, files that it would change have been changed by hand, or git failed.
    pub fn merge(&self, merge: &Merge<'_>) -> Result<Merged, GitError> {
        let merged = match self.tagged(merge)? {
            Some(merged) => merged,
            None => self.make_merge(merge)?,
        };
        let head = self.commit_of(merge.onto)?;
        if head != merged.commit && !self.contains(&head, &merged.commit)? {
            if head != merge.base {
                return Err(GitError::Moved(format!(
                    "the branch {} has moved on from {:.12} to {head:.12}; submit the amendment again",
                    merge.onto, merge.base
                )));
            }
            self.check_files(merge.base, &merged.commit)?;
            self.git("the branch cannot be moved")
                .args([
                    "update-ref",
                    "-m",
                    "amendment",
                    &format!("refs/heads/{}", merge.onto),
                    &merged.commit,
                    merge.base,
                ])
                .run()?;
        }
        self.bring_files(merge.base, &merged.commit)?;
        Ok(merged)
    }

    /// The merge that an earlier try has made, where it is of the same content.
    fn tagged(&self, merge: &Merge<'_>) -> Result<Option<Merged>, GitError> {
        let name = format!("refs/tags/{}", merge.tag);
        let Some(commit) = self.resolve(&name)? else {
            return Ok(None);
        };
        let tree = self
            .git("a tree cannot be read")
            .args([
                "rev-parse",
                "--verify",
                "--quiet",
                &format!("{commit}^{{tree}}"),
            ])
            .line()?;
        if tree != merge.tree || self.parent(&commit)?.as_deref() != Some(merge.base) {
            return Err(GitError::Moved(format!(
                "there is a tag {} already, of something else; remove it with git tag -d {0}, or give the amendment another name",
                merge.tag
            )));
        }
        let text = self
            .git("a tag cannot be read")
            .args(["cat-file", "-p", &name])
            .line()?;
        Ok(Some(Merged {
            commit,
            signed: text.contains("-----BEGIN SSH SIGNATURE-----"),
        }))
    }

    fn make_merge(&self, merge: &Merge<'_>) -> Result<Merged, GitError> {
        let commit = self.commit_tree(merge.tree, &[merge.base, merge.commit], merge.message)?;
        let tag = |key: Option<&SigningKey>| {
            let git = self
                .git("the tag cannot be made")
                .env("GIT_COMMITTER_NAME", NAME)
                .env("GIT_COMMITTER_EMAIL", EMAIL)
                .input(merge.message);
            let git = match key {
                Some(key) => git
                    .set("gpg.format=ssh")
                    .set(key.setting())
                    .args(["tag", "-s"]),
                None => git.args(["tag", "-a"]),
            };
            git.args(["-F", "-", merge.tag, &commit]).run()
        };
        let signed = merge.key.is_some_and(|key| tag(Some(key)).is_ok());
        if !signed {
            tag(None)?;
        }
        Ok(Merged { commit, signed })
    }

    /// Says before anything is moved what would keep the files from following.
    fn check_files(&self, from: &str, to: &str) -> Result<(), GitError> {
        self.read_tree(from, to, true)
    }

    fn bring_files(&self, from: &str, to: &str) -> Result<(), GitError> {
        self.read_tree(from, to, false)
    }

    fn read_tree(&self, from: &str, to: &str, dry: bool) -> Result<(), GitError> {
        let Some(work_tree) = &self.work_tree else {
            return Ok(());
        };
        // What was touched and is the same is the same.
        let _ = self
            .git("the index cannot be refreshed")
            .work_tree(work_tree)
            .args(["update-index", "-q", "--refresh"])
            .end()?;
        let args: &[&str] = match dry {
            true => &["read-tree", "-n", "-u", "-m"],
            false => &["read-tree", "-u", "-m"],
        };
        self.git("the files in the company's folder stand in the way; commit or undo what was changed there by hand")
            .work_tree(work_tree)
            .args(args.iter().copied())
            .args([from, to])
            .run()
            .map(drop)
    }
}
