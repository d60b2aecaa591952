//! Who changed a document, when and why, as git knows it. Without git, or outside a repository, there is no history.

use std::path::Path;
use std::process::{Command, Stdio};

/// Most changes that a page tells of.
const MOST: &str = "-n20";

/// One change.
pub(super) struct Change {
    pub(super) commit: String,
    pub(super) day: String,
    pub(super) by: String,
    pub(super) what: String,
}

/// The newest changes of a document first.
pub(super) fn history(company: &Path, file: &str) -> Vec<Change> {
    let log = Command::new("git")
        .arg("-C")
        .arg(company)
        .args([
            "--no-pager",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "log.showSignature=false",
        ])
        // A name is a name and no pattern.
        .arg("--literal-pathspecs")
        .args([
            "log",
            "--no-color",
            "--follow",
            MOST,
            "--format=%h%x1f%as%x1f%an%x1f%s",
            "--",
            file,
        ])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(log) = log else { return Vec::new() };
    if !log.status.success() {
        return Vec::new();
    }
    String::from_utf8_lossy(&log.stdout)
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(4, '\u{1f}').map(str::to_owned);
            Some(Change {
                commit: parts.next()?,
                day: parts.next()?,
                by: parts.next()?,
                what: parts.next()?,
            })
        })
        .collect()
}
