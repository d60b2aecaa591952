//! A store that forgets: for tests, and for data that need not stay.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::RwLock;

use super::{KvError, KvStore, Op, Pair, TreeId};

/// Everything in a store.
pub(super) type Image = BTreeMap<(TreeId, Vec<u8>), Vec<u8>>;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryKv {
    rows: RwLock<Image>,
}

impl MemoryKv {
    /// Everything in it, to copy a state.
    pub(super) fn image(&self) -> Image {
        self.rows.read().clone()
    }

    pub(super) fn from_image(image: Image) -> Self {
        Self {
            rows: RwLock::new(image),
        }
    }
}

impl KvStore for MemoryKv {
    fn get(&self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.rows.read().get(&(tree, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        tree: TreeId,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let rows = self.rows.read();
        let end = match to {
            Some(to) => Bound::Excluded((tree, to.to_vec())),
            None => Bound::Excluded((tree + 1, Vec::new())),
        };
        let range = rows.range((Bound::Included((tree, from.to_vec())), end));
        let copy = |((_, key), value): (&(TreeId, Vec<u8>), &Vec<u8>)| (key.clone(), value.clone());
        Ok(if reverse {
            range.rev().take(limit).map(copy).collect()
        } else {
            range.take(limit).map(copy).collect()
        })
    }

    fn apply(&self, batch: &[Op]) -> Result<(), KvError> {
        let mut rows = self.rows.write();
        for (tree, key, value) in batch {
            match value {
                Some(value) => rows.insert((*tree, key.clone()), value.clone()),
                None => rows.remove(&(*tree, key.clone())),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        Ok(())
    }
}
