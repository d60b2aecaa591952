//! The plugin folder, live: what lies in it runs, what changes in it is swapped, what is bad in it is refused with a
//! reason while the version before it keeps serving.
//!
//! All changes happen one after the other on one thread of the runtime's own: compiling never takes a thread from those
//! who serve requests. Readers take the current [`Generation`] without a lock.

mod event;
mod folder;
mod generation;
mod loader;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use event::{Change, Event};
pub use generation::{Entry, Generation, Rule, State, Unmet, matches};
pub use loader::Inspection;

use crate::digest::Digest;
use crate::egress::Resolver;
use crate::plugin::{Plugin, Report};
use crate::refusal::Refusal;
use crate::signature::Trust;
use folder::{Files, Fingerprint, Look, Message};
use loader::{Loaded, Loader, Source};
use shelf::{Shelf, Version};

/// Longest name of a plugin.
const MAX_NAME: usize = 64;

/// Where plugins come from and whom to trust.
pub struct Settings {
    /// The folder that operators drop plugins into. It is made if it is missing.
    pub plugins: PathBuf,
    /// The host's own folder, for compiled code and earlier versions.
    pub data: PathBuf,
    /// Whose signatures count.
    pub trust: Trust,
    /// Digests of the first-party plugins.
    pub bundled: BTreeSet<Digest>,
    /// Finds the addresses of hosts.
    pub resolver: Arc<dyn Resolver>,
    /// Told of each change, in order, on the runtime's own thread.
    pub observer: Arc<dyn Fn(&Event) + Send + Sync>,
}

/// The running plugins.
pub struct Runtime {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _watcher: Option<notify::RecommendedWatcher>,
}

struct Shared {
    folder: PathBuf,
    current: ArcSwap<Generation>,
    loader: Loader,
    shelf: Shelf,
    observer: Arc<dyn Fn(&Event) + Send + Sync>,
    messages: Mutex<Sender<Message>>,
    /// What each name looked like when it was last read. The lock also keeps changes in order.
    known: Mutex<BTreeMap<String, Fingerprint>>,
}

