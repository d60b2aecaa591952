//! A constitution that is pushed to a git remote: its branch is fetched, checked, and brought into the company's folder,
//! where it is in force and stays so whatever becomes of the remote.
//!
//! The folder is the host's own then. A push is written to it completely or not at all: it is prepared beside, named
//! ready, and copied; a host that was stopped in between goes on copying when it starts. A push that does not load is
//! told, and the version before it stays.

mod bring;
mod follow;

use std::time::Duration;

use polity_constitution::Problems;
use polity_repository::{GitError, Remote};
use serde::Serialize;

pub(crate) use bring::{Brought, at_start, deploy, known, stage};

/// Where a constitution comes from.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The repository and its branch.
    pub remote: Remote,
    /// How often it is asked without being told to.
    pub every: Duration,
}

/// How it stands with the remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemoteState {
    /// The remote and its branch, without a password.
    pub remote: String,
    /// The commit whose documents are in the folder.
    pub commit: Option<String>,
    /// When the remote was asked last.
    pub asked_at_ms: u64,
    /// Why what it holds is not in force; none where it is.
    pub trouble: Option<String>,
    /// What is wrong with what it holds, place by place.
    pub problems: Option<Problems>,
}

/// What came of asking the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// What it holds is in force already.
    Unchanged,
    /// Another constitution is in force now.
    Changed,
}

/// Why the constitution in force stays.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// There is no remote.
    #[error("this host follows no remote; start it with one: polity up --constitution-remote URL")]
    NoRemote,
    /// It cannot be fetched.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What it holds does not load.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The folder cannot be written.
    #[error("{}: {source}", path.display())]
    Folder {
        /// What.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It could not be put in force.
    #[error(transparent)]
    Reload(#[from] crate::ReloadError),
    /// Something of the machine.
    #[error("{0}")]
    Failed(String),
}
