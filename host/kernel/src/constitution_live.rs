//! The constitution's folder, live: what is pushed there is in force moments later, and what is wrong with it is told
//! while the version before it stays in force.
//!
//! A push is many files. So the folder is read when it has come to rest, as a whole or not at all; and what reads as a
//! mistake is read once more a little later, because half a push looks like one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use polity_constitution::{Constitution, Problems, Version};
use polity_ledger::CommitError;
use polity_router::Overlay;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::Kernel;
use crate::constitution_store as store;
use crate::law::Law;
use crate::policies::policy_problems;
use crate::remote;

/// The folders in it that hold documents.
const SHELVES: [&str; 4] = ["rules", "decisions", "workflows", "policies"];

/// How long the folder has to rest before it is read.
const REST: Duration = Duration::from_millis(200);

/// How long a folder that reads as a mistake is given before it is taken for one.
const DOUBT: Duration = Duration::from_secs(1);

/// How often it is read without being told to: network file systems tell nobody.
const LOOK: Duration = Duration::from_secs(30);

/// What came of reading the constitution again.
#[derive(Clone, Debug)]
pub enum Reloaded {
    /// The folder holds what is in force already.
    Unchanged,
    /// Another constitution is in force now.
    Changed {
        /// What has to wait for the next start, in sentences: whom the plugin runtime trusts is decided once.
        at_next_start: Vec<String>,
    },
}

/// Why the constitution in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The folder is not as it should be.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The ledger could not take the new one, and what is not on record is not in force.
    #[error("the new constitution could not be recorded: {0}")]
    Record(#[from] CommitError),
}

/// A state of the folder that was read and is not in force, because of what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedConstitution {
    /// When it was read.
    pub at_ms: u64,
    /// What is wrong with it.
    pub problems: Problems,
}

