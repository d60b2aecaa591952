//! Which models there are, and who answers for each.
//!
//! An adapter says at load what it knows by itself; what only its provider knows is asked for when somebody needs it,
//! and never by a timer: a company in which nobody asks a model costs nothing.

mod entry;
mod index;
mod refresh;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use polity_ledger::Clock;
use polity_runtime::registry::{Generation, Runtime};

pub use entry::ModelEntry;
use index::Index;
pub use refresh::AdapterProblem;
use refresh::Lists;

use crate::near::near;

/// The models of all adapters.
pub(crate) struct Models {
    clock: Arc<dyn Clock>,
    index: ArcSwap<Index>,
    lists: Mutex<Lists>,
    /// Held while providers are asked, so that many who ask at once cause one question.
    asking: tokio::sync::Mutex<()>,
}

/// A model that no adapter has.
pub(crate) struct Unknown {
    pub(crate) near: Vec<String>,
}

impl Models {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            index: ArcSwap::default(),
            lists: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The model of this name: its id, or its plugin's name and its id with a slash between. Where several adapters have
    /// an id, the first by the adapter's name answers; qualify the name to choose another.
    ///
    /// Adapters are asked for their lists only if the name is not known, and not again within half a minute.
    pub(crate) async fn resolve(
        &self,
        runtime: &Runtime,
        name: &str,
    ) -> Result<Arc<ModelEntry>, Unknown> {
        if let Some(entry) = self.known(&runtime.current(), name) {
            return Ok(entry);
        }
        self.refresh(runtime).await;
        let index = self.current(&runtime.current());
        index.find(name).ok_or_else(|| Unknown {
            near: near(name, index.names()),
        })
    }

    /// All models, by id. Adapters whose lists are older than half a minute are asked again.
    pub(crate) async fn all(&self, runtime: &Runtime) -> Vec<Arc<ModelEntry>> {
        self.refresh(runtime).await;
        self.current(&runtime.current()).all()
    }

    /// Adapters that could not say which models they have when they were last asked.
    pub(crate) fn problems(&self) -> Vec<AdapterProblem> {
        self.lists.lock().problems()
    }

    fn known(&self, plugins: &Generation, name: &str) -> Option<Arc<ModelEntry>> {
        self.current(plugins).find(name)
    }

    fn current(&self, plugins: &Generation) -> Arc<Index> {
        let index = self.index.load_full();
        if index.generation() == Some(plugins.number()) {
            return index;
        }
        self.rebuild(plugins)
    }

    fn rebuild(&self, plugins: &Generation) -> Arc<Index> {
        let lists = self.lists.lock();
        let index = Arc::new(Index::of(plugins, |adapter| lists.of(adapter)));
        self.index.store(index.clone());
        index
    }

    /// Asks the adapters whose lists are stale, all at once.
    async fn refresh(&self, runtime: &Runtime) {
        if self
            .lists
            .lock()
            .stale(runtime.current().adapters(), self.clock.now_ms())
            .is_empty()
        {
            return;
        }
        let _alone = self.asking.lock().await;
        // Whoever held the lock before may have asked for everybody.
        let plugins = runtime.current();
        let stale = self
            .lists
            .lock()
            .stale(plugins.adapters(), self.clock.now_ms());
        if stale.is_empty() {
            return;
        }
        let answers = refresh::ask(stale).await;
        {
            let mut lists = self.lists.lock();
            let now_ms = self.clock.now_ms();
            for (adapter, answer) in answers {
                lists.keep(&adapter, answer, now_ms);
            }
            lists.forget_others(plugins.adapters());
        }
        self.rebuild(&runtime.current());
    }
}
