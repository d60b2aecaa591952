//! From a file's bytes to a plugin that can be called: every check, in the order in which they are cheap and safe.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::StartError;
use super::folder::Files;
use super::generation::Unmet;
use super::loading::Places;
use super::shelf::Version;
use crate::artifact::{Artifact, MAX_FILE_BYTES};
use crate::compile_cache::CompileCache;
use crate::compiler::CompilerProcess;
use crate::digest::Digest;
use crate::egress::{Egress, Resolver};
use crate::engine::Engines;
use crate::grant::Grant;
use crate::imports::Links;
use crate::manifest::{Capability, ConfigSchema};
use crate::plugin::{Identity, Origin, Plugin, Report, Seed};
use crate::refusal::Refusal;
use crate::sandbox::Profile;
use crate::secret::Secrets;
use crate::signature::{Provenance, Signature, Trust};
use crate::standby::Keeper;
use crate::world::World;

/// Components kept in memory beyond those that serve.
const RECENT: usize = 8;

/// Turns files into plugins.
pub(super) struct Loader {
    engines: Engines,
    cache: Option<Arc<CompileCache>>,
    keeper: Keeper,
    trust: Trust,
    bundled: BTreeSet<Digest>,
    resolver: Arc<dyn Resolver>,
    /// The newest components, so that going back and forth between two versions compiles and reads nothing.
    recent: Mutex<VecDeque<(Digest, Component)>>,
    compiling: Places,
}

/// A plugin's files, read once.
pub(super) struct Source {
    pub(super) version: Version,
    pub(super) grant: Option<String>,
}

/// What came of loading.
pub(super) enum Loaded {
    /// It can serve.
    Ready(Arc<Plugin>),
    /// It wants more than it was granted.
    Pending { digest: Digest, unmet: Vec<Unmet> },
    /// It has its grants, and a credential that they name is not to be had.
    NeedsCredential { digest: Digest, unmet: Vec<Unmet> },
}

/// What would come of installing a file.
#[derive(Debug)]
pub struct Inspection {
    /// Of the file.
    pub digest: Digest,
    /// What it is, as far as it could be read.
    pub artifact: Option<Artifact>,
    /// Who vouches for it.
    pub provenance: Option<Provenance>,
    /// What it wants beyond the grant.
    pub unmet: Vec<Unmet>,
    /// What it said of itself in a call with nothing granted.
    pub description: Option<crate::plugin::Description>,
    /// Whether it would be accepted; one that is pending would be.
    pub result: Result<(), Refusal>,
}

/// A file that has passed every check that needs no compiler.
struct Checked {
    artifact: Artifact,
    grant: Grant,
    provenance: Provenance,
    unmet: Vec<Unmet>,
}

impl Loader {
    pub(super) fn new(
        data: &Path,
        trust: Trust,
        bundled: BTreeSet<Digest>,
        resolver: Arc<dyn Resolver>,
        compiler: Option<CompilerProcess>,
    ) -> Result<Self, StartError> {
        // Without a cache every start compiles: slow, and still right.
        let cache = CompileCache::open(&data.join("compiled"))
            .inspect_err(|error| tracing::warn!(%error, "compiled plugins are not cached"))
            .ok()
            .map(Arc::new);
        Ok(Self {
            engines: Engines::new(compiler)
                .map_err(|error| StartError::Engine(format!("{error:#}")))?,
            cache,
            keeper: Keeper::start().map_err(StartError::Thread)?,
            trust,
            bundled,
            resolver,
            recent: Mutex::default(),
            compiling: Places::default(),
        })
    }

    /// Ends what is being compiled. Nothing that would have to be compiled is loaded from then on.
    pub(super) fn end(&self) {
        self.engines.children().close();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.engines.children().is_closed()
    }

