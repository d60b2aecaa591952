//! Which constitution this is. Every decision stores it, so that years later the rules of that day can be found.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The identity of a constitution.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// SHA-256, in hexadecimal, of the canonical JSON of all documents together.
    pub digest: String,
    /// The commit that was checked out, where the folder lies in a git work tree. It names the history; the digest
    /// names the content, which may have been edited since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
}

impl Version {
    pub(crate) fn of(canonical_documents: &str, commit: Option<String>) -> Self {
        Self {
            digest: hex::encode(Sha256::digest(canonical_documents)),
            commit,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{:.12}", self.digest)?;
        match &self.commit {
            Some(commit) => write!(f, " (commit {commit:.12})"),
            None => Ok(()),
        }
    }
}
