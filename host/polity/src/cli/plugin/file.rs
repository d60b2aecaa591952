//! A plugin's file on this machine, looked at without a host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use polity_constitution::Constitution;
use polity_runtime::artifact::Artifact;
use polity_runtime::egress::SystemResolver;
use polity_runtime::refusal::Refusal;
use polity_runtime::registry::{Inspection, Runtime, Settings};
use polity_runtime::signature::Trust;

use crate::cli::Context;
use crate::cli::bundled;
use crate::cli::compile;
use crate::cli::report::Report;

/// A file and what belongs to it.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The plugin's `.wasm` file.
    file: PathBuf,

    /// What it is called [default: the name in its manifest, or the file's].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Its grant file.
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,

    /// Its minisign signature [default: FILE.minisig where that exists].
    #[arg(long, value_name = "FILE")]
    sig: Option<PathBuf>,
}

/// All that belongs to a plugin, read.
pub(super) struct PluginFile {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) wasm: Vec<u8>,
    pub(super) grant: Option<String>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) artifact: Result<Artifact, Refusal>,
}

/// Whether a grant file that lies beside the plugin is taken without being named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbour {
    /// For looking.
    Taken,
    /// For installing: what is granted has to be said.
    Left,
}

impl PluginFile {
    /// Reads what the arguments name.
    pub(super) fn read(args: &FileArgs, neighbour: Neighbour) -> Result<Self, Report> {
        let wasm = fs::read(&args.file).map_err(|error| unreadable(&args.file, &error))?;
        let artifact = Artifact::read(&wasm);
        let own_name = artifact
            .as_ref()
            .ok()
            .and_then(|artifact| Some(artifact.manifest.as_ref()?.name.clone()));
        let stem = args
            .file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let beside = Some(args.file.with_extension("grant.toml"))
            .filter(|file| neighbour == Neighbour::Taken && file.exists());
        let signed = Some(with_suffix(&args.file, ".minisig")).filter(|file| file.exists());
        Ok(Self {
            name: args.name.clone().or(own_name).unwrap_or(stem),
            grant: args
                .grant
                .clone()
                .or(beside)
                .map(|file| text(&file))
                .transpose()?,
            signature: args
                .sig
                .clone()
                .or(signed)
                .map(|file| bytes(&file))
                .transpose()?,
            path: args.file.clone(),
            wasm,
            artifact,
        })
    }

    /// Does with the file what a host would do, and throws the result away.
    pub(super) fn inspect(&self, trust: Trust) -> Result<Inspection, Report> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Report::new("the file cannot be tried here").caused_by(error)
        };
        let scratch = tempfile::tempdir().map_err(|error| failed(&error))?;
        let runtime = Runtime::start(Settings {
            plugins: scratch.path().join("plugins"),
            data: scratch.path().join("data"),
            trust,
            bundled: bundled::digests(),
            compiler: compile::process(),
            resolver: Arc::new(SystemResolver),
            observer: Arc::new(|_| {}),
        });
        let runtime = runtime.map_err(|error| failed(&error))?;
        Ok(runtime.inspect(
            &self.name,
            &self.wasm,
            self.grant.as_deref(),
            self.signature.as_deref(),
        ))
    }
}

/// Whose signatures count: the charter's keys where there is a charter, else nobody's.
pub(super) fn trust(context: &Context, require_signed: bool) -> Result<Trust, Report> {
    let bad_key = |error| Report::new("a key of the charter does not read").because(error);
    let Ok(place) = context.common.place.resolve() else {
        return Trust::new(require_signed, [""; 0]).map_err(bad_key);
    };
    let constitution = Constitution::load(&place.company).map_err(|problems| {
        Report::new("the charter says whose signatures count, and it does not read")
            .because(problems)
    })?;
    let policy = constitution.charter().plugins();
    Trust::new(
        policy.require_signed || require_signed,
        &policy.trusted_keys,
    )
    .map_err(bad_key)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn bytes(path: &Path) -> Result<Vec<u8>, Report> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// A text file that the person named.
pub(super) fn text(path: &Path) -> Result<String, Report> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Report {
    Report::new(format!("{} cannot be read", path.display())).because(error)
}
