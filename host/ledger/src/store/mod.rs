//! What the ledger asks of a storage engine, and no more.
//!
//! Five ordered tables of bytes, one atomic write with preconditions, and leases whose tokens fence off a writer that
//! has been replaced. Shaped so that PostgreSQL can implement it as it is: a table each with `key bytea primary key`,
//! [`Store::append`] as one transaction that reads the lease row `FOR SHARE` and checks the expectations, and
//! [`Store::acquire`] as one `INSERT … ON CONFLICT DO UPDATE … WHERE`.

mod chunk;
#[cfg(test)]
mod conformance;
mod folder_lock;
mod lease;
mod memory;
mod open;
mod sled;

use std::ops::Bound;

pub use lease::{Fence, Held, Lease};
pub use memory::MemoryStore;
pub use open::OpenError;
pub(crate) use open::panic_text;
pub use sled::SledStore;

/// One ordered key space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The chain.
    Events,
    /// Events by subject.
    Subjects,
    /// Events by kind.
    Kinds,
    /// What the system keeps beside its events.
    State,
    /// The head of the chain, the format, the leases.
    Meta,
}

/// A stretch of a table's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub from: Bound<Vec<u8>>,
    /// Where it ends.
    pub to: Bound<Vec<u8>>,
    /// Hand the rows over from the end.
    pub newest_first: bool,
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// Its new value, `None` to remove it.
    pub value: Option<Vec<u8>>,
}

/// What must be true for a batch to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Where.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// Its value, `None` for absent.
    pub value: Option<Vec<u8>>,
}

/// Writes that are applied together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Refuse unless this lease is still held with this token.
    pub fence: Option<Fence>,
    /// Refuse unless all of these hold.
    pub expect: Vec<Expect>,
    /// At most one for each key.
    pub writes: Vec<Write>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// Applied.
    Done,
    /// Not applied: the lease has a newer token.
    Fenced,
    /// Not applied: this expectation, by position, does not hold.
    Changed(usize),
}

/// Why the engine could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The engine or the disk refused.
    #[error("storage failed: {0}")]
    Engine(String),
    /// What is stored is not what was written.
    #[error("stored data is damaged: {0}; restore the folder from a backup")]
    Damaged(String),
}

/// An ordered store of bytes with compare-and-set.
///
/// Every call may block. Implementations are shared by many reading threads and one writing thread. A call sees
/// everything that an earlier finished call wrote; two calls need not see the same state.
pub trait Store: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows of a stretch, in its order.
    ///
    /// # Errors
    /// The engine failed.
    fn scan(&self, table: Table, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Applies a batch if its fence and all its expectations hold. Atomic against crashes and against other calls;
    /// durable only after [`Store::sync`].
    ///
    /// # Errors
    /// The engine failed; whether the batch is stored is unknown until the store is opened again.
    fn append(&self, batch: Batch) -> Result<Appended, StoreError>;

    /// Returns when everything appended before the call is on the disk.
    ///
    /// # Errors
    /// The engine failed; whether earlier batches are durable is unknown.
    fn sync(&self) -> Result<(), StoreError>;

    /// Takes a lease, or takes it again. A holder other than the present one gets it only after it has expired. Each
    /// taking gets a greater token, and writes that show an older one are refused from then on.
    ///
    /// # Errors
    /// The engine failed. That somebody else holds the lease is an answer, not an error.
    fn acquire(
        &self,
        name: &str,
        holder: &str,
        now_ms: u64,
        lifetime_ms: u64,
    ) -> Result<Result<Lease, Held>, StoreError>;
}

impl Span {
    /// The whole table.
    pub fn all() -> Self {
        Self {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            newest_first: false,
        }
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let prefix = prefix.into();
        // The first key after all of them: the prefix with its last byte below 255 raised, cut there.
        let to = match prefix.iter().rposition(|byte| *byte < u8::MAX) {
            None => Bound::Unbounded,
            Some(last) => {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                Bound::Excluded(end)
            }
        };
        Self {
            from: Bound::Included(prefix),
            to,
            newest_first: false,
        }
    }

    /// Begins behind `key`.
    #[must_use]
    pub fn after(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.from = Bound::Excluded(key.into());
        self
    }

    /// From the end.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    /// Engines disagree on a stretch whose end is before its beginning (some panic), so none gets to see one.
    fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_name() {
        assert_eq!(Span::prefix(b"ab").to, Bound::Excluded(b"ac".to_vec()));
        assert_eq!(Span::prefix(b"a\xff").to, Bound::Excluded(b"b".to_vec()));
        assert_eq!(Span::prefix(b"\xff\xff").to, Bound::Unbounded);
        assert_eq!(Span::prefix(b"").to, Bound::Unbounded);
    }

    #[test]
    fn a_stretch_that_ends_before_it_begins_is_empty() {
        assert!(Span::prefix(b"a").after(b"b".as_slice()).is_empty());
        assert!(!Span::prefix(b"a").after(b"ab".as_slice()).is_empty());
        assert!(!Span::all().is_empty());
    }
}
