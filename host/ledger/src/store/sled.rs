//! The store on sled 0.34.7.
//!
//! All tables share one tree, each under its own first byte, because a batch on one tree is the cheapest atomic write
//! sled has: measured beside a transaction over four trees it was as fast for 64 commits in a batch and a quarter
//! faster for 16.
//!
//! On Linux sled's own flush ends in `sync_file_range`, which leaves the drive's cache and the file's new length
//! alone. That survives a killed process, not a lost power supply, so [`Store::sync`] asks for `fdatasync` as well.

use std::fs::{self, File, OpenOptions};
use std::ops::Bound;
use std::path::Path;

use parking_lot::{Mutex, MutexGuard};

use super::chunk::{self, Stored};
use super::folder_lock::{FolderLock, LockError};
use super::lease::{self, LeaseRow};
use super::open::{self, OpenError, guard};
use super::{Appended, Batch, Held, Lease, Row, Span, Store, StoreError, Table};

const TREE: &str = "ledger";
/// A piece is missing when a writer was faster. A reader that was overtaken this often makes the writers wait.
const READ_ATTEMPTS: u32 = 3;

/// A store in a folder.
#[derive(Debug)]
pub struct SledStore {
    // Fields are dropped in this order: the folder is free again when sled is done with it.
    tree: sled::Tree,
    _db: sled::Db,
    file: File,
    /// Makes the check and the write of `append` one step.
    writing: Mutex<()>,
    _lock: FolderLock,
}

impl SledStore {
    /// Opens a folder, or makes it. Blocks; repairs a damaged snapshot. `now_ms` names what is moved aside.
    ///
    /// # Errors
    /// The folder is in use, unusable or damaged.
    pub fn open(folder: &Path, cache_bytes: u64, now_ms: u64) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(unusable)?;
        let lock = FolderLock::acquire(folder).map_err(|error| match error {
            LockError::Held(holder) => OpenError::Locked {
                path: folder.to_owned(),
                holder,
            },
            LockError::Io(source) => unusable(source),
        })?;
        let db = open::open(folder, cache_bytes, now_ms)?;
        let tree = guard(|| db.open_tree(TREE))?;
        let file = OpenOptions::new()
            .write(true)
            .open(folder.join("db"))
            .map_err(unusable)?;
        // The names of new files must survive too.
        #[cfg(unix)]
        for folder in [
            Some(folder),
            folder
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty()),
        ]
        .into_iter()
        .flatten()
        {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(unusable)?;
        }
        let store = Self {
            tree,
            _db: db,
            file,
            writing: Mutex::new(()),
            _lock: lock,
        };
        store.sync()?;
        Ok(store)
    }

    /// How many rows there are, pieces included.
    #[cfg(test)]
    pub(super) fn rows(&self) -> usize {
        self.tree.iter().count()
    }

    /// Damages the store as bad media would.
    #[cfg(test)]
    pub(super) fn lose_a_piece(&self) {
        // Pieces sort before every table.
        self.tree.pop_min().unwrap();
    }

    /// `None` when a piece is missing because the value has been replaced meanwhile.
    fn resolve(&self, key: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match chunk::decode(row) {
            None => Err(StoreError::Damaged("a row has an unknown form".to_owned())),
            Some(Stored::Inline(value)) => Ok(Some(value.to_vec())),
            Some(Stored::Cut(pieces)) => {
                let mut value = Vec::new();
                for key in pieces.keys(key) {
                    match guard(|| self.tree.get(&key))? {
                        Some(piece) => value.extend_from_slice(&piece),
                        None => return Ok(None),
                    }
                }
                Ok(Some(value))
            }
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        for _ in 0..READ_ATTEMPTS {
            let Some(row) = guard(|| self.tree.get(key))? else {
                return Ok(None);
            };
            if let Some(value) = self.resolve(key, &row)? {
                return Ok(Some(value));
            }
        }
        self.read_alone(key, &self.writing.lock())
    }

    /// Reads while nobody writes: a piece that is missing now is lost.
    fn read_alone(
        &self,
        key: &[u8],
        _writing: &MutexGuard<'_, ()>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(row) = guard(|| self.tree.get(key))? else {
            return Ok(None);
        };
        match self.resolve(key, &row)? {
            Some(value) => Ok(Some(value)),
            None => Err(StoreError::Damaged(
                "a piece of a big value is missing".to_owned(),
            )),
        }
    }

    /// Adds a write to the batch, and the removal of what the row's old value was cut into.
    fn stage(
        &self,
        table: Table,
        key: &[u8],
        value: Option<&[u8]>,
        batch: &mut sled::Batch,
    ) -> Result<(), StoreError> {
        // The rows of the chain and its indexes are written once; the others may have been big before.
        if matches!(table, Table::State | Table::Meta)
            && let Some(old) = guard(|| self.tree.get(key))?
            && let Some(Stored::Cut(pieces)) = chunk::decode(&old)
        {
            pieces.keys(key).for_each(|piece| batch.remove(piece));
        }
        match value {
            None => batch.remove(key),
            Some(value) => {
                let (row, pieces) = chunk::encode(key, value, || crate::new_id(0).as_u64_pair().1);
                batch.insert(key, row);
                pieces
                    .into_iter()
                    .for_each(|(key, piece)| batch.insert(key, piece));
            }
        }
        Ok(())
    }
}

