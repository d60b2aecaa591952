//! The plugin folder, live: what lies in it runs, what changes in it is swapped, what is bad in it is refused with a
//! reason while the version before it keeps serving.
//!
//! All changes happen one after the other, on threads of the runtime's own: compiling never takes a thread from those
//! who serve requests, and a component that takes minutes to compile holds up nobody but itself. Readers take the current
//! [`Generation`] without a lock.

mod event;
mod folder;
mod generation;
mod loader;
mod loading;
mod shared;
mod shelf;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use event::{Change, Event};
pub use generation::{Entry, Generation, Rule, State, Unmet, matches};
pub use loader::Inspection;

use crate::compiler::CompilerProcess;
use crate::digest::Digest;
use crate::egress::Resolver;
use crate::refusal::Refusal;
use crate::signature::Trust;
use folder::Message;
use loader::Loader;
use loading::Loading;
use shared::Shared;
use shelf::Shelf;

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
    /// Where components are compiled, `None` for this process.
    pub compiler: Option<CompilerProcess>,
    /// Finds the addresses of hosts.
    pub resolver: Arc<dyn Resolver>,
    /// Told of each change, in order, one at a time.
    pub observer: Arc<dyn Fn(&Event) + Send + Sync>,
}

/// The running plugins.
pub struct Runtime {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _watcher: Option<notify::RecommendedWatcher>,
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
    #[error(
        "no earlier version of `{0}` is kept that is not in quarantine; `polity plugin install {0}.wasm` puts a file in its place, the same one too"
    )]
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
            compiler,
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
        let loader = Loader::new(&data, trust, bundled, resolver, compiler)?;
        let shared = Arc::new(Shared {
            folder: plugins.clone(),
            current: ArcSwap::default(),
            loader,
            shelf,
            observer,
            messages: Mutex::new(sender.clone()),
            known: Mutex::default(),
            loading: Loading::default(),
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
                    |name| attending.attend_to(name),
                    || attending.attend_to_all(),
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

    /// Puts an earlier version back: `to`, or the newest one before the current that is not in quarantine. A plugin that
    /// was removed comes back with the grant file that it left.
    pub fn roll_back(&self, name: &str, to: Option<Digest>) -> Result<Arc<Entry>, OrderError> {
        self.shared.roll_back(name, to)
    }

    /// Ends what is being compiled, because the host is about to end: a compiler may need minutes more. What serves goes
    /// on serving; what would have to be compiled is loaded at the next start.
    pub fn end(&self) {
        self.shared.loader.end();
    }

    /// Accepted versions of a plugin, oldest first.
    pub fn versions(&self, name: &str) -> Vec<Digest> {
        self.shared.shelf.history(name).accepted
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end();
        let _ = self.shared.messages.lock().send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.loading.join();
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
