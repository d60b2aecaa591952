//! A store that fails on purpose, as disks do.
//!
//! Only what was synced survives [`FaultyKv::after_crash`]; of the batches behind the last sync a number of the test's
//! choice survives, each whole. That is what a store promises, so whatever the engine keeps right here it keeps right
//! on a real one.

use parking_lot::Mutex;

use super::{KvError, KvStore, MemoryKv, Op, Pair, TreeId};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// From the n-th call of `apply` on (counted from one), every write fails, as on a full disk.
    DiskFullFrom(u64),
    /// Only the n-th call of `apply` fails.
    FailOnce(u64),
    /// From the n-th call of `apply` on nothing works at all: the process is as good as dead.
    CrashAt(u64),
    /// Every sync fails.
    SyncFails,
}

/// A store in memory that fails as told.
#[derive(Debug)]
pub struct FaultyKv {
    live: MemoryKv,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Vec<Fault>,
    writes: u64,
    dead: bool,
    synced: std::collections::BTreeMap<(TreeId, Vec<u8>), Vec<u8>>,
    unsynced: Vec<Vec<Op>>,
}

impl FaultyKv {
    /// A store with some faults.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            live: MemoryKv::default(),
            state: Mutex::new(State {
                faults: faults.into_iter().collect(),
                writes: 0,
                dead: false,
                synced: std::collections::BTreeMap::default(),
                unsynced: Vec::new(),
            }),
        }
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().faults = faults.into_iter().collect();
    }

    /// How many batches were asked for.
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }

    /// What is on the disk after the process died, when the first `survivors` batches behind the last sync made it.
    pub fn after_crash(&self, survivors: usize) -> Self {
        let state = self.state.lock();
        let disk = MemoryKv::from_image(state.synced.clone());
        for batch in state.unsynced.iter().take(survivors) {
            // A store in memory does not fail.
            let _ = disk.apply(batch);
        }
        let synced = disk.image();
        Self {
            live: disk,
            state: Mutex::new(State {
                faults: Vec::new(),
                writes: 0,
                dead: false,
                synced,
                unsynced: Vec::new(),
            }),
        }
    }
}

fn failed(reason: &str) -> KvError {
    KvError::Failed {
        reason: reason.to_owned(),
    }
}

impl KvStore for FaultyKv {
    fn get(&self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        if self.state.lock().dead {
            return Err(failed("the store is gone"));
        }
        self.live.get(tree, key)
    }

    fn scan(
        &self,
        tree: TreeId,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        if self.state.lock().dead {
            return Err(failed("the store is gone"));
        }
        self.live.scan(tree, from, to, reverse, limit)
    }

    fn apply(&self, batch: &[Op]) -> Result<(), KvError> {
        let mut state = self.state.lock();
        state.writes += 1;
        let now = state.writes;
        for fault in state.faults.clone() {
            match fault {
                Fault::DiskFullFrom(n) if now >= n => {
                    return Err(failed("no space left on device"));
                }
                Fault::FailOnce(n) if now == n => return Err(failed("input/output error")),
                Fault::CrashAt(n) if now >= n => state.dead = true,
                _ => {}
            }
        }
        if state.dead {
            return Err(failed("the store is gone"));
        }
        self.live.apply(batch)?;
        state.unsynced.push(batch.to_vec());
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        let mut state = self.state.lock();
        if state.dead {
            return Err(failed("the store is gone"));
        }
        if state.faults.contains(&Fault::SyncFails) {
            return Err(failed("fsync: input/output error"));
        }
        let unsynced = std::mem::take(&mut state.unsynced);
        for (tree, key, value) in unsynced.into_iter().flatten() {
            match value {
                Some(value) => state.synced.insert((tree, key), value),
                None => state.synced.remove(&(tree, key)),
            };
        }
        Ok(())
    }
}
