//! What a kernel is started with.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use polity_constitution::Problems;
use polity_ledger::store::Store;
use polity_ledger::{Clock, CommitError, OpenError, ReadError, SystemClock};
use polity_runtime::CompilerProcess;
use polity_runtime::digest::Digest;
use polity_runtime::egress::{Resolver, SystemResolver};
use polity_runtime::{registry, signature};

use crate::{CompletionWatch, PullError, RemoteSettings};

/// Where everything is, and what may differ from one host to the next.
#[derive(Clone)]
pub struct Settings {
    /// The constitution's folder.
    pub company: PathBuf,
    /// Where the ledger, compiled code and earlier versions of plugins lie.
    pub data: PathBuf,
    /// The folder that plugins are dropped into.
    pub plugins: PathBuf,
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// Digests of the first-party plugins, which need no signature.
    pub bundled: BTreeSet<Digest>,
    /// Where plugins are compiled, `None` for this process.
    pub compiler: Option<CompilerProcess>,
    /// Refuse plugins that nobody vouches for, whatever the charter says.
    pub require_signed: bool,
    /// Finds the addresses of hosts for plugins.
    pub resolver: Arc<dyn Resolver>,
    /// Where the ledger is kept, in place of the data folder: another engine, or one that fails when a test wants it to.
    pub store: Option<Arc<dyn Store>>,
    /// Memory for the ledger's cache, in bytes as stored; as pages in memory they take about four times as much.
    pub cache_bytes: u64,
    /// The git remote that the constitution is taken from; the company's folder is the host's own then.
    pub remote: Option<RemoteSettings>,
    /// Who is told of completions when they have ended.
    pub watch: Option<Arc<dyn CompletionWatch>>,
}

/// Why a kernel did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The constitution is not as it should be.
    #[error(transparent)]
    Constitution(#[from] Problems),
    /// The charter's `plugins.trusted_keys`.
    #[error("the charter's plugins.trusted_keys: {0}")]
    Keys(#[from] signature::KeyError),
    /// The data folder cannot be used.
    #[error("the data folder {path} cannot be used: {source}")]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The ledger does not open.
    #[error("the ledger does not open: {0}")]
    Ledger(#[from] OpenError),
    /// The ledger does not read.
    #[error("the ledger does not read: {0}")]
    Read(#[from] ReadError),
    /// The ledger takes no events.
    #[error("the ledger takes no events: {0}")]
    Record(#[from] CommitError),
    /// The plugin runtime does not start.
    #[error("the plugins cannot be run: {0}")]
    Runtime(#[from] registry::StartError),
    /// The constitution's remote gives nothing to start with.
    #[error("there is no company to start with: {0}")]
    Remote(#[from] PullError),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl Settings {
    /// The defaults: the machine's clock and resolver, plugins in `plugins` inside the company's folder.
    pub fn new(company: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Self {
        let company = company.into();
        Self {
            plugins: company.join("plugins"),
            company,
            data: data.into(),
            clock: Arc::new(SystemClock),
            bundled: BTreeSet::new(),
            compiler: None,
            require_signed: false,
            resolver: Arc::new(SystemResolver),
            store: None,
            // Writing needs the ends of a few trees, and what is read has been cached by the system.
            cache_bytes: 512 << 10,
            remote: None,
            watch: None,
        }
    }
}