impl Store for SledStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&full_key(table, key))
    }

    fn scan(&self, table: Table, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError> {
        if span.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        let mut range = self.tree.range::<Vec<u8>, _>(full_range(table, span));
        while rows.len() < limit {
            let next = if span.newest_first {
                guard(|| range.next_back().transpose())?
            } else {
                guard(|| range.next().transpose())?
            };
            let Some((key, row)) = next else { break };
            // A row that was replaced since is read again; one that was removed since is left out.
            let value = match self.resolve(&key, &row)? {
                Some(value) => Some(value),
                None => self.read(&key)?,
            };
            rows.extend(value.map(|value| (key[1..].to_vec(), value)));
        }
        Ok(rows)
    }

    fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        let writing = self.writing.lock();
        if let Some(fence) = &batch.fence {
            let row = LeaseRow::decode(self.read_alone(
                &full_key(Table::Meta, &lease::row_key(&fence.lease)),
                &writing,
            )?)?;
            if !fence.holds(row.as_ref()) {
                return Ok(Appended::Fenced);
            }
        }
        for (index, expect) in batch.expect.iter().enumerate() {
            if self.read_alone(&full_key(expect.table, &expect.key), &writing)? != expect.value {
                return Ok(Appended::Changed(index));
            }
        }
        let mut staged = sled::Batch::default();
        for write in &batch.writes {
            self.stage(
                write.table,
                &full_key(write.table, &write.key),
                write.value.as_deref(),
                &mut staged,
            )?;
        }
        guard(|| self.tree.apply_batch(staged))?;
        Ok(Appended::Done)
    }

    fn sync(&self) -> Result<(), StoreError> {
        guard(|| self.tree.flush())?;
        self.file
            .sync_data()
            .map_err(|error| StoreError::Engine(error.to_string()))
    }

    fn acquire(
        &self,
        name: &str,
        holder: &str,
        now_ms: u64,
        lifetime_ms: u64,
    ) -> Result<Result<Lease, Held>, StoreError> {
        let writing = self.writing.lock();
        let key = full_key(Table::Meta, &lease::row_key(name));
        let present = LeaseRow::decode(self.read_alone(&key, &writing)?)?;
        let row = match LeaseRow::grant(present, holder, now_ms, lifetime_ms) {
            Ok(row) => row,
            Err(held) => return Ok(Err(held)),
        };
        let mut staged = sled::Batch::default();
        self.stage(Table::Meta, &key, Some(&row.encode()?), &mut staged)?;
        guard(|| self.tree.apply_batch(staged))?;
        self.sync()?;
        Ok(Ok(row.lease(name)))
    }
}

fn tag(table: Table) -> u8 {
    match table {
        Table::Events => b'E',
        Table::Subjects => b'S',
        Table::Kinds => b'K',
        Table::State => b'T',
        Table::Meta => b'M',
    }
}

fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    [&[tag(table)], key].concat()
}

fn full_range(table: Table, span: &Span) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let from = match &span.from {
        Bound::Unbounded => Bound::Included(vec![tag(table)]),
        Bound::Included(key) => Bound::Included(full_key(table, key)),
        Bound::Excluded(key) => Bound::Excluded(full_key(table, key)),
    };
    let to = match &span.to {
        Bound::Unbounded => Bound::Excluded(vec![tag(table) + 1]),
        Bound::Included(key) => Bound::Included(full_key(table, key)),
        Bound::Excluded(key) => Bound::Excluded(full_key(table, key)),
    };
    (from, to)
}
