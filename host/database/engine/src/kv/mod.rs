//! What the engine asks of a store of bytes, and no more.
//!
//! Trees of ordered keys, one atomic write over all of them, and a flush. Reads that must be consistent are made on the
//! engine's own copy in memory, so a store needs neither snapshots nor transactions. A tree is a number in front of the
//! key; a store may keep all trees in one.

mod faulty;
mod memory;
mod sled;

use serde::Serialize;

pub use faulty::{Fault, FaultyKv};
pub use memory::MemoryKv;
pub use sled::SledKv;

/// The number of an ordered key space.
pub type TreeId = u32;

/// One change: the tree, the key, and its new value or `None` to remove it.
pub type Op = (TreeId, Vec<u8>, Option<Vec<u8>>);

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Why the store could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "store", rename_all = "kebab-case")]
pub enum KvError {
    /// The engine or the disk refused.
    #[error("the store failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// What is stored is not what was written.
    #[error("stored data is damaged ({reason}): restore a backup")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// Another process has the folder open.
    #[error(
        "{folder} is in use by another process: only one may have a database open; stop it or choose another folder"
    )]
    InUse {
        /// The folder.
        folder: String,
    },
}

/// An ordered store of bytes. Calls may block. Many threads read, one at a time writes.
pub trait KvStore: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>, KvError>;

    /// At most `limit` pairs with `from <= key` and `key < to`, from the end when `reverse`. `to` `None` is the end of
    /// the tree.
    ///
    /// # Errors
    /// The store failed.
    fn scan(
        &self,
        tree: TreeId,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError>;

    /// Applies all or nothing, also across a crash; a later change of the same key wins. Durable only after
    /// [`KvStore::sync`].
    ///
    /// # Errors
    /// The store failed; nothing is known of the batch until the store is opened again.
    fn apply(&self, batch: &[Op]) -> Result<(), KvError>;

    /// Returns when everything applied before is on the disk.
    ///
    /// # Errors
    /// The store failed.
    fn sync(&self) -> Result<(), KvError>;
}
