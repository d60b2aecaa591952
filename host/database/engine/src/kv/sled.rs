//! The store on sled 0.34.7.
//!
//! All trees share one sled tree, each key behind the number of its tree: a batch on one tree is the cheapest atomic
//! write sled has, and atomic over all of ours. sled writes a snapshot of its page table to start faster; a stop at the
//! wrong moment can tear that file, and sled then refuses to open though its log holds everything. So a second attempt
//! moves the snapshots into `repair/` and reads the whole log. sled also panics on damaged pages: every call is guarded
//! and a panic becomes an error.
//!
//! sled's flush ends in `sync_file_range`, which survives a killed process but not a lost power supply, so
//! [`KvStore::sync`] asks for `fdatasync` as well.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use super::{KvError, KvStore, Op, Pair, TreeId};

/// sled gives its lock back from a background thread, a moment after it was closed.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// What the process of a crash loses at most of writes nobody waited for.
const FLUSH_EVERY_MS: u64 = 450;

/// A store in a folder.
#[derive(Debug)]
pub struct SledKv {
    tree: sled::Tree,
    _db: sled::Db,
    file: File,
    repaired: bool,
}

impl SledKv {
    /// Opens a folder or makes it, if need be without its snapshots. `cache_bytes` is what sled itself may hold; the
    /// engine holds its own copy, so 16 to 64 MiB are plenty.
    ///
    /// # Errors
    /// The folder is in use, unusable or damaged.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, KvError> {
        fs::create_dir_all(folder).map_err(failed)?;
        let (db, repaired) = match attempt(folder, cache_bytes) {
            Ok(db) => (db, false),
            Err(KvError::InUse { folder }) => return Err(KvError::InUse { folder }),
            Err(first) => {
                if move_snapshots_aside(folder).map_err(failed)? == 0 {
                    return Err(first);
                }
                tracing::warn!(folder = %folder.display(), reason = %first, "reading the database without its snapshot");
                (attempt(folder, cache_bytes)?, true)
            }
        };
        let tree = guard(|| db.open_tree("polity-engine"))?;
        let file = OpenOptions::new()
            .write(true)
            .open(folder.join("db"))
            .map_err(failed)?;
        let store = Self {
            tree,
            _db: db,
            file,
            repaired,
        };
        store.sync()?;
        #[cfg(unix)]
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(store)
    }

    /// Whether a damaged snapshot was moved aside when it was opened.
    pub fn was_repaired(&self) -> bool {
        self.repaired
    }
}

impl KvStore for SledKv {
    fn get(&self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        Ok(guard(|| self.tree.get(full(tree, key)))?.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        tree: TreeId,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        // sled panics on a range that ends before it begins.
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let end = match to {
            Some(to) => full(tree, to),
            None => (tree + 1).to_be_bytes().to_vec(),
        };
        guard(|| {
            let range = self.tree.range(full(tree, from)..end);
            let cut = |pair: sled::Result<(sled::IVec, sled::IVec)>| {
                pair.map(|(key, value)| (key[4..].to_vec(), value.to_vec()))
            };
            if reverse {
                range.rev().take(limit).map(cut).collect()
            } else {
                range.take(limit).map(cut).collect()
            }
        })
    }

    fn apply(&self, batch: &[Op]) -> Result<(), KvError> {
        let mut staged = sled::Batch::default();
        for (tree, key, value) in batch {
            let key = full(*tree, key);
            match value {
                Some(value) => staged.insert(key, value.as_slice()),
                None => staged.remove(key),
            }
        }
        guard(|| self.tree.apply_batch(staged))
    }

    fn sync(&self) -> Result<(), KvError> {
        guard(|| self.tree.flush())?;
        self.file.sync_data().map_err(failed)
    }
}

fn full(tree: TreeId, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(4 + key.len());
    full.extend(tree.to_be_bytes());
    full.extend(key);
    full
}

fn failed(error: impl std::fmt::Display) -> KvError {
    KvError::Failed {
        reason: error.to_string(),
    }
}

fn attempt(folder: &Path, cache_bytes: u64) -> Result<sled::Db, KvError> {
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    let mut attempts = 0;
    loop {
        // Damage often shows only when the first pages are read.
        let opened = guard(|| {
            let db = config.open()?;
            db.first()?;
            db.last()?;
            Ok(db)
        });
        match opened {
            Err(KvError::Failed { reason }) if reason.contains("acquire lock") => {
                attempts += 1;
                if attempts >= LOCK_ATTEMPTS {
                    return Err(KvError::InUse {
                        folder: folder.display().to_string(),
                    });
                }
                std::thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

fn guard<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, KvError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Corruption { at, .. })) => Err(KvError::Damaged {
            reason: format!("unreadable page at {at:?}"),
        }),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(KvError::Damaged {
            reason: "sled gave up".to_owned(),
        }),
    }
}

fn move_snapshots_aside(folder: &Path) -> io::Result<usize> {
    let mut moved = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            let aside = folder.join("repair");
            fs::create_dir_all(&aside)?;
            fs::rename(entry.path(), aside.join(entry.file_name()))?;
            moved += 1;
        }
    }
    Ok(moved)
}
