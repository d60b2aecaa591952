//! What is held in memory, and what no longer fits.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::blocks::Blocks;
use super::homes::{Mover, Origin, packed};
use super::{Front, Shared, Shown, Tree};
use crate::catalogue::Catalogue;
use crate::error::EngineError;
use crate::kv::{KvError, TreeId};

/// Pairs read at a time.
const PAGE: usize = 4096;

impl Shared {
    /// Sees the catalogue as it is from now on.
    pub(super) fn follow(&mut self, catalogue: Arc<Catalogue>) {
        let (gone, new) = self.homes.follow(&catalogue);
        gone.into_iter().for_each(|tree| self.forget(tree));
        // A build fills it step by step; without a copy to fill, the last step would have to make all of it.
        for tree in new {
            self.trees
                .entry(tree)
                .or_insert_with(|| Tree::Memory(Blocks::default()));
        }
        self.catalogue = catalogue;
    }

    /// Takes a tree out of memory because the budget is spent; what has to be written first is left to the writer.
    pub(super) fn outgrown(&mut self, tree: TreeId, shown: &mut Shown) {
        if self.homes.is_derived(tree) {
            shown.outgrown.push(tree);
            return;
        }
        let Some(Tree::Memory(blocks)) = self.trees.get(&tree) else {
            return;
        };
        let (len, bytes) = (blocks.len(), blocks.bytes());
        self.bytes -= bytes;
        self.trees.insert(tree, Tree::Paged(len));
        shown.at_once = true;
        // What is made from rows is made quickly only from rows in memory.
        let collections = self.catalogue.collections.values();
        shown.outgrown.extend(
            collections
                .filter(|collection| collection.tree == tree)
                .flat_map(|collection| &collection.indexes)
                .map(|index| index.tree),
        );
    }

    fn forget(&mut self, tree: TreeId) {
        if let Some(Tree::Memory(blocks)) = self.trees.remove(&tree) {
            self.bytes -= blocks.bytes();
        }
    }
}

impl Front {
    /// Makes a tree ready to be read: in memory, or found too big for it.
    pub(super) fn load(&self, tree: TreeId) -> Result<(), EngineError> {
        let mut shared = self.shared.write();
        // What is queued belongs to the tree too; nothing is added to the queue while we hold the lock.
        self.flush(false)?;
        self.load_into(&mut shared, tree)
    }

    fn load_into(&self, shared: &mut Shared, tree: TreeId) -> Result<(), EngineError> {
        if shared.trees.contains_key(&tree) {
            return Ok(());
        }
        if shared.homes.is_derived(tree)
            && let Some(origin) = Origin::of(&shared.catalogue, tree)
            && self.derive(shared, tree, &origin)?
        {
            return Ok(());
        }
        let mut blocks = Blocks::default();
        let mut from = Vec::new();
        loop {
            let page = self.kv.scan(tree, &from, None, false, PAGE)?;
            for (key, value) in &page {
                blocks.insert(key, value);
            }
            match page.last() {
                Some((key, _)) if page.len() == PAGE => {
                    from.clone_from(key);
                    from.push(0);
                }
                _ => break,
            }
            if shared.bytes + blocks.bytes() > self.budget {
                // Twice what fitted is as good a guess as any until somebody counts.
                let guess = blocks.len() * 2;
                shared.trees.insert(tree, Tree::Paged(guess));
                return Ok(());
            }
        }
        shared.bytes += blocks.bytes();
        shared.trees.insert(tree, Tree::Memory(blocks));
        Ok(())
    }

    /// Makes an index from its rows. Returns whether it is ready to be read: where the rows or the index do not fit
    /// into memory it is put into the store instead.
    fn derive(
        &self,
        shared: &mut Shared,
        tree: TreeId,
        origin: &Origin,
    ) -> Result<bool, EngineError> {
        self.load_into(shared, origin.rows)?;
        let rows = match shared.trees.get(&origin.rows) {
            Some(found) => self.view(origin.rows, found),
            None => return Ok(false),
        };
        let is_held = matches!(rows, super::View::Memory(_));
        let mut entries = Vec::with_capacity(if is_held { rows.len() } else { 0 });
        let mut mover = match is_held {
            true => None,
            false => Some(Mover::new(&*self.kv, tree)?),
        };
        let mut outcome = Ok(());
        rows.each(&[], None, false, &mut |key, row| {
            outcome = origin.entry(key, row).and_then(|entry| {
                match (entry, &mut mover) {
                    (Some((key, hints)), Some(mover)) => mover.take(&key, &hints)?,
                    (Some(entry), None) => entries.push(entry),
                    (None, _) => {}
                }
                Ok(())
            });
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        outcome?;
        if let Some(mover) = mover {
            mover.finish()?;
            shared.homes.settle(tree);
            return Ok(false);
        }
        let blocks = packed(entries);
        if shared.bytes + blocks.bytes() > self.budget {
            self.write_out(tree, &blocks)?;
            shared.homes.settle(tree);
            shared.trees.insert(tree, Tree::Paged(blocks.len()));
            return Ok(true);
        }
        shared.bytes += blocks.bytes();
        shared.trees.insert(tree, Tree::Memory(blocks));
        Ok(true)
    }

    /// Moves an index that was in memory alone into the store. The caller is the only writer; readers go on meanwhile.
    pub(super) fn move_out(&self, tree: TreeId) -> Result<(), EngineError> {
        let blocks = match self.shared.read() {
            shared if !shared.homes.is_derived(tree) => return Ok(()),
            shared => match shared.trees.get(&tree) {
                Some(Tree::Memory(blocks)) => blocks.clone(),
                // It is made from its rows, and moved, when somebody reads it.
                _ => return Ok(()),
            },
        };
        // The store must not know entries of rows it does not know.
        self.flush(false)?;
        if let Err(error) = self.write_out(tree, &blocks) {
            tracing::error!(%error, "an index did not reach the store; writing stops");
            self.queue.lock().failed = Some(error.clone());
            return Err(EngineError::Store(error));
        }
        let mut shared = self.shared.write();
        shared.homes.settle(tree);
        if shared.bytes > self.budget {
            shared.bytes -= blocks.bytes();
            shared.trees.insert(tree, Tree::Paged(blocks.len()));
        }
        Ok(())
    }

    fn write_out(&self, tree: TreeId, blocks: &Blocks) -> Result<(), KvError> {
        let mut mover = Mover::new(&*self.kv, tree)?;
        let mut outcome = Ok(());
        let _ = blocks.each(&[], None, &mut |key, hints| {
            outcome = mover.take(key, hints);
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        outcome?;
        mover.finish()
    }

    /// Forgets a tree that nothing refers to any more.
    pub(crate) fn forget(&self, tree: TreeId) {
        let mut shared = self.shared.write();
        shared.forget(tree);
        shared.homes.leave(tree);
    }
}
