//! The engine's own copy of what it reads, and the queue of what it writes.
//!
//! Trees are held in memory as long as they fit the budget, so a read touches no store and a snapshot is consistent over
//! rows, indexes and catalogue. A tree too big for the budget is read from the store in pages; its writes then go to the
//! store at once, and its readers see a page at a time. Indexes that fit are not in the store at all (see [`homes`]).
//!
//! Writes are visible at once and reach the store in groups: the first caller who wants durability applies and syncs for
//! everyone who queued before it. When that fails nothing more is written until [`Front::recover`], and what readers
//! see is read from the store again.

mod blocks;
pub(crate) mod homes;
mod residence;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalogue::Catalogue;
use crate::error::EngineError;
use crate::kv::{KvError, KvStore, Op, TreeId};
use blocks::{Blocks, Visit};
use homes::Homes;

/// Rows read at a time from a tree that is not in memory.
const PAGE: usize = 512;
/// A writer who does not wait for durability hands the queue to the store when it is this long.
const QUEUE_OPS: usize = 1024;

/// Whether a write waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The answer comes when the write survives a loss of power.
    #[default]
    Durable,
    /// The answer comes at once; the write is lost if the process dies before the next flush.
    Relaxed,
}

/// Memory, queue and store.
pub(crate) struct Front {
    kv: Arc<dyn KvStore>,
    shared: RwLock<Shared>,
    queue: Mutex<Queue>,
    flushed: Condvar,
    budget: usize,
}

struct Shared {
    catalogue: Arc<Catalogue>,
    trees: HashMap<TreeId, Tree>,
    bytes: usize,
    homes: Homes,
}

#[derive(Clone)]
enum Tree {
    Memory(Blocks),
    /// Too big; about so many entries.
    Paged(usize),
}

#[derive(Default)]
struct Queue {
    ops: Vec<Op>,
    queued: u64,
    applied: u64,
    durable: u64,
    leading: bool,
    failed: Option<KvError>,
}

/// What came of showing a batch.
#[derive(Default)]
struct Shown {
    /// Its place in the queue.
    place: u64,
    /// The queue should go to the store now.
    at_once: bool,
    /// Indexes that cannot stay in memory alone.
    outgrown: Vec<TreeId>,
}

/// A consistent state to read.
pub(crate) struct Snapshot {
    /// Of the catalogue that it belongs to.
    pub(crate) version: u64,
    trees: Vec<(TreeId, View)>,
}

/// One tree of a snapshot.
#[derive(Clone)]
pub(crate) enum View {
    Memory(Blocks),
    Paged {
        kv: Arc<dyn KvStore>,
        tree: TreeId,
        len: usize,
    },
}

impl Front {
    pub(crate) fn new(
        kv: Arc<dyn KvStore>,
        budget: usize,
        catalogue: Catalogue,
    ) -> Result<Self, EngineError> {
        let homes = Homes::load(&*kv, &catalogue)?;
        Ok(Self {
            kv,
            shared: RwLock::new(Shared {
                catalogue: Arc::new(catalogue),
                trees: HashMap::new(),
                bytes: 0,
                homes,
            }),
            queue: Mutex::default(),
            flushed: Condvar::new(),
            budget,
        })
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.shared.read().catalogue.clone()
    }

    /// The state now, of these trees.
    pub(crate) fn snapshot(&self, trees: &[TreeId]) -> Result<Snapshot, EngineError> {
        loop {
            let shared = self.shared.read();
            let mut views = Vec::with_capacity(trees.len());
            let mut missing = None;
            for tree in trees {
                match shared.trees.get(tree) {
                    Some(found) => views.push((*tree, self.view(*tree, found))),
                    None => missing = Some(*tree),
                }
            }
            let version = shared.catalogue.version;
            drop(shared);
            match missing {
                None => {
                    return Ok(Snapshot {
                        version,
                        trees: views,
                    });
                }
                Some(tree) => self.load(tree)?,
            }
        }
    }

    fn view(&self, tree: TreeId, found: &Tree) -> View {
        match found {
            Tree::Memory(blocks) => View::Memory(blocks.clone()),
            Tree::Paged(len) => View::Paged {
                kv: self.kv.clone(),
                tree,
                len: *len,
            },
        }
    }

    /// Makes a batch visible and queues it. The caller is the only writer. Returns its place in the queue.
    pub(crate) fn write(
        &self,
        ops: Vec<Op>,
        catalogue: Option<Arc<Catalogue>>,
    ) -> Result<u64, EngineError> {
        let shown = self.show(ops, catalogue)?;
        if shown.at_once {
            self.flush_to(shown.place, false)?;
        }
        for tree in shown.outgrown {
            self.move_out(tree)?;
        }
        Ok(shown.place)
    }

