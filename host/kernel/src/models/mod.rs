//! Which models there are, and who answers for each.
//!
//! An adapter says at load what it knows by itself; what only its provider knows is asked for when somebody needs it,
//! and never by a timer: a company in which nobody asks a model costs nothing.

mod choice;
mod entry;
mod index;
mod prompt;
mod refresh;
mod together;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use polity_dispatch::cache::{Cache, CachePolicy};
use polity_ledger::Clock;
use polity_router::{CacheSpec, Catalogue, Overlay, Policy, Router};
use polity_runtime::registry::{Generation, Runtime};

pub use choice::Routing;
pub(crate) use choice::{Choice, ChooseError, Chosen};
pub use entry::ModelEntry;
use index::Index;
pub use refresh::AdapterProblem;
use refresh::Lists;
pub(crate) use together::Arrangement;

use crate::histogram::Histogram;

/// The models of all adapters.
pub(crate) struct Models {
    clock: Arc<dyn Clock>,
    index: ArcSwap<Index>,
    /// What the company says of its models.
    overlay: ArcSwap<Overlay>,
    router: Router,
    /// How long the router took to decide.
    decided: Mutex<Histogram>,
    /// Answers that are kept.
    cache: ArcSwap<Cache>,
    lists: Mutex<Lists>,
    /// Held while providers are asked, so that many who ask at once cause one question.
    asking: tokio::sync::Mutex<()>,
}

impl Models {
    pub(crate) fn new(clock: Arc<dyn Clock>, overlay: Overlay) -> Self {
        let policy = overlay.policy.clone().unwrap_or_default();
        let router = Router::new(Catalogue::default(), policy)
            .or_else(|_| Router::new(Catalogue::default(), Policy::default()))
            .expect("the default policy is sound");
        Self {
            clock,
            index: ArcSwap::default(),
            cache: ArcSwap::from_pointee(cache_of(overlay.cache)),
            overlay: ArcSwap::from_pointee(overlay),
            router,
            decided: Mutex::new(Histogram::of_thoughts()),
            lists: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// How long the router took to decide, in microseconds.
    pub(crate) fn decision_times(&self) -> Histogram {
        self.decided.lock().clone()
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Puts in force what the company says of its models.
    pub(crate) fn say(&self, overlay: Overlay) {
        let policy = overlay.policy.clone().unwrap_or_default();
        if let Err(error) = self.router.set_policy(policy) {
            // It was checked when the document was read.
            tracing::error!(%error, "the router's policy stays as it was");
        }
        let before = self.cache_spec();
        if overlay.cache != before {
            self.cache.store(Arc::new(cache_of(overlay.cache)));
        }
        self.overlay.store(Arc::new(overlay));
    }

    /// Whether answers are kept, for whom and for how long.
    pub(crate) fn cache_spec(&self) -> CacheSpec {
        self.overlay.load().cache
    }

    /// Answers that are kept.
    pub(crate) fn cache(&self) -> Arc<Cache> {
        self.cache.load_full()
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

    fn current(&self, plugins: &Generation) -> Arc<Index> {
        let index = self.index.load_full();
        if index.is_of(plugins, &self.overlay.load()) {
            return index;
        }
        self.rebuild(plugins)
    }

    fn rebuild(&self, plugins: &Generation) -> Arc<Index> {
        let lists = self.lists.lock();
        let (index, catalogue) = Index::of(plugins, self.overlay.load_full(), &lists);
        let index = Arc::new(index);
        // Both while the lists are held, so that the one is always of the same lists as the other.
        self.router.set_catalogue(catalogue);
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

fn cache_of(spec: CacheSpec) -> Cache {
    Cache::new(CachePolicy {
        ttl_ms: spec.ttl_ms,
        max_bytes: usize::try_from(spec.max_bytes).unwrap_or(usize::MAX),
        ..CachePolicy::default()
    })
}
