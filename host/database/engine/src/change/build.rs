//! Building an index or a rollup beside the running traffic.
//!
//! A build is a row of the catalogue with a cursor. Writers carry changes of rows up to the cursor over; a step takes the
//! next rows in, moves the cursor, and both are one batch. So a crash between steps continues where it stopped, and the
//! caller decides how many rows a step takes and how long it rests between.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::rollup;
use super::txn::{Txn, entry};
use crate::catalogue::{BuildState, Catalogue, Collection, Index};
use crate::codec::key;
use crate::codec::row::{FieldId, RowRef};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::exec::damaged;
use crate::front::{Durability, homes};
use crate::kv::TreeId;

/// Entries that a size is estimated from.
const SAMPLED: usize = 1_000;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows taken in by this step.
    pub rows: u64,
    /// Nothing is left: it is complete, maintained, and hidden until it is published.
    pub complete: bool,
}

impl Engine {
    /// Takes at most `rows` more rows into a building index or rollup. 100 to 1,000 keep everybody else fast.
    ///
    /// # Errors
    /// There is no such build, or the store failed.
    pub fn build_step(
        &self,
        collection: &str,
        name: &str,
        rows: usize,
    ) -> Result<Progress, EngineError> {
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        let found = txn.catalogue.collection(collection)?.clone();
        let state = found.state_of(name)?.clone();
        let BuildState::Building { cursor } = state else {
            return Ok(Progress {
                rows: 0,
                complete: true,
            });
        };
        let mut from = cursor;
        if !from.is_empty() {
            from.push(0);
        }
        let mut batch: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let view = self.front.snapshot(&[found.tree])?.tree(found.tree);
        view.each(&from, None, false, &mut |key, value| {
            batch.push((key.to_vec(), value.to_vec()));
            if batch.len() >= rows.max(1) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        drop(view);
        for (row_key, bytes) in &batch {
            let row = RowRef::new(bytes).ok_or_else(damaged)?;
            let value = |field: FieldId| row.get(field);
            if let Some(index) = found.indexes.iter().find(|i| i.name == name) {
                let (key, hints) = entry(&found, index, &value, row_key);
                txn.put(index.tree, key, Some(hints));
            } else if let Some(rollup) = found.rollups.iter().find(|r| r.name == name) {
                rollup::change(&mut txn, rollup, &value, 1)?;
            }
        }
        let complete = batch.len() < rows.max(1);
        let state = match batch.last() {
            _ if complete => BuildState::Hidden,
            Some((last, _)) => BuildState::Building {
                cursor: last.clone(),
            },
            None => BuildState::Hidden,
        };
        *txn.edit().edit(collection)?.state_mut(name)? = state;
        let place = txn.commit()?;
        drop(writer);
        if complete {
            self.count_distinct(collection, name)?;
        }
        self.settle(
            place,
            if complete {
                Durability::Durable
            } else {
                Durability::Relaxed
            },
        )?;
        Ok(Progress {
            rows: batch.len() as u64,
            complete,
        })
    }

    /// Lets every query use a complete index or rollup, or with `false` none that does not ask for it.
    ///
    /// # Errors
    /// There is none, or it is not complete.
    pub fn publish(&self, collection: &str, name: &str, visible: bool) -> Result<(), EngineError> {
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        let state = txn.edit().edit(collection)?.state_mut(name)?;
        if !state.is_complete() {
            return Err(EngineError::Mutation(format!(
                "{name:?} is still being built: take more build steps first"
            )));
        }
        *state = if visible {
            BuildState::Active
        } else {
            BuildState::Hidden
        };
        let place = txn.commit()?;
        drop(writer);
        self.settle(place, Durability::Durable)
    }

    /// Counts the different values of an index again, for better plans. Reads the whole index.
    ///
    /// # Errors
    /// There is no such index, or the store failed.
    pub fn count_distinct(&self, collection: &str, name: &str) -> Result<(), EngineError> {
        let catalogue = self.catalogue();
        let Some(index) = catalogue
            .collection(collection)?
            .indexes
            .iter()
            .find(|i| i.name == name)
        else {
            return Ok(());
        };
        let distinct = distinct(index, &self.front.snapshot(&[index.tree])?.tree(index.tree))?;
        let writer = self.write_lock();
        let mut txn = Txn::new(&self.front);
        if let Some(index) = txn
            .edit()
            .edit(collection)?
            .indexes
            .iter_mut()
            .find(|i| i.name == name)
        {
            index.distinct = distinct;
        }
        txn.commit()?;
        drop(writer);
        Ok(())
    }

    /// Bytes of an index or a rollup, from a sample of its entries.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub fn bytes_of(&self, collection: &str, name: &str) -> Result<u64, EngineError> {
        let catalogue = self.catalogue();
        let found = catalogue.collection(collection)?;
        let index = found.indexes.iter().find(|i| i.name == name);
        let rollup = found.rollups.iter().find(|r| r.name == name);
        let tree = index.map(|i| i.tree).or(rollup.map(|r| r.tree));
        let tree = tree.ok_or_else(|| found.no_such(name))?;
        let view = self.front.snapshot(&[tree])?.tree(tree);
        let (mut entries, mut bytes) = (0_u64, 0_u64);
        view.sample(SAMPLED, &mut |key, value| {
            entries += 1;
            bytes += (key.len() + value.len()) as u64;
        })?;
        Ok(bytes * view.len() as u64 / entries.max(1))
    }

    /// Removes the entries of a tree that nothing refers to any more.
    pub(crate) fn clear_tree(&self, tree: TreeId) -> Result<(), EngineError> {
        loop {
            let writer = self.write_lock();
            let mut txn = Txn::new(&self.front);
            let mut keys = Vec::new();
            self.front
                .snapshot(&[tree])?
                .tree(tree)
                .each(&[], None, false, &mut |key, _| {
                    keys.push(key.to_vec());
                    if keys.len() >= 1000 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
            let more = keys.len() >= 1000;
            keys.into_iter().for_each(|key| txn.put(tree, key, None));
            if !more {
                let (meta, mark, gone) = homes::unmark(tree);
                txn.put(meta, mark, gone);
            }
            txn.commit()?;
            drop(writer);
            if !more {
                self.front.forget(tree);
                return Ok(());
            }
        }
    }
}

fn distinct(index: &Index, view: &crate::front::View) -> Result<Vec<u64>, EngineError> {
    let mut counts = vec![0u64; index.fields.len()];
    let mut before: Vec<u8> = Vec::new();
    let mut outcome = Ok(());
    view.each(&[], None, false, &mut |entry, _| {
        let mut rest = entry;
        let mut new = false;
        for count in &mut counts {
            if key::skip(&mut rest).is_none() {
                outcome = Err(damaged());
                return ControlFlow::Break(());
            }
            let prefix = &entry[..entry.len() - rest.len()];
            new |= !before.starts_with(prefix);
            *count += u64::from(new);
        }
        before.clear();
        before.extend_from_slice(entry);
        ControlFlow::Continue(())
    })?;
    outcome.map(|()| counts)
}

impl Collection {
    pub(crate) fn state_of(&self, name: &str) -> Result<&BuildState, EngineError> {
        let index = self
            .indexes
            .iter()
            .find(|i| i.name == name)
            .map(|i| &i.state);
        let rollup = self
            .rollups
            .iter()
            .find(|r| r.name == name)
            .map(|r| &r.state);
        index.or(rollup).ok_or_else(|| self.no_such(name))
    }

    pub(crate) fn state_mut(&mut self, name: &str) -> Result<&mut BuildState, EngineError> {
        let error = self.no_such(name);
        let index = self
            .indexes
            .iter_mut()
            .find(|i| i.name == name)
            .map(|i| &mut i.state);
        let rollup = self
            .rollups
            .iter_mut()
            .find(|r| r.name == name)
            .map(|r| &mut r.state);
        index.or(rollup).ok_or(error)
    }

    fn no_such(&self, name: &str) -> EngineError {
        EngineError::Unknown {
            what: "index or rollup",
            name: name.to_owned(),
            at: None,
            valid: self
                .indexes
                .iter()
                .map(|i| i.name.clone())
                .chain(self.rollups.iter().map(|r| r.name.clone()))
                .collect(),
        }
    }
}

impl Catalogue {
    /// Builds that a crash or a stop left unfinished: collection and name.
    pub fn unfinished(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, collection) in &self.collections {
            let indexes = collection.indexes.iter().map(|i| (&i.name, &i.state));
            let rollups = collection.rollups.iter().map(|r| (&r.name, &r.state));
            found.extend(
                indexes
                    .chain(rollups)
                    .filter(|(_, s)| !s.is_complete())
                    .map(|(n, _)| (name.clone(), n.clone())),
            );
        }
        found
    }
}
