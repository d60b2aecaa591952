//! What can go wrong with a repository, with the way out.

use std::path::PathBuf;

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("git cannot be run: {0}; install git 2.38 or newer and have it in the PATH")]
    NotInstalled(#[source] std::io::Error),
    /// The folder is in no repository.
    #[error(
        "{} is in no git repository: {said}; amendments are branches, so make it one: git init && git add . && git commit",
        folder.display()
    )]
    NoRepository {
        /// The company's folder.
        folder: PathBuf,
        /// What git said.
        said: String,
    },
    /// git has ended with an error.
    #[error("{what}: {said}")]
    Failed {
        /// What was tried, in words.
        what: String,
        /// What git said.
        said: String,
    },
    /// git took too long.
    #[error("{what}: it took longer than {seconds} s and was stopped")]
    TooLong {
        /// What was tried.
        what: String,
        /// What it had.
        seconds: u64,
    },
    /// git answered, or fetched, too much.
    #[error("{what}: it is more than the {most} bytes that are taken")]
    TooMuch {
        /// What was tried.
        what: String,
        /// The limit.
        most: u64,
    },
    /// There is no such branch or commit.
    #[error("there is no {0} in the repository; see which there are: git branch --all")]
    Unknown(String),
    /// A branch name that is none, or could be taken for something else.
    #[error("{name:?} is no name for a branch: {fault}")]
    BadBranch {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// No branch is checked out.
    #[error("no branch is checked out in {}; check one out: git switch main", .0.display())]
    Detached(PathBuf),
    /// Two lines of changes contradict each other.
    #[error(
        "the amendment and what has been merged since change the same lines of {}; merge the branch {onto} into the amendment, settle them, and submit it again",
        paths.join(", ")
    )]
    Conflict {
        /// Where.
        paths: Vec<String>,
        /// The branch to merge.
        onto: String,
    },
    /// What was agreed on is not what stands in the repository any more.
    #[error("{0}")]
    Moved(String),
    /// A file could not be written or read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
