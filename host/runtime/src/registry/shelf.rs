//! Versions that were accepted, kept so that a bad update can be taken back.
//!
//! Lies under the data folder, never in the plugin folder: what is dropped there cannot touch it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Versions kept of each plugin.
const KEPT: usize = 5;

/// The versions of all plugins.
pub(crate) struct Shelf {
    folder: PathBuf,
}

/// What is remembered of one plugin.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    /// Accepted versions, oldest first.
    pub(crate) accepted: Vec<Digest>,
    /// Versions that failed too often, and how.
    pub(crate) quarantined: BTreeMap<Digest, String>,
}

/// A version's files.
pub(crate) struct Version {
    pub(crate) wasm: Vec<u8>,
    pub(crate) signature: Option<Vec<u8>>,
}

impl History {
    /// The newest accepted version before `current` that is not in quarantine.
    pub(crate) fn before(&self, current: &Digest) -> Option<Digest> {
        let end = self
            .accepted
            .iter()
            .position(|digest| digest == current)
            .unwrap_or(self.accepted.len());
        self.accepted[..end]
            .iter()
            .rev()
            .find(|digest| !self.quarantined.contains_key(digest))
            .copied()
    }
}

impl Shelf {
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// What is remembered of a plugin; nothing for one that was never accepted.
    pub(crate) fn history(&self, name: &str) -> History {
        let read = std::fs::read(self.history_file(name));
        read.ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Keeps a version as the newest of its plugin.
    pub(crate) fn accept(&self, name: &str, digest: &Digest, version: &Version) -> io::Result<()> {
        std::fs::create_dir_all(self.folder.join(name))?;
        let mut history = self.history(name);
        if history.accepted.last() == Some(digest) {
            return Ok(());
        }
        write(&self.wasm_file(name, digest), &version.wasm)?;
        if let Some(signature) = &version.signature {
            write(&self.signature_file(name, digest), signature)?;
        }
        history.accepted.retain(|known| known != digest);
        history.accepted.push(*digest);
        while history.accepted.len() > KEPT {
            let oldest = history.accepted.remove(0);
            history.quarantined.remove(&oldest);
            std::fs::remove_file(self.wasm_file(name, &oldest))?;
            let _ = std::fs::remove_file(self.signature_file(name, &oldest));
        }
        self.remember(name, &history)
    }

    /// Marks a version as one that is not to be loaded by itself again.
    pub(crate) fn quarantine(&self, name: &str, digest: &Digest, reason: &str) -> io::Result<()> {
        let mut history = self.history(name);
        history.quarantined.insert(*digest, reason.to_owned());
        std::fs::create_dir_all(self.folder.join(name))?;
        self.remember(name, &history)
    }

    /// Gives a version another chance.
    pub(crate) fn pardon(&self, name: &str, digest: &Digest) -> io::Result<()> {
        let mut history = self.history(name);
        match history.quarantined.remove(digest) {
            Some(_) => self.remember(name, &history),
            None => Ok(()),
        }
    }

    /// A version's files, checked against its digest.
    pub(crate) fn version(&self, name: &str, digest: &Digest) -> io::Result<Version> {
        let wasm = std::fs::read(self.wasm_file(name, digest))?;
        if Digest::of(&wasm) != *digest {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the kept version has been altered",
            ));
        }
        Ok(Version {
            wasm,
            signature: std::fs::read(self.signature_file(name, digest)).ok(),
        })
    }

    fn remember(&self, name: &str, history: &History) -> io::Result<()> {
        write(
            &self.history_file(name),
            &serde_json::to_vec_pretty(history)?,
        )
    }

    fn history_file(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("history.json")
    }

    fn wasm_file(&self, name: &str, digest: &Digest) -> PathBuf {
        self.folder
            .join(name)
            .join(format!("{}.wasm", digest.to_hex()))
    }

    fn signature_file(&self, name: &str, digest: &Digest) -> PathBuf {
        self.folder
            .join(name)
            .join(format!("{}.wasm.minisig", digest.to_hex()))
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    std::fs::write(&unfinished, bytes)?;
    std::fs::File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().join("versions")).unwrap();
        (folder, shelf)
    }

    fn accept(shelf: &Shelf, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        shelf
            .accept(
                "rule",
                &digest,
                &Version {
                    wasm: content.to_vec(),
                    signature: None,
                },
            )
            .unwrap();
        digest
    }

    #[test]
    fn the_version_before_the_current_one_is_found() {
        let (_folder, shelf) = shelf();
        let (one, two) = (accept(&shelf, b"one"), accept(&shelf, b"two"));
        assert_eq!(shelf.history("rule").before(&two), Some(one));
        assert_eq!(shelf.history("rule").before(&one), None);
        assert_eq!(shelf.version("rule", &one).unwrap().wasm, b"one");
    }

    #[test]
    fn a_version_in_quarantine_is_passed_over_until_it_is_pardoned() {
        let (_folder, shelf) = shelf();
        let (one, two, three) = (
            accept(&shelf, b"one"),
            accept(&shelf, b"two"),
            accept(&shelf, b"three"),
        );
        shelf.quarantine("rule", &two, "it trapped").unwrap();
        assert_eq!(shelf.history("rule").before(&three), Some(one));
        shelf.pardon("rule", &two).unwrap();
        assert_eq!(shelf.history("rule").before(&three), Some(two));
    }

    #[test]
    fn only_the_newest_versions_are_kept() {
        let (_folder, shelf) = shelf();
        let all: Vec<Digest> = (0..9_u8).map(|n| accept(&shelf, &[n])).collect();
        assert_eq!(shelf.history("rule").accepted, all[4..]);
        assert!(shelf.version("rule", &all[0]).is_err());
    }

    #[test]
    fn a_version_that_was_altered_is_not_handed_out() {
        let (_folder, shelf) = shelf();
        let one = accept(&shelf, b"one");
        std::fs::write(shelf.wasm_file("rule", &one), b"evil").unwrap();
        assert!(shelf.version("rule", &one).is_err());
    }
}
