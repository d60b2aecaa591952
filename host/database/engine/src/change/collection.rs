//! Giving a whole collection up.

use super::txn::Txn;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::front::Durability;

impl Engine {
    /// Removes a collection with its documents, indexes and rollups. There is no way back but a backup.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub fn drop_collection(&self, collection: &str) -> Result<(), EngineError> {
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        let found = txn.catalogue.collection(collection)?.clone();
        txn.edit().collections.remove(collection);
        let place = txn.commit()?;
        drop(writer);
        self.settle(place, Durability::Durable)?;
        let indexes = found.indexes.iter().map(|index| index.tree);
        let rollups = found.rollups.iter().map(|rollup| rollup.tree);
        for tree in indexes.chain(rollups).chain([found.tree]) {
            self.clear_tree(tree)?;
        }
        Ok(())
    }
}
