//! The files by which a running host is found: `server.json` says where it listens, `owner.token` opens its door, and
//! `up.lock` is held for as long as it lives, so that nobody has to guess whether a process id still means the same
//! process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{Readers, write_whole};
use super::report::Report;

/// Held by a running host.
const LOCK: &str = "up.lock";

/// What a running host says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Where it listens: `http://127.0.0.1:7654`.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// The company it runs.
    pub(crate) company: PathBuf,
    /// When it began to listen, in milliseconds since the epoch.
    pub(crate) started_ms: u64,
}

/// The right to run a host on a data folder. It ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Presence {
    data: PathBuf,
    announced: bool,
    _lock: File,
}

impl Server {
    /// The host that runs on a data folder, or ran there until it was killed.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read(data.join("server.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// The token that `up` leaves for the commands of its own user.
pub(crate) fn owner_token(data: &Path) -> Option<String> {
    let token = std::fs::read_to_string(data.join("owner.token")).ok()?;
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

impl Presence {
    /// Claims a data folder, which is made if it does not exist, and clears away what a killed host left there.
    pub(crate) fn claim(data: &Path) -> Result<Self, Report> {
        let unusable = |error: io::Error| {
            Report::new(format!("the data folder {} cannot be used", data.display()))
                .because(error)
                .hint("choose one that can be written: --data DIR")
        };
        make_private(data).map_err(unusable)?;
        let lock = lock_file(data).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(data)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        match std::fs::remove_file(data.join("server.json")) {
            Ok(()) => tracing::info!(
                "the last host here did not end by itself; its server.json is removed"
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self {
            data: data.to_owned(),
            announced: false,
            _lock: lock,
        })
    }

    /// Says where the host listens.
    pub(crate) fn announce(&mut self, server: &Server) -> Result<(), Report> {
        let text = serde_json::to_vec_pretty(server).map_err(io::Error::from);
        text.and_then(|text| write_whole(&self.data.join("server.json"), &text, Readers::Anyone))
            .map_err(|error| Report::new("server.json cannot be written").because(error))?;
        self.announced = true;
        Ok(())
    }

    /// Leaves the owner's token for the commands of the same user.
    pub(crate) fn leave_token(&self, token: &str) -> Result<(), Report> {
        write_whole(
            &self.data.join("owner.token"),
            format!("{token}\n").as_bytes(),
            Readers::Owner,
        )
        .map_err(|error| Report::new("owner.token cannot be written").because(error))
    }
}

/// The host that holds a data folder now, if one does and says so.
pub(crate) fn running(data: &Path) -> Option<Server> {
    let lock = OpenOptions::new().read(true).open(data.join(LOCK)).ok()?;
    // Shared and given back at once: this is no claim.
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Server::read(data),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn lock_file(data: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(data.join(LOCK))
}

/// What is in the ledger is the company's business: a folder that we make is its owner's alone.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.announced {
            let _ = std::fs::remove_file(self.data.join("server.json"));
        }
    }
}

fn held(data: &Path) -> Report {
    let report = Report::new(format!("a host runs on {} already", data.display()));
    match Server::read(data) {
        Some(server) => report
            .because(format!(
                "process {} serves {} at {}",
                server.pid,
                server.company.display(),
                server.url
            ))
            .hint("talk to it: polity status")
            .hint(
                "or start another one on another folder: polity up --data DIR --listen 127.0.0.1:0",
            ),
        None => report
            .because("it is just starting or just ending")
            .hint("try again in a second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            url: "http://127.0.0.1:7654".into(),
            pid: 4711,
            version: "0.1.0".into(),
            company: "protocols".into(),
            started_ms: 1,
        }
    }

    #[test]
    fn a_second_host_is_told_who_holds_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let mut first = Presence::claim(data.path()).unwrap();
        first.announce(&server()).unwrap();
        let seen = Presence::claim(data.path()).unwrap_err().seen();
        let seen = seen.replace(&data.path().display().to_string(), "DATA");
        insta::assert_snapshot!(seen, @"
        error: a host runs on DATA already
          because: process 4711 serves protocols at http://127.0.0.1:7654
          hint: talk to it: polity status
          hint: or start another one on another folder: polity up --data DIR --listen 127.0.0.1:0
        ");
        std::fs::remove_file(data.path().join("server.json")).unwrap();
        let seen = Presence::claim(data.path()).unwrap_err().seen();
        let seen = seen.replace(&data.path().display().to_string(), "DATA");
        insta::assert_snapshot!(seen, @"
        error: a host runs on DATA already
          because: it is just starting or just ending
          hint: try again in a second
        ");
    }

    #[test]
    fn a_host_that_ends_leaves_no_trace_and_one_that_was_killed_is_cleared_away() {
        let data = tempfile::tempdir().unwrap();
        let mut first = Presence::claim(data.path()).unwrap();
        first.announce(&server()).unwrap();
        assert_eq!(running(data.path()), Some(server()));
        drop(first);
        assert_eq!(Server::read(data.path()), None);

        std::fs::write(
            data.path().join("server.json"),
            serde_json::to_vec(&server()).unwrap(),
        )
        .unwrap();
        assert_eq!(running(data.path()), None, "it was killed");
        let _second = Presence::claim(data.path()).unwrap();
        assert_eq!(Server::read(data.path()), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_data_folder_that_is_made_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/data");
        let _presence = Presence::claim(&data).unwrap();
        assert_eq!(
            std::fs::metadata(&data).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_token_is_read_back_without_its_line_break() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(owner_token(data.path()), None);
        Presence::claim(data.path())
            .unwrap()
            .leave_token("secret")
            .unwrap();
        assert_eq!(owner_token(data.path()).as_deref(), Some("secret"));
    }
}