    /// Reads a plugin's files, each once: what is checked is what is run.
    pub(super) fn read(&self, files: &Files) -> Result<Source, Refusal> {
        let bytes = std::fs::metadata(&files.wasm)?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(Refusal::TooLarge {
                bytes,
                limit: MAX_FILE_BYTES,
            });
        }
        Ok(Source {
            version: Version {
                wasm: std::fs::read(&files.wasm)?,
                signature: optional(std::fs::read(&files.signature))?,
            },
            grant: optional(std::fs::read_to_string(&files.grant))?,
        })
    }

    /// Loads a plugin, ready to be called.
    pub(super) fn load(
        &self,
        name: &str,
        source: &Source,
        report: Report,
    ) -> Result<Loaded, Refusal> {
        let Source {
            version: Version { wasm, signature },
            grant,
        } = source;
        let checked = self.check(name, wasm, grant.as_deref(), signature.as_deref())?;
        let digest = checked.artifact.digest;
        let secrets = Secrets::load(&checked.grant.secrets);
        let credentials = secrets.missing().map(|(secret, error)| Unmet {
            want: format!(
                "the credential for the header `{}` of {}",
                secret.header, secret.host
            ),
            fix: error.to_string(),
        });
        let mut unmet = checked.unmet.clone();
        let has_its_grants = unmet.is_empty();
        unmet.extend(credentials);
        match (has_its_grants, unmet.is_empty()) {
            (_, true) => {}
            (true, false) => return Ok(Loaded::NeedsCredential { digest, unmet }),
            (false, false) => return Ok(Loaded::Pending { digest, unmet }),
        }
        let component = self.compile(&checked.artifact)?;
        let seed = Seed {
            engines: self.engines.clone(),
            // Only a rule is ever made once more; an interpreter with its library is not kept twice for nothing.
            component: match checked.artifact.world {
                World::ConstitutionRule => checked.artifact.component.as_slice().into(),
                _ => Arc::default(),
            },
            keeper: self.keeper.clone(),
            cache: self.cache.clone(),
        };
        let origin = self.origin(name, checked, secrets, report)?;
        let plugin = Plugin::load(seed, &component, origin)?;
        Ok(Loaded::Ready(Arc::new(plugin)))
    }

    /// Whether every credential that a plugin's grant names is to be had now.
    pub(super) fn has_credentials(&self, name: &str, files: &Files) -> bool {
        let text = std::fs::read_to_string(&files.grant).unwrap_or_default();
        Grant::parse(&format!("{name}.grant.toml"), &text)
            .is_ok_and(|grant| Secrets::load(&grant.secrets).missing().next().is_none())
    }

    /// Does what loading does, and throws the result away.
    pub(super) fn inspect(
        &self,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Inspection {
        let mut inspection = Inspection {
            digest: Digest::of(wasm),
            artifact: Artifact::read(wasm).ok(),
            provenance: None,
            unmet: Vec::new(),
            description: None,
            result: Ok(()),
        };
        inspection.result = self
            .check(name, wasm, grant, signature)
            .and_then(|checked| {
                inspection.provenance = Some(checked.provenance.clone());
                inspection.unmet.clone_from(&checked.unmet);
                let component = self.compile(&checked.artifact)?;
                let origin = self.origin(name, checked, Secrets::default(), Arc::new(|_, _| {}))?;
                inspection.description = Some(Plugin::describe(
                    &self.engines,
                    &component,
                    &origin.profile,
                )?);
                Ok(())
            });
        inspection
    }

    /// The kinds of action that a rule file would guard, asked with nothing granted; none if it cannot even say that.
    pub(super) fn guards(&self, files: &Files) -> Vec<String> {
        let described = self.read(files).map(|source| {
            let Version { wasm, signature } = &source.version;
            self.inspect(
                "quarantined",
                wasm,
                source.grant.as_deref(),
                signature.as_deref(),
            )
            .description
        });
        described
            .ok()
            .flatten()
            .map(|description| description.applies_to)
            .unwrap_or_default()
    }

    fn check(
        &self,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Result<Checked, Refusal> {
        let provenance = Signature::check(
            wasm,
            &Digest::of(wasm),
            signature,
            &self.trust,
            &self.bundled,
        )?;
        let artifact = Artifact::read(wasm)?;
        let grant = match grant {
            Some(text) => Grant::parse(&format!("{name}.grant.toml"), text)?,
            None => Grant::default(),
        };
        if let Some(pinned) = grant.digest
            && pinned != artifact.digest
        {
            return Err(Refusal::Pinned {
                pinned: pinned.to_string(),
                found: artifact.digest.to_string(),
            });
        }
        match &artifact.manifest {
            Some(manifest) => manifest.check_config(&grant.config)?,
            None => ConfigSchema::check_empty(&grant.config)?,
        }
        let unmet = unmet(&artifact, &grant);
        Ok(Checked {
            artifact,
            grant,
            provenance,
            unmet,
        })
    }

    fn compile(&self, artifact: &Artifact) -> Result<Component, Refusal> {
        let engine = self.engines.get(artifact.world.engine());
        // What is compiled is the component, which for a module depends on how this host makes components of modules.
        let key = Digest::of(&artifact.component);
        if let Some((_, component)) = self.recent.lock().iter().find(|(digest, _)| *digest == key) {
            return Ok(component.clone());
        }
        let component = match self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(engine, &key))
        {
            Some(component) => component,
            None => self.compile_anew(engine, artifact, &key)?,
        };
        let mut recent = self.recent.lock();
        recent.truncate(RECENT - 1);
        recent.push_front((key, component.clone()));
        Ok(component)
    }

    fn compile_anew(
        &self,
        engine: &Engine,
        artifact: &Artifact,
        key: &Digest,
    ) -> Result<Component, Refusal> {
        let _place = self.compiling.take();
        let mut component = self
            .engines
            .compile(artifact.world.engine(), &artifact.component)
            .map_err(|error| Refusal::Compile {
                detail: format!("{error:#}"),
            })?;
        if let Some(cache) = &self.cache {
            component = cache.keep(engine, key, component);
        }
        // The first instance does not pay for building the memory image. Without the image it is copied: slower, right.
        if let Err(error) = component.initialize_copy_on_write_image() {
            tracing::debug!(error = format!("{error:#}"), "no copy-on-write image");
        }
        Ok(component)
    }

    fn origin(
        &self,
        name: &str,
        checked: Checked,
        secrets: Secrets,
        report: Report,
    ) -> Result<Origin, Refusal> {
        let Checked {
            artifact,
            grant,
            provenance,
            ..
        } = checked;
        let world = artifact.world;
        let egress = match grant.http.is_empty() {
            true => None,
            false => Some(Arc::new(Egress::new(
                name,
                &grant,
                world,
                secrets,
                self.resolver.clone(),
            )?)),
        };
        let profile = Profile {
            name: name.into(),
            world,
            limits: grant.limits(world),
            config: config_text(&grant.config).into(),
            links: Links {
                reply: world == World::ModelAdapter,
                http: artifact.imports_interface("polity:plugin/http"),
                what_if: world == World::SchemaStrategy,
                wasi: artifact.imports_wasi(),
                wasi_http: artifact
                    .imports
                    .iter()
                    .any(|import| import.starts_with("wasi:http/")),
            },
            egress,
            folders: grant.folders,
        };
        let identity = Identity {
            name: profile.name.clone(),
            digest: artifact.digest,
            world,
            manifest: artifact.manifest.map(Arc::new),
            provenance,
        };
        Ok(Origin {
            identity,
            profile,
            policy: grant.trap,
            report,
        })
    }
}

/// What the manifest wants beyond the grant and, for a plugin that imports HTTP without a word of why, that import.
fn unmet(artifact: &Artifact, grant: &Grant) -> Vec<Unmet> {
    let manifest = artifact.manifest.as_ref();
    let missing = manifest
        .map(|manifest| manifest.missing(grant))
        .unwrap_or_default();
    let mut unmet: Vec<Unmet> = missing
        .iter()
        .filter(|missing| !missing.is_optional())
        .map(|missing| Unmet {
            want: missing.to_string(),
            fix: missing.toml(),
        })
        .collect();
    let declared = manifest.is_some_and(|manifest| {
        manifest
            .wants
            .iter()
            .any(|want| matches!(want.capability, Capability::Http { .. }))
    });
    if artifact.imports_http() && grant.http.is_empty() && !declared {
        unmet.push(Unmet {
            want: "it imports outbound HTTP and does not say to which host".to_owned(),
            fix: "[[http]]\nhost = \"the host it may speak to\"\n".to_owned(),
        });
    }
    unmet
}

fn config_text(config: &Value) -> String {
    config.to_string()
}

/// A file that may be missing.
fn optional<T>(read: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
