//! Where an index lives: in memory alone, or in the store too.
//!
//! An index says nothing that its rows do not say. While both are held in memory it is made from them when it is first
//! asked for, quicker than it could be read, and nothing of it is written: a write costs the store its row and no more,
//! and whatever a crash leaves of the rows, the index agrees with it. An index that outgrows memory, or whose rows do,
//! moves into the store, once, and is written with its rows from then on. A mark beside the catalogue says so; without
//! the mark, entries in the store are what a move left that did not come to its end.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::blocks::Blocks;
use crate::catalogue::{BuildState, Catalogue, Collection, Index, META};
use crate::change::txn::entry;
use crate::codec::row::RowRef;
use crate::error::EngineError;
use crate::exec::damaged;
use crate::kv::{KvError, KvStore, Op, Pair, TreeId};

const MARK: &[u8] = b"stored/";
/// Entries moved at a time: a batch holds up everybody who reads the store meanwhile.
const MOVED: usize = 200;

/// Which indexes live in memory alone.
#[derive(Default)]
pub(super) struct Homes {
    stored: FxHashSet<TreeId>,
    derived: FxHashSet<TreeId>,
}

/// What an index is made from.
pub(super) struct Origin {
    /// The tree of the rows.
    pub(super) rows: TreeId,
    collection: Arc<Collection>,
    index: Index,
}

/// The write that says an index is in the store.
pub(crate) fn mark(tree: TreeId) -> Op {
    (META, marked(tree), Some(Vec::new()))
}

/// The write that takes it back.
pub(crate) fn unmark(tree: TreeId) -> Op {
    (META, marked(tree), None)
}

fn marked(tree: TreeId) -> Vec<u8> {
    [MARK, &tree.to_be_bytes()].concat()
}

impl Homes {
    /// Reads the marks.
    pub(super) fn load(kv: &dyn KvStore, catalogue: &Catalogue) -> Result<Self, KvError> {
        let mut end = MARK.to_vec();
        end.push(0xff);
        end.extend([0xff; 4]);
        let tree = |key: &[u8]| {
            let number = key.get(MARK.len()..)?.try_into().ok()?;
            Some(TreeId::from_be_bytes(number))
        };
        let marks = kv.scan(META, MARK, Some(&end), false, usize::MAX)?;
        let mut homes = Self {
            stored: marks.iter().filter_map(|(key, _)| tree(key)).collect(),
            derived: FxHashSet::default(),
        };
        homes.follow(catalogue);
        Ok(homes)
    }

    /// Takes a new catalogue in. Returns the trees that were in memory alone and belong to no index any more, and those
    /// of indexes that have come to be and are empty still.
    pub(super) fn follow(&mut self, catalogue: &Catalogue) -> (Vec<TreeId>, Vec<TreeId>) {
        let now: FxHashSet<TreeId> = catalogue
            .collections
            .values()
            .flat_map(|collection| &collection.indexes)
            .map(|index| index.tree)
            .filter(|tree| !self.stored.contains(tree))
            .collect();
        let gone = self.derived.difference(&now).copied().collect();
        let new = catalogue
            .collections
            .values()
            .flat_map(|collection| &collection.indexes)
            .filter(|index| now.contains(&index.tree) && !self.derived.contains(&index.tree))
            .filter(|index| matches!(&index.state, BuildState::Building { cursor } if cursor.is_empty()))
            .map(|index| index.tree)
            .collect();
        self.derived = now;
        (gone, new)
    }

    pub(super) fn is_derived(&self, tree: TreeId) -> bool {
        self.derived.contains(&tree)
    }

    /// It is in the store from now on.
    pub(super) fn settle(&mut self, tree: TreeId) {
        self.derived.remove(&tree);
        self.stored.insert(tree);
    }

    /// It is in the store no more, because it is nowhere.
    pub(super) fn leave(&mut self, tree: TreeId) {
        self.stored.remove(&tree);
    }
}

impl Origin {
    /// Of an index by its tree.
    pub(super) fn of(catalogue: &Catalogue, tree: TreeId) -> Option<Self> {
        catalogue.collections.values().find_map(|collection| {
            let index = collection.indexes.iter().find(|index| index.tree == tree)?;
            Some(Self {
                rows: collection.tree,
                collection: collection.clone(),
                index: index.clone(),
            })
        })
    }

    /// The entry of a row, unless the build has not come to it.
    pub(super) fn entry(&self, key: &[u8], row: &[u8]) -> Result<Option<Pair>, EngineError> {
        if !self.index.state.covers(key) {
            return Ok(None);
        }
        let row = RowRef::new(row).ok_or_else(damaged)?;
        let value = |field| row.get(field);
        Ok(Some(entry(&self.collection, &self.index, &value, key)))
    }
}

/// Sorted once, so that blocks are filled from left to right.
pub(super) fn packed(mut entries: Vec<Pair>) -> Blocks {
    entries.sort_unstable();
    let mut blocks = Blocks::default();
    for (key, hints) in &entries {
        blocks.insert(key, hints);
    }
    blocks
}

/// Writes an index into the store, and the mark behind it. The rows it was made from are in the store.
pub(super) struct Mover<'k> {
    kv: &'k dyn KvStore,
    tree: TreeId,
    batch: Vec<Op>,
}

impl<'k> Mover<'k> {
    /// Begins anew, whatever was begun before.
    pub(super) fn new(kv: &'k dyn KvStore, tree: TreeId) -> Result<Self, KvError> {
        loop {
            let left = kv.scan(tree, &[], None, false, MOVED)?;
            if left.is_empty() {
                break;
            }
            let gone = left.into_iter().map(|(key, _)| (tree, key, None));
            kv.apply(&gone.collect::<Vec<Op>>())?;
        }
        Ok(Self {
            kv,
            tree,
            batch: Vec::with_capacity(MOVED),
        })
    }

    pub(super) fn take(&mut self, key: &[u8], hints: &[u8]) -> Result<(), KvError> {
        self.batch
            .push((self.tree, key.to_vec(), Some(hints.to_vec())));
        if self.batch.len() < MOVED {
            return Ok(());
        }
        self.kv.apply(&self.batch)?;
        self.batch.clear();
        Ok(())
    }

    /// The mark is written when everything before it is on the disk.
    pub(super) fn finish(self) -> Result<(), KvError> {
        self.kv.apply(&self.batch)?;
        self.kv.sync()?;
        self.kv.apply(&[mark(self.tree)])?;
        self.kv.sync()
    }
}
