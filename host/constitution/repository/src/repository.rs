//! A repository: that of a company's folder, or one of the host's own that mirrors a remote.

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::{DEPTH, Git, size};
use crate::{GitError, branch_fault};

/// A git repository with the company in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub(crate) git_dir: PathBuf,
    /// The files that people see; none for a mirror.
    pub(crate) work_tree: Option<PathBuf>,
    /// The company's folder in it: empty, or with a slash at its end.
    pub(crate) prefix: String,
    /// What a mirror may weigh.
    pub(crate) most: u64,
}

/// What a mirror may weigh. Constitutions are texts; what is larger was put there by mistake or in bad faith.
const MAX_MIRROR: u64 = 256 << 20;

/// What is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The branch.
    pub branch: String,
    /// Its newest commit.
    pub commit: String,
}

impl Repository {
    /// The repository that a company's folder lies in.
    ///
    /// # Errors
    /// There is no git, or no repository.
    pub fn of_folder(folder: impl AsRef<Path>) -> Result<Self, GitError> {
        let folder = folder.as_ref();
        let ended = Git::in_folder(folder, "the repository cannot be read")
            .args([
                "rev-parse",
                "--path-format=absolute",
                "--git-dir",
                "--show-toplevel",
                "--show-prefix",
            ])
            .end()?;
        let text = String::from_utf8_lossy(&ended.out).into_owned();
        let mut lines = text.lines();
        match (ended.success, lines.next(), lines.next()) {
            (true, Some(git_dir), Some(work_tree)) => Ok(Self {
                git_dir: git_dir.into(),
                work_tree: Some(work_tree.into()),
                prefix: lines.next().unwrap_or_default().to_owned(),
                most: MAX_MIRROR,
            }),
            _ => Err(GitError::NoRepository {
                folder: folder.to_owned(),
                said: ended.said,
            }),
        }
    }

    /// A repository without files, made where there is none. It belongs to whoever calls and has no settings of anybody
    /// else's.
    ///
    /// # Errors
    /// There is no git, or the folder cannot be written.
    pub fn mirror(folder: impl Into<PathBuf>) -> Result<Self, GitError> {
        let folder = folder.into();
        make(&folder)?;
        // It can be had again: one that is full makes room for a new one.
        if size(&folder, DEPTH) > MAX_MIRROR / 2 {
            remove(&folder)?;
            make(&folder)?;
        }
        if !folder.join("HEAD").exists() {
            Git::in_folder(&folder, "the mirror cannot be made")
                // An empty template: no hooks that somebody's machine gives to every repository.
                .args(["init", "--quiet", "--bare", "--template=", "."])
                .run()?;
        }
        Ok(Self {
            git_dir: folder,
            work_tree: None,
            prefix: String::new(),
            most: MAX_MIRROR,
        })
    }

    /// Where git's own files of it are.
    pub fn folder(&self) -> &Path {
        &self.git_dir
    }

    /// The same repository, taking less from a remote.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// The company's folder in the repository: empty, or with a slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The branch that is checked out.
    ///
    /// # Errors
    /// None is, or it has no commit yet.
    pub fn head(&self) -> Result<Head, GitError> {
        let ended = self
            .git("the branch cannot be read")
            .args(["symbolic-ref", "--quiet", "--short", "HEAD"])
            .end()?;
        if !ended.success {
            let folder = self.work_tree.as_ref().unwrap_or(&self.git_dir);
            return Err(GitError::Detached(folder.clone()));
        }
        let branch = String::from_utf8_lossy(&ended.out).trim().to_owned();
        let commit = self.commit_of(&branch)?;
        Ok(Head { branch, commit })
    }

    /// The newest commit of a branch.
    ///
    /// # Errors
    /// There is no such branch.
    pub fn commit_of(&self, branch: &str) -> Result<String, GitError> {
        if let Some(fault) = branch_fault(branch) {
            return Err(GitError::BadBranch {
                name: branch.to_owned(),
                fault,
            });
        }
        self.resolve(&format!("refs/heads/{branch}"))?
            .ok_or_else(|| GitError::Unknown(format!("branch {branch:?}")))
    }

    /// The commit that a full reference or an id names.
    pub(crate) fn resolve(&self, name: &str) -> Result<Option<String>, GitError> {
        let ended = self
            .git("a commit cannot be found")
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .args([format!("{name}^{{commit}}")])
            .end()?;
        let id = String::from_utf8_lossy(&ended.out).trim().to_owned();
        Ok(ended.success.then_some(id).filter(|id| is_id(id)))
    }

    /// Whether one commit is another one or comes before it.
    ///
    /// # Errors
    /// git failed.
    pub fn contains(&self, later: &str, earlier: &str) -> Result<bool, GitError> {
        let ended = self
            .git("two commits cannot be compared")
            .args(["merge-base", "--is-ancestor", earlier, later])
            .end()?;
        match ended.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(GitError::Failed {
                what: "two commits cannot be compared".to_owned(),
                said: ended.said,
            }),
        }
    }

    /// The first parent of a commit; none for the first one.
    pub(crate) fn parent(&self, commit: &str) -> Result<Option<String>, GitError> {
        self.resolve(&format!("{commit}^1"))
    }

    pub(crate) fn git(&self, what: impl Into<String>) -> Git {
        Git::at(&self.git_dir, what)
    }
}

/// Whether a text is the id of an object and cannot be anything else.
pub(crate) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn make(folder: &Path) -> Result<(), GitError> {
    fs::create_dir_all(folder).map_err(|source| GitError::File {
        path: folder.to_owned(),
        source,
    })
}

pub(crate) fn remove(folder: &Path) -> Result<(), GitError> {
    fs::remove_dir_all(folder).map_err(|source| GitError::File {
        path: folder.to_owned(),
        source,
    })
}