/// Why the runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder cannot be used.
    #[error("the folder {path} cannot be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// wasmtime cannot run here.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// Why an operator's order could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such plugin.
    #[error("there is no plugin `{0}`")]
    Unknown(String),
    /// The name cannot be a file's.
    #[error(
        "`{0}` cannot name a plugin: use lower-case letters, digits, `-` and `_`, at most {MAX_NAME}"
    )]
    Name(String),
    /// There is nothing to go back to.
    #[error("no earlier version of `{0}` is kept")]
    NoEarlierVersion(String),
    /// The version is not loadable.
    #[error(transparent)]
    Refused(#[from] Arc<Refusal>),
    /// The folder cannot be written.
    #[error("the plugin folder cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

impl Runtime {
    /// Loads what is in the folder, then watches it.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            plugins,
            data,
            trust,
            bundled,
            resolver,
            observer,
        } = settings;
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        std::fs::create_dir_all(&plugins).map_err(unusable(&plugins))?;
        let shelf = Shelf::open(data.join("versions")).map_err(unusable(&data))?;
        let (sender, receiver) = channel();
        let loader = Loader::new(&data, trust, bundled, resolver)?;
        let shared = Arc::new(Shared {
            folder: plugins.clone(),
            current: ArcSwap::default(),
            loader,
            shelf,
            observer,
            messages: Mutex::new(sender.clone()),
            known: Mutex::default(),
        });
        // Watched before the first look, so that nothing falls between the two.
        let watcher = folder::watch(&plugins, move |message| drop(sender.send(message)))
            .inspect_err(|error| tracing::warn!(%error, "the plugin folder is not watched; it is read every 30 s"))
            .ok();
        shared.rescan();
        let attending = shared.clone();
        let thread = std::thread::Builder::new()
            .name("polity-plugins".into())
            .spawn(move || {
                folder::attend(
                    &receiver,
                    |name| attending.look_at(name),
                    || attending.rescan(),
                );
            })
            .map_err(StartError::Thread)?;
        Ok(Self {
            shared,
            thread: Some(thread),
            _watcher: watcher,
        })
    }

    /// The plugins as they are now.
    pub fn current(&self) -> Arc<Generation> {
        self.shared.current.load_full()
    }

    /// The plugin folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Looks through the folder now instead of waiting for the watcher.
    pub fn rescan(&self) {
        // What is still being written is not waited for: the watcher will see it finished.
        let _unsettled = self.shared.rescan();
    }

    /// Reads a plugin as an installation would, and says what would come of it, without changing anything.
    pub fn inspect(
        &self,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Inspection {
        self.shared.loader.inspect(name, wasm, grant, signature)
    }

    /// Puts a plugin into the folder and loads it. A version that is refused is not put there.
    pub fn install(
        &self,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Result<Arc<Entry>, OrderError> {
        self.shared.install(name, wasm, grant, signature)
    }

    /// Replaces a plugin's grant file and loads the plugin again.
    pub fn set_grant(&self, name: &str, grant: &str) -> Result<Arc<Entry>, OrderError> {
        self.shared.set_grant(name, grant)
    }

    /// Takes a plugin out of the folder; calls in progress finish. Its grant file stays, with the operator's decisions.
    pub fn remove(&self, name: &str) -> Result<(), OrderError> {
        self.shared.remove(name)
    }

    /// Puts an earlier version back: `to`, or the newest one before the current that is not in quarantine.
    pub fn roll_back(&self, name: &str, to: Option<Digest>) -> Result<Arc<Entry>, OrderError> {
        self.shared.roll_back(name, to)
    }

    /// Accepted versions of a plugin, oldest first.
    pub fn versions(&self, name: &str) -> Vec<Digest> {
        self.shared.shelf.history(name).accepted
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.shared.messages.lock().send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a name can be a plugin's: it names files and appears in events, so it is plain.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(plain)
        && name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
}

impl Shared {
    /// Brings every name up to date; returns those to look at again.
    fn rescan(self: &Arc<Self>) -> Vec<String> {
        let mut names = folder::names(&self.folder).unwrap_or_default();
        names.extend(self.known.lock().keys().cloned());
        names
            .into_iter()
            .filter(|name| self.look_at(name) == Look::Again)
            .collect()
    }

    /// Brings one name up to date with its files.
    fn look_at(self: &Arc<Self>, name: &str) -> Look {
        let mut known = self.known.lock();
        let files = Files::of(&self.folder, name);
        let now = files.fingerprint();
        if known.get(name) == Some(&now) {
            return Look::Done;
        }
        if !now.is_there() {
            if known.remove(name).is_some() {
                self.publish_removal(name);
            }
            return Look::Done;
        }
        let look = self.load_file(name, &files, &now);
        if look == Look::Done {
            known.insert(name.to_owned(), now);
        }
        look
    }

    fn load_file(self: &Arc<Self>, name: &str, files: &Files, now: &Fingerprint) -> Look {
        let started = Instant::now();
        let loaded = if is_plain(name) {
            self.loader.read(files).and_then(|source| {
                let digest = Digest::of(&source.version.wasm);
                let quarantined = self.shelf.history(name).quarantined.remove(&digest);
                match quarantined {
                    Some(reason) => Ok(Outcome::Quarantined { digest, reason }),
                    None => {
                        let loaded = self.loader.load(name, &source, self.reporter())?;
                        Ok(Outcome::Loaded(loaded, source.version))
                    }
                }
            })
        } else {
            Err(Refusal::Malformed {
                detail: OrderError::Name(name.to_owned()).to_string(),
            })
        };
        match loaded {
            Ok(Outcome::Loaded(Loaded::Ready(plugin), version)) => {
                self.publish(plugin, &version, started)
            }
            Ok(Outcome::Loaded(Loaded::Pending { digest, unmet }, _)) => {
                self.publish_pending(name, digest, unmet)
            }
            Ok(Outcome::Quarantined { digest, reason }) => {
                self.publish_quarantine(name, digest, reason)
            }
            // A file that is still being written looks damaged; it is judged once it rests.
            Err(_) if now.is_fresh() => return Look::Again,
            Err(refusal) => {
                let digest = std::fs::read(&files.wasm)
                    .ok()
                    .map(|bytes| Digest::of(&bytes));
                self.publish_refusal(name, digest, refusal);
            }
        }
        Look::Done
    }

    /// What a plugin calls when it has failed once too often.
    fn reporter(self: &Arc<Self>) -> Report {
        let shared: Weak<Self> = Arc::downgrade(self);
        Arc::new(move |identity, error| {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let (name, digest, reason) =
                (identity.name.clone(), identity.digest, error.to_string());
            let messages = shared.messages.lock().clone();
            let weak = Arc::downgrade(&shared);
            let work = move || {
                if let Some(shared) = weak.upgrade() {
                    shared.quarantine(&name, digest, reason);
                }
            };
            let _ = messages.send(Message::Do(Box::new(work)));
        })
    }

    fn quarantine(self: &Arc<Self>, name: &Arc<str>, digest: Digest, reason: String) {
        let _in_order = self.known.lock();
        let serving = self
            .current
            .load()
            .plugin(name)
            .map(|plugin| plugin.identity().digest);
        if serving != Some(digest) {
            return;
        }
        if let Err(error) = self.shelf.quarantine(name, &digest, &reason) {
            tracing::error!(%error, plugin = &**name, "the quarantine will not outlive a restart");
        }
        self.publish_quarantine(name, digest, reason);
    }

    fn install(
        self: &Arc<Self>,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Result<Arc<Entry>, OrderError> {
        if !is_plain(name) {
            return Err(OrderError::Name(name.to_owned()));
        }
        let started = Instant::now();
        let files = Files::of(&self.folder, name);
        let grant_text = match grant {
            Some(grant) => Some(grant.to_owned()),
            None => std::fs::read_to_string(&files.grant).ok(),
        };
        let version = Version {
            wasm: wasm.to_vec(),
            signature: signature.map(<[u8]>::to_vec),
        };
        let source = Source {
            version,
            grant: grant_text,
        };
        let loaded = self
            .loader
            .load(name, &source, self.reporter())
            .map_err(Arc::new)?;
        self.shelf.pardon(name, &Digest::of(wasm))?;
        // Nobody looks at the files until all are written, and then they look as they are remembered here.
        let mut known = self.known.lock();
        if let Some(grant) = grant {
            shelf::write(&files.grant, grant.as_bytes())?;
        }
        match signature {
            Some(signature) => shelf::write(&files.signature, signature)?,
            None => drop(std::fs::remove_file(&files.signature)),
        }
        shelf::write(&files.wasm, wasm)?;
        known.insert(name.to_owned(), files.fingerprint());
        match loaded {
            Loaded::Ready(plugin) => self.publish(plugin, &source.version, started),
            Loaded::Pending { digest, unmet } => self.publish_pending(name, digest, unmet),
        }
        drop(known);
        self.entry(name)
    }

    fn set_grant(self: &Arc<Self>, name: &str, grant: &str) -> Result<Arc<Entry>, OrderError> {
        self.entry(name)?;
        let files = Files::of(&self.folder, name);
        let source = self.loader.read(&files).map_err(Arc::new)?;
        let Source { version, .. } = source;
        self.install(
            name,
            &version.wasm,
            Some(grant),
            version.signature.as_deref(),
        )
    }

    fn remove(self: &Arc<Self>, name: &str) -> Result<(), OrderError> {
        self.entry(name)?;
        let files = Files::of(&self.folder, name);
        std::fs::remove_file(&files.wasm)?;
        let _ = std::fs::remove_file(&files.signature);
        self.look_at(name);
        Ok(())
    }

    fn roll_back(
        self: &Arc<Self>,
        name: &str,
        to: Option<Digest>,
    ) -> Result<Arc<Entry>, OrderError> {
        let entry = self.entry(name)?;
        let from = entry
            .serving
            .as_ref()
            .map(|plugin| plugin.identity().digest);
        let history = self.shelf.history(name);
        // Without a word of where to: back from what serves; if nothing does, to the last that did.
        let to = match (to, from) {
            (Some(to), _) => history.accepted.contains(&to).then_some(to),
            (None, Some(from)) => history.before(&from),
            (None, None) => history
                .accepted
                .iter()
                .rev()
                .find(|kept| !history.quarantined.contains_key(kept))
                .copied(),
        };
        let to = to.ok_or_else(|| OrderError::NoEarlierVersion(name.to_owned()))?;
        let Version { wasm, signature } = self.shelf.version(name, &to)?;
        let entry = self.install(name, &wasm, None, signature.as_deref())?;
        self.tell(&entry.name, Change::RolledBack { from, to });
        Ok(entry)
    }

    fn entry(&self, name: &str) -> Result<Arc<Entry>, OrderError> {
        self.current
            .load()
            .entry(name)
            .cloned()
            .ok_or_else(|| OrderError::Unknown(name.to_owned()))
    }

    fn publish(&self, plugin: Arc<Plugin>, version: &Version, started: Instant) {
        let name = plugin.name().clone();
        let digest = plugin.identity().digest;
        let provenance = plugin.identity().provenance.clone();
        if let Err(error) = self.shelf.accept(&name, &digest, version) {
            tracing::warn!(%error, plugin = &*name, "this version cannot be kept for a roll-back");
        }
        let replaced = self
            .current
            .load()
            .plugin(&name)
            .map(|before| before.identity().digest);
        self.swap(Entry {
            name: name.clone(),
            serving: Some(plugin),
            state: State::Live,
            guards: Vec::new(),
        });
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.tell(
            &name,
            Change::Loaded {
                digest,
                replaced,
                provenance,
                took_us,
            },
        );
    }

    fn publish_pending(&self, name: &str, digest: Digest, unmet: Vec<Unmet>) {
        self.keep_serving(
            name,
            State::Pending {
                digest,
                unmet: unmet.clone().into(),
            },
        );
        self.tell(&name.into(), Change::Pending { digest, unmet });
    }

    fn publish_refusal(&self, name: &str, digest: Option<Digest>, refusal: Refusal) {
        let (code, reason) = (refusal.code(), refusal.to_string());
        self.keep_serving(
            name,
            State::Refused {
                digest,
                reason: Arc::new(refusal),
            },
        );
        self.tell(
            &name.into(),
            Change::Refused {
                digest,
                code,
                reason,
            },
        );
    }

    /// A file has arrived that cannot serve: the version before it, if any, goes on.
    fn keep_serving(&self, name: &str, state: State) {
        let before = self.current.load().entry(name).cloned();
        let (serving, guards) = match before {
            Some(before) => (before.serving.clone(), before.guards.clone()),
            None => (None, Vec::new()),
        };
        self.swap(Entry {
            name: name.into(),
            serving,
            state,
            guards,
        });
    }

    /// Takes a version out of service and puts the last good one in its place.
    fn publish_quarantine(self: &Arc<Self>, name: &str, digest: Digest, reason: String) {
        let current = self.current.load().entry(name).cloned();
        let serving = current.as_ref().and_then(|entry| entry.serving.clone());
        // At a start nothing serves yet; later it is the bad version or, when its file came back, a good one.
        let still_good = serving
            .clone()
            .filter(|plugin| plugin.identity().digest != digest);
        let restored = still_good.or_else(|| self.last_good(name, &digest));
        let guards = match (&restored, &serving, &current) {
            (Some(_), ..) => Vec::new(),
            (None, Some(plugin), _) => plugin.description().applies_to.clone(),
            // After a restart the quarantined file is asked what it guards, with nothing granted.
            (None, None, _) => self.loader.guards(&Files::of(&self.folder, name)),
        };
        let restored_digest = restored.as_ref().map(|plugin| plugin.identity().digest);
        let state = State::Quarantined {
            digest,
            reason: reason.clone(),
        };
        self.swap(Entry {
            name: name.into(),
            serving: restored,
            state,
            guards,
        });
        self.tell(
            &name.into(),
            Change::Quarantined {
                digest,
                reason,
                restored: restored_digest,
            },
        );
    }

    fn last_good(self: &Arc<Self>, name: &str, bad: &Digest) -> Option<Arc<Plugin>> {
        let good = self.shelf.history(name).before(bad)?;
        let version = self.shelf.version(name, &good).ok()?;
        let grant = std::fs::read_to_string(Files::of(&self.folder, name).grant).ok();
        let source = Source { version, grant };
        match self.loader.load(name, &source, self.reporter()) {
            Ok(Loaded::Ready(plugin)) => Some(plugin),
            Ok(Loaded::Pending { .. }) | Err(_) => None,
        }
    }

    fn publish_removal(&self, name: &str) {
        let name: Arc<str> = name.into();
        self.current.rcu(|current| current.with(&name, None));
        self.tell(&name, Change::Removed);
    }

    fn swap(&self, entry: Entry) {
        let name = entry.name.clone();
        self.current
            .rcu(|current| current.with(&name, Some(entry.clone())));
    }

    fn tell(&self, name: &Arc<str>, change: Change) {
        let generation = self.current.load().number();
        (self.observer)(&Event {
            name: name.clone(),
            generation,
            change,
        });
    }
}

enum Outcome {
    Loaded(Loaded, Version),
    Quarantined { digest: Digest, reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_name_is_plain() {
        for name in ["rule", "four-eyes", "gpt_4", "a", "2fa"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            "-rule",
            "Rule",
            "a/b",
            "..",
            "a.b",
            "ü",
            &"x".repeat(65),
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
