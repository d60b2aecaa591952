//! A store whose power fails at a write that the test chooses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use polity_ledger::store::{
    Appended, Batch, Held, Lease, MemoryStore, Row, Span, Store, StoreError, Table,
};

/// What becomes of the write at which the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on the disk; nobody was told.
    Kept,
    /// It never reached the disk.
    Lost,
}

/// What outlives every failure.
pub(super) type Disk = Arc<MemoryStore>;

/// A disk until its power fails. From then on it takes nothing more.
pub(super) struct Powered {
    disk: Disk,
    /// Writes before the power fails; none where it does not.
    fails_at: usize,
    fate: Fate,
    writes: AtomicUsize,
    is_on: AtomicBool,
    /// Counts from when it is set.
    counts: AtomicBool,
}

impl Powered {
    pub(super) fn until(disk: &Disk, fails_at: usize, fate: Fate) -> Arc<Self> {
        Arc::new(Self {
            disk: disk.clone(),
            fails_at,
            fate,
            writes: AtomicUsize::new(0),
            is_on: AtomicBool::new(true),
            counts: AtomicBool::new(false),
        })
    }

    /// From now on writes count.
    pub(super) fn count(&self) {
        self.counts.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::SeqCst)
    }

    pub(super) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

fn dark() -> StoreError {
    StoreError::Engine("the power has failed".to_owned())
}

impl Store for Powered {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.get(table, key)
    }

    fn scan(&self, table: Table, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.disk.scan(table, span, limit)
    }

    fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        if !self.is_on() {
            return Err(dark());
        }
        if self.counts.load(Ordering::SeqCst)
            && self.writes.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at
        {
            self.is_on.store(false, Ordering::SeqCst);
            if self.fate == Fate::Kept {
                let _ = self.disk.append(batch)?;
            }
            return Err(dark());
        }
        self.disk.append(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        match self.is_on() {
            true => self.disk.sync(),
            false => Err(dark()),
        }
    }

    fn acquire(
        &self,
        name: &str,
        holder: &str,
        now_ms: u64,
        lifetime_ms: u64,
    ) -> Result<Result<Lease, Held>, StoreError> {
        self.disk.acquire(name, holder, now_ms, lifetime_ms)
    }
}