    fn show(
        &self,
        mut ops: Vec<Op>,
        catalogue: Option<Arc<Catalogue>>,
    ) -> Result<Shown, EngineError> {
        if let Some(error) = &self.queue.lock().failed {
            return Err(EngineError::Stopped {
                reason: error.to_string(),
            });
        }
        let mut shown = Shown::default();
        let mut guard = self.shared.write();
        let shared = &mut *guard;
        if let Some(catalogue) = catalogue {
            shared.follow(catalogue);
        }
        for (tree, key, value) in &ops {
            match shared.trees.get_mut(tree) {
                Some(Tree::Memory(blocks)) => {
                    let before = blocks.bytes();
                    match value {
                        Some(value) => blocks.insert(key, value),
                        None => blocks.remove(key),
                    }
                    shared.bytes = shared.bytes + blocks.bytes() - before;
                    if shared.bytes > self.budget {
                        shared.outgrown(*tree, &mut shown);
                    }
                }
                Some(Tree::Paged(len)) => {
                    *len = if value.is_some() {
                        *len + 1
                    } else {
                        len.saturating_sub(1)
                    };
                    shown.at_once = true;
                }
                // Nobody has read it: it is loaded with this write when somebody does.
                None => {}
            }
        }
        ops.retain(|(tree, _, _)| !shared.homes.is_derived(*tree));
        let mut queue = self.queue.lock();
        queue.ops.extend(ops);
        queue.queued += 1;
        shown.place = queue.queued;
        shown.at_once |= queue.ops.len() >= QUEUE_OPS;
        Ok(shown)
    }

    /// Everything queued goes to the store, and with `sync` to the disk.
    pub(crate) fn flush(&self, sync: bool) -> Result<(), EngineError> {
        let last = self.queue.lock().queued;
        self.flush_to(last, sync)
    }

    /// Returns when the write at this place of the queue has reached the store, and with `sync` the disk.
    pub(crate) fn flush_to(&self, place: u64, sync: bool) -> Result<(), EngineError> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(error) = &queue.failed {
                return Err(EngineError::Store(error.clone()));
            }
            let done = if sync { queue.durable } else { queue.applied };
            if done >= place {
                return Ok(());
            }
            if queue.leading {
                self.flushed.wait(&mut queue);
                continue;
            }
            queue.leading = true;
            let ops = std::mem::take(&mut queue.ops);
            let upto = queue.queued;
            drop(queue);
            let mut outcome = if ops.is_empty() {
                Ok(())
            } else {
                self.kv.apply(&ops)
            };
            if sync && outcome.is_ok() {
                outcome = self.kv.sync();
            }
            queue = self.queue.lock();
            queue.leading = false;
            match outcome {
                Ok(()) => {
                    queue.applied = queue.applied.max(upto);
                    if sync {
                        queue.durable = queue.durable.max(upto);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a write did not reach the store; writing stops");
                    queue.failed = Some(error);
                }
            }
            self.flushed.notify_all();
        }
    }

    /// Forgets what did not reach the store. The caller is the only writer.
    pub(crate) fn recover(
        &self,
        load: impl FnOnce(&dyn KvStore) -> Result<Catalogue, EngineError>,
    ) -> Result<(), EngineError> {
        let mut shared = self.shared.write();
        let mut queue = self.queue.lock();
        while queue.leading {
            self.flushed.wait(&mut queue);
        }
        // A disk that still refuses must keep the engine stopped.
        self.kv.sync()?;
        let catalogue = load(&*self.kv)?;
        shared.homes = Homes::load(&*self.kv, &catalogue)?;
        shared.catalogue = Arc::new(catalogue);
        shared.trees.clear();
        shared.bytes = 0;
        let last = queue.queued;
        *queue = Queue {
            queued: last,
            applied: last,
            durable: last,
            ..Queue::default()
        };
        Ok(())
    }
}

impl Snapshot {
    /// A tree that was asked for.
    pub(crate) fn tree(&self, tree: TreeId) -> View {
        self.trees
            .iter()
            .find(|(id, _)| *id == tree)
            .map_or_else(|| View::Memory(Blocks::default()), |(_, view)| view.clone())
    }
}

impl View {
    /// Hands the value to `read`.
    pub(crate) fn with<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Result<T, EngineError> {
        match self {
            Self::Memory(blocks) => Ok(read(blocks.get(key))),
            Self::Paged { kv, tree, .. } => Ok(read(kv.get(*tree, key)?.as_deref())),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.with(key, |value| value.map(<[u8]>::to_vec))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(blocks) => blocks.len(),
            Self::Paged { len, .. } => *len,
        }
    }

    /// Visits `from <= key < to`, from the end when `reverse`.
    pub(crate) fn each(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        match self {
            Self::Memory(blocks) => {
                let _ = if reverse {
                    blocks.each_back(from, to, visit)
                } else {
                    blocks.each(from, to, visit)
                };
                Ok(())
            }
            Self::Paged { kv, tree, .. } => {
                let (mut from, mut to) = (from.to_vec(), to.map(<[u8]>::to_vec));
                loop {
                    let page = kv.scan(*tree, &from, to.as_deref(), reverse, PAGE)?;
                    for (key, value) in &page {
                        if visit(key, value).is_break() {
                            return Ok(());
                        }
                    }
                    let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else {
                        return Ok(());
                    };
                    if reverse {
                        to = Some(last.clone());
                    } else {
                        from.clone_from(last);
                        from.push(0);
                    }
                }
            }
        }
    }

    /// About `count` entries spread over the tree; of a paged tree its first ones.
    pub(crate) fn sample(
        &self,
        count: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), EngineError> {
        match self {
            Self::Memory(blocks) => {
                blocks.sample(count, visit);
                Ok(())
            }
            Self::Paged { .. } => {
                let mut left = count;
                self.each(&[], None, false, &mut |key, value| {
                    visit(key, value);
                    left = left.saturating_sub(1);
                    if left == 0 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })
            }
        }
    }
}
