//! The store in memory: for tests, for a demonstration, and as the plainest statement of what a store does.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::lease::{self, LeaseRow};
use super::{Appended, Batch, Held, Lease, Row, Span, Store, StoreError, Table};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: RwLock<BTreeMap<Table, Rows>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .tables
            .read()
            .get(&table)
            .and_then(|rows| rows.get(key))
            .cloned())
    }

    fn scan(&self, table: Table, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError> {
        let tables = self.tables.read();
        let Some(rows) = tables.get(&table).filter(|_| !span.is_empty()) else {
            return Ok(Vec::new());
        };
        let rows = rows.range::<Vec<u8>, _>((span.from.as_ref(), span.to.as_ref()));
        let copy = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(if span.newest_first {
            rows.rev().take(limit).map(copy).collect()
        } else {
            rows.take(limit).map(copy).collect()
        })
    }

    fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        let mut tables = self.tables.write();
        let value = |table: Table, key: &[u8]| tables.get(&table).and_then(|rows| rows.get(key));
        if let Some(fence) = &batch.fence {
            let row = LeaseRow::decode(value(Table::Meta, &lease::row_key(&fence.lease)).cloned())?;
            if !fence.holds(row.as_ref()) {
                return Ok(Appended::Fenced);
            }
        }
        if let Some(index) = batch
            .expect
            .iter()
            .position(|expect| value(expect.table, &expect.key) != expect.value.as_ref())
        {
            return Ok(Appended::Changed(index));
        }
        for write in batch.writes {
            let rows = tables.entry(write.table).or_default();
            match write.value {
                Some(value) => rows.insert(write.key, value),
                None => rows.remove(&write.key),
            };
        }
        Ok(Appended::Done)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn acquire(
        &self,
        name: &str,
        holder: &str,
        now_ms: u64,
        lifetime_ms: u64,
    ) -> Result<Result<Lease, Held>, StoreError> {
        let mut tables = self.tables.write();
        let rows = tables.entry(Table::Meta).or_default();
        let key = lease::row_key(name);
        let present = LeaseRow::decode(rows.get(&key).cloned())?;
        match LeaseRow::grant(present, holder, now_ms, lifetime_ms) {
            Err(held) => Ok(Err(held)),
            Ok(row) => {
                rows.insert(key, row.encode()?);
                Ok(Ok(row.lease(name)))
            }
        }
    }
}
