//! Opening a sled folder, and repairing the one kind of damage that can be repaired.
//!
//! sled writes a snapshot of its page table to speed up the next start. A stop at the wrong moment can leave that
//! file empty or torn, and sled then refuses to open though its log holds everything. So the second attempt moves the
//! snapshots aside and lets sled read its whole log. Damage to the log itself shows as an error or as a panic deep
//! inside; the attempts run on a thread of their own so that either becomes a message.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::StoreError;

/// sled gives its lock back from a background thread, a moment after it was closed.
const LOCK_ATTEMPTS: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// A commit that nobody waits for may be lost for half a second; the writer may hold it back a little before sled's
/// own flush comes round.
const FLUSH_EVERY_MS: u64 = 450;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error(
        "{} is in use{}: only one process may have a ledger open; stop the other one or choose another folder",
        path.display(),
        holder.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, if it could be told.
        holder: Option<u32>,
    },
    /// The folder cannot be used.
    #[error("cannot use {} as a ledger folder: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data does not open.
    #[error(
        "the ledger in {} is damaged: {reason}{}; restore the folder from a backup",
        path.display(),
        if *repaired { " (reading it without its snapshot, now in repair/, did not help)" } else { "" }
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// Whether a snapshot was moved aside.
        repaired: bool,
    },
    /// The data opens, but events are missing that had reached the disk.
    #[error(
        "the ledger in {} is damaged: event {seq}, which had reached the disk, is gone; restore the folder from a backup, \
         or, to go on with what is left, delete the file witness in it",
        path.display()
    )]
    Lost {
        /// The folder.
        path: PathBuf,
        /// The newest event that was known to be durable.
        seq: u64,
    },
    /// The note of how far the disk had come does not read.
    #[error(
        "{} does not read, so nothing shows whether the ledger is complete; restore the folder from a backup, \
         or delete this file and verify the ledger",
        path.display()
    )]
    Witness {
        /// The file.
        path: PathBuf,
    },
    /// Another version wrote the data.
    #[error(
        "the ledger has format {found:?}, this version reads \"1\" to \"3\": use the version that wrote it"
    )]
    Format {
        /// What the folder says.
        found: String,
    },
    /// Another node writes this ledger.
    #[error(transparent)]
    Held(#[from] super::Held),
    /// The store failed while it was opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the folder, if need be without its snapshots.
pub(super) fn open(folder: &Path, cache_bytes: u64, now_ms: u64) -> Result<sled::Db, OpenError> {
    let first = match attempt(folder, cache_bytes) {
        Ok(db) => return Ok(db),
        Err(reason) => reason,
    };
    let moved = move_snapshots_aside(folder, now_ms).map_err(|source| OpenError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let damaged = |reason, repaired| OpenError::Damaged {
        path: folder.to_owned(),
        reason,
        repaired,
    };
    if moved == 0 {
        return Err(damaged(first, false));
    }
    tracing::warn!(folder = %folder.display(), reason = first, moved, "reading the ledger without its snapshot");
    attempt(folder, cache_bytes).map_err(|reason| damaged(reason, true))
}

fn attempt(folder: &Path, cache_bytes: u64) -> Result<sled::Db, String> {
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    let thread = thread::Builder::new().name("ledger-open".to_owned());
    let opened = thread.spawn(move || {
        guard(|| {
            let db = open_when_unlocked(&config)?;
            // Damage often shows only when the first pages are read.
            db.first()?;
            db.last()?;
            Ok(db)
        })
    });
    let joined = opened.map_err(|error| error.to_string())?.join();
    joined
        .unwrap_or_else(|_| Err(StoreError::Engine("the opening thread died".to_owned())))
        .map_err(|e| match e {
            StoreError::Engine(reason) | StoreError::Damaged(reason) => reason,
        })
}

fn open_when_unlocked(config: &sled::Config) -> sled::Result<sled::Db> {
    let mut attempts = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if attempts < LOCK_ATTEMPTS && error.to_string().contains("acquire lock") =>
            {
                attempts += 1;
                thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Runs sled code; a panic in it is damage, not the end of the process.
pub(super) fn guard<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    // sled's own structures stay behind its locks; after a panic the ledger stops writing, so nothing half-done is
    // built upon.
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Corruption { at, .. })) => Err(StoreError::Damaged(match at {
            Some(at) => format!("unreadable page at {at:?}"),
            None => "unreadable page".to_owned(),
        })),
        Ok(Err(error)) => Err(StoreError::Engine(error.to_string())),
        Err(panic) => Err(StoreError::Damaged(panic_text(panic.as_ref()))),
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the engine gave up: {}", text.unwrap_or("without a reason"))
}

/// Returns how many there were.
fn move_snapshots_aside(folder: &Path, now_ms: u64) -> io::Result<usize> {
    let mut moved = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") {
            let aside = folder.join("repair");
            fs::create_dir_all(&aside)?;
            fs::rename(
                entry.path(),
                aside.join(format!("{now_ms}-{}", name.to_string_lossy())),
            )?;
            moved += 1;
        }
    }
    Ok(moved)
}