impl Kernel {
    /// Reads the constitution's folder again. What is wrong with it is told, and what was in force stays in force; both
    /// are on record. Decisions in progress end under the constitution they began under.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let _alone = self.inner.reloading.lock().await;
        match self.read_folder().await {
            Ok(loaded) => self.enact(loaded).await,
            Err(problems) => {
                self.refuse_constitution(&problems).await?;
                Err(problems.into())
            }
        }
    }

    /// Brings into force what is pushed to the constitution's folder, for as long as this is polled. Everything that
    /// comes of it is in the ledger; a mistake is told once and not at every look.
    pub async fn follow_constitution(&self) {
        // One is enough to know that there was something. The sender stays, or a watcher that cannot be had would end
        // every wait at once.
        let (tell, mut told) = mpsc::channel(1);
        let folder = self.settings().company.clone();
        let mut watch = Watch::start(folder, tell.clone())
            .inspect_err(|error| {
                tracing::warn!(%error, "the constitution's folder is not watched; it is read every 30 s");
            })
            .ok();
        loop {
            let _ = timeout(LOOK, told.recv()).await;
            while let Looked::Doubtful(problems) = self.look(&mut told).await {
                if timeout(DOUBT, told.recv()).await.is_ok() {
                    continue;
                }
                let _alone = self.inner.reloading.lock().await;
                if let Err(error) = self.refuse_constitution(&problems).await {
                    tracing::error!(%error, "a refused constitution could not be recorded");
                }
                break;
            }
            if let Some(watch) = &mut watch {
                watch.renew();
            }
        }
    }

    /// The newest state of the folder, where it was refused; none where what the folder holds is in force.
    pub fn refused_constitution(&self) -> Option<Arc<RefusedConstitution>> {
        self.inner.refused.load_full()
    }

    /// Waits until the folder rests, and brings into force what is right.
    async fn look(&self, told: &mut mpsc::Receiver<()>) -> Looked {
        while timeout(REST, told.recv()).await.is_ok() {}
        let _alone = self.inner.reloading.lock().await;
        match self.read_folder().await {
            Ok(loaded) => {
                if let Err(error) = self.enact(loaded).await {
                    tracing::error!(%error, "the constitution in force stays");
                }
                Looked::Done
            }
            Err(problems) => {
                let known = self.refused_constitution();
                match known.is_some_and(|known| known.problems == problems) {
                    true => Looked::Done,
                    false => Looked::Doubtful(problems),
                }
            }
        }
    }

    pub(crate) async fn read_folder(&self) -> Result<(Constitution, Overlay), Problems> {
        let folder = self.settings().company.clone();
        let plugins = self.runtime().current();
        let read = tokio::task::spawn_blocking(move || {
            let loaded = store::load(&folder)?;
            let list = policy_problems(&loaded.0, &plugins);
            match list.is_empty() {
                true => Ok(loaded),
                false => Err(Problems {
                    folder: Some(folder),
                    list,
                }),
            }
        });
        match read.await {
            Ok(read) => {
                read.map(|(loaded, overlay)| (remote::known(loaded, self.settings()), overlay))
            }
            // It panicked. Nothing else ends it before its end.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// To be called by one at a time.
    pub(crate) async fn enact(
        &self,
        (loaded, overlay): (Constitution, Overlay),
    ) -> Result<Reloaded, ReloadError> {
        let inner = &*self.inner;
        let before = inner.books.law();
        let version = before.constitution.version();
        if loaded.version() == version {
            inner.refused.store(None);
            return Ok(Reloaded::Unchanged);
        }
        let mut at_next_start = Vec::new();
        if loaded.charter().plugins() != before.charter().plugins() {
            at_next_start.push(
                "the charter's \"plugins\": whose signatures count is read when the host starts"
                    .to_owned(),
            );
        }
        inner
            .ledger
            .commit(store::record(&loaded, Some(version), &at_next_start))
            .await?;
        inner.refused.store(None);
        inner.models.say(overlay);
        inner.books.enact(Law::new(loaded));
        // There may be other schedules.
        inner.workflows.wake.notify_one();
        Ok(Reloaded::Changed { at_next_start })
    }

    async fn refuse_constitution(&self, problems: &Problems) -> Result<(), CommitError> {
        let inner = &*self.inner;
        inner.refused.store(Some(Arc::new(RefusedConstitution {
            at_ms: inner.clock.now_ms(),
            problems: problems.clone(),
        })));
        let kept: Arc<Version> = inner.books.law().version.clone();
        store::record_refusal(&inner.ledger, &kept, problems).await
    }
}

/// What came of a look at the folder.
enum Looked {
    /// It is in force, or known to be wrong.
    Done,
    /// It reads as a mistake, and not as the one that was told of last.
    Doubtful(Problems),
}

/// The watched folders. Watching ends when it is dropped.
struct Watch {
    watcher: RecommendedWatcher,
    folder: PathBuf,
}

impl Watch {
    fn start(folder: PathBuf, tell: mpsc::Sender<()>) -> notify::Result<Self> {
        let watched = folder.clone();
        let mut watcher = notify::recommended_watcher(move |event| {
            if concerns(&event, &watched) {
                // Where one waits to be seen already, this one is seen with it.
                let _ = tell.try_send(());
            }
        })?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        let mut watch = Self { watcher, folder };
        watch.renew();
        Ok(watch)
    }

    /// A folder that was moved away and replaced is another one, which nobody watches yet.
    fn renew(&mut self) {
        for shelf in SHELVES {
            let shelf = self.folder.join(shelf);
            let _ = self.watcher.unwatch(&shelf);
            // Without it there is nothing on it; when it comes, the folder above tells.
            let _ = self.watcher.watch(&shelf, RecursiveMode::NonRecursive);
        }
    }
}

/// Whether an event may be about the constitution. The plugin folder lies beside it, and reading it is an event too.
fn concerns(event: &notify::Result<notify::Event>, folder: &Path) -> bool {
    let Ok(event) = event else { return true };
    if matches!(event.kind, EventKind::Access(access) if !is_written(access)) {
        return false;
    }
    event.paths.is_empty()
        || event.paths.iter().any(|path| {
            let name = path.file_name().unwrap_or_default();
            let is_shelf = |path: &Path| SHELVES.iter().any(|shelf| path.ends_with(shelf));
            path.parent().is_some_and(is_shelf)
                || is_shelf(path)
                || path == folder
                || name == "charter.json"
                || name == store::MODELS
        })
}

fn is_written(access: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    access == AccessKind::Close(AccessMode::Write)
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, AccessMode, CreateKind};

    use super::*;

    #[test]
    fn reading_the_folder_or_changing_a_plugin_is_no_push() {
        let folder = Path::new("/company");
        let concerned = |kind, path: &str| {
            let event = notify::Event::new(kind).add_path(PathBuf::from(path));
            concerns(&Ok(event), folder)
        };
        let created = EventKind::Create(CreateKind::File);
        assert!(concerned(created, "/company/rules/refunds.json"));
        assert!(concerned(created, "/company/charter.json"));
        assert!(concerned(created, "/company/rules"));
        assert!(concerned(created, "/company/decisions/refund.yaml"));
        assert!(concerned(created, "/company/workflows"));
        assert!(!concerned(created, "/company/plugins"));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Read));
        assert!(!concerned(opened, "/company/charter.json"));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(concerned(closed, "/company/charter.json"));
    }
}
