//! The memory across a restart.

use serde::{Deserialize, Serialize};

use crate::watch::Watch;

const VERSION: u32 = 1;

/// Why a snapshot was not read. Statistics come back with use: start from an empty watch.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is no snapshot.
    #[error("the statistics do not read ({0}): start from an empty watch, use will fill it again")]
    Unreadable(#[from] serde_json::Error),
    /// It is of another version.
    #[error(
        "the statistics are of version {0} and this program reads {VERSION}: start from an empty watch"
    )]
    Version(u32),
    /// Parts of it contradict each other.
    #[error("the statistics contradict themselves: start from an empty watch")]
    Inconsistent,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    watch: &'a Watch,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    watch: Watch,
}

impl Watch {
    /// Everything that is remembered, to be stored.
    ///
    /// # Errors
    /// Never for a watch that this crate made; the error of the serialiser is passed on rather than hidden.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let written = Written {
            version: VERSION,
            watch: self,
        };
        Ok(serde_json::to_vec(&written)?)
    }

    /// What was stored.
    ///
    /// # Errors
    /// See [`SnapshotError`]; none is a reason not to open the database.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let Read { watch } = serde_json::from_slice(bytes)?;
        if watch.is_sound() {
            Ok(watch)
        } else {
            Err(SnapshotError::Inconsistent)
        }
    }
}
