//! One version of a plugin, loaded: what it is, and when it has failed too often.

mod calls;
mod weight;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use wasmtime::component::Component;

use crate::bindings::{connector, model, rule, strategy};
use crate::compile_cache::CompileCache;
use crate::digest::Digest;
use crate::engine::Engines;
use crate::failure::CallError;
use crate::grant::{Limits, TrapPolicy};
use crate::instances::{Instances, describe};
use crate::manifest::{ConfigError, ConfigSchema, Manifest};
use crate::prime::{self, PrimeError};
use crate::pulse::Pulse;
use crate::refusal::Refusal;
use crate::sandbox::Profile;
use crate::signature::Provenance;
use crate::standby::{Keeper, Standby};
use crate::stats::{ExportStats, Stats, StatsSnapshot};
use crate::world::World;

pub use calls::{Completion, Evaluation};
pub use connector::exports::polity::plugin::operations::Operation;
pub use model::exports::polity::plugin::model::{Info, Message, Outcome, Request};
pub use rule::exports::polity::plugin::rule::{Action, Escalation, Verdict};
pub use strategy::exports::polity::plugin::strategy::{Mutation, Observations, Proposal};

/// Whom a strategy may ask what changes would do.
pub mod what_if {
    pub use crate::imports::what_if::{Change, Effect, Estimator, Forecast, Index, Rollup};
}

/// How many instances of a rule stand by: a burst of a dozen decisions finds them made.
const STANDBY_PURE: usize = 16;

/// How many instances of an adapter or connector stand by.
const STANDBY_IO: usize = 8;

/// A loaded version of a plugin. It is called concurrently; each call has an instance of its own.
pub struct Plugin {
    identity: Identity,
    description: Description,
    profile: Arc<Profile>,
    pulse: Arc<Pulse>,
    standby: Standby,
    in_progress: Arc<AtomicUsize>,
    stats: Arc<Stats>,
    /// Of a primed plugin: its own calls, which are faster than those it shares its counters with.
    pace: Option<Stats>,
    strikes: Arc<Strikes>,
    seed: Seed,
}

/// What a plugin is made from once more, with its settings read.
#[derive(Clone)]
pub(crate) struct Seed {
    pub(crate) engines: Engines,
    pub(crate) component: Arc<[u8]>,
    pub(crate) keeper: Keeper,
    pub(crate) cache: Option<Arc<CompileCache>>,
}

/// What a version is, without running it.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// The plugin's name: its file's name without `.wasm`.
    pub name: Arc<str>,
    /// Of the file's bytes.
    pub digest: Digest,
    /// The plugin's kind.
    pub world: World,
    /// What it says of itself.
    #[serde(skip)]
    pub manifest: Option<Arc<Manifest>>,
    /// Who vouches for it.
    pub provenance: Provenance,
}

/// What a version answered when it was asked to describe itself with nothing granted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Description {
    /// For a rule: the kinds of action it speaks to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applies_to: Vec<String>,
    /// For a connector: what can be called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// For a model adapter: the models it knows without asking its provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Info>,
}

/// Recent faults, and what happens when there are too many.
struct Strikes {
    policy: TrapPolicy,
    recent: Mutex<VecDeque<Instant>>,
    report: Report,
}

/// Told of a plugin that has failed once too often.
pub(crate) type Report = Arc<dyn Fn(&Identity, &CallError) + Send + Sync>;

/// What loading needs to know beside the component.
pub(crate) struct Origin {
    pub(crate) identity: Identity,
    pub(crate) profile: Profile,
    pub(crate) policy: TrapPolicy,
    pub(crate) report: Report,
}

impl Plugin {
    /// Links a compiled component, asks it to describe itself with nothing granted, and puts instances on standby.
    pub(crate) fn load(seed: Seed, component: &Component, origin: Origin) -> Result<Self, Refusal> {
        let Origin {
            identity,
            profile,
            policy,
            report,
        } = origin;
        let engines = &seed.engines;
        let description = Self::describe(engines, component, &profile)?;
        let profile = Arc::new(profile);
        let source = Arc::new(Instances::new(engines, component, profile.clone())?);
        let depth = match identity.world {
            World::ConstitutionRule => STANDBY_PURE,
            World::SchemaStrategy => 1,
            World::ModelAdapter | World::Connector => STANDBY_IO,
        };
        Ok(Self {
            identity,
            description,
            standby: Standby::new(depth, source, seed.keeper.clone()),
            profile,
            pulse: engines.pulse().clone(),
            in_progress: Arc::default(),
            stats: Arc::default(),
            pace: None,
            strikes: Arc::new(Strikes {
                policy,
                recent: Mutex::default(),
                report,
            }),
            seed,
        })
    }

    /// The same plugin, every instance of which has read these settings before it is called. Limits, counters and
    /// faults are shared. It takes as long as compiling does, so it is no work for a thread that others wait for; what
    /// was compiled once is kept.
    ///
    /// # Errors
    /// See [`PrimeError`]. The plugin answers as before, and reads its settings in each call.
    pub fn primed(&self, config: &Arc<str>) -> Result<Self, PrimeError> {
        let Seed {
            engines,
            component,
            keeper,
            cache,
        } = &self.seed;
        let engine = engines.get(self.identity.world.engine());
        let failed = |error: wasmtime::Error| PrimeError::Failed(format!("{error:#}"));
        let key = prime::key(component, config);
        let kept = cache.as_ref().and_then(|cache| cache.get(engine, &key));
        let compiled = match kept {
            Some(kept) => kept,
            None => {
                let image = prime::prime(engines, component, &self.profile, config)?;
                let compiled = engines
                    .compile(self.identity.world.engine(), &image)
                    .map_err(failed)?;
                match cache {
                    Some(cache) => cache.keep(engine, &key, compiled),
                    None => compiled,
                }
            }
        };
        if let Err(error) = compiled.initialize_copy_on_write_image() {
            tracing::debug!(error = format!("{error:#}"), "no copy-on-write image");
        }
        let source = Instances::new(engines, &compiled, self.profile.clone())
            .map_err(|refusal| PrimeError::Failed(refusal.to_string()))?;
        Ok(Self {
            identity: self.identity.clone(),
            description: self.description.clone(),
            profile: self.profile.clone(),
            pulse: self.pulse.clone(),
            standby: Standby::new(STANDBY_PURE, Arc::new(source), keeper.clone()),
            in_progress: self.in_progress.clone(),
            stats: self.stats.clone(),
            pace: Some(Stats::default()),
            strikes: self.strikes.clone(),
            seed: self.seed.clone(),
        })
    }

    /// Asks a component to describe itself, with nothing granted.
    pub(crate) fn describe(
        engines: &Engines,
        component: &Component,
        profile: &Profile,
    ) -> Result<Description, Refusal> {
        describe(&Instances::new(
            engines,
            component,
            Arc::new(profile.deny_all()),
        )?)
    }

    /// What this version is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The plugin's name.
    pub fn name(&self) -> &Arc<str> {
        &self.identity.name
    }

    /// What it said of itself when it was loaded.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The limits it runs under.
    pub fn limits(&self) -> &Limits {
        &self.profile.limits
    }

    /// What it has done so far.
    pub fn stats(&self) -> StatsSnapshot {
        self.stats.snapshot()
    }

    /// The same by function, for those that have been called.
    pub fn export_stats(&self) -> Vec<ExportStats> {
        self.stats.exports().collect()
    }

    /// Calls in progress.
    pub fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::Relaxed)
    }

    /// Whether calls have so far been short enough to be made where other work waits, and this one, which reads so many
    /// bytes, can be expected to be.
    pub fn is_quick(&self, input_bytes: usize) -> bool {
        input_bytes <= weight::ORDINARY_BYTES
            && self.pace.as_ref().unwrap_or(&self.stats).mean_ns() < 500_000
    }

    /// Whether a configuration satisfies the schema in the manifest.
    pub fn check_config(&self, config: &serde_json::Value) -> Result<(), ConfigError> {
        match &self.identity.manifest {
            Some(manifest) => manifest.check_config(config),
            None => ConfigSchema::check_empty(config),
        }
    }

    fn strike(&self, error: &CallError, input_bytes: usize) {
        let is_fault = error.is_strike() && !weight::may_excuse(error, input_bytes);
        if is_fault && self.strikes.is_out() {
            (self.strikes.report)(&self.identity, error);
        }
    }
}

impl Strikes {
    /// Counts a fault; true when it is the one too many.
    fn is_out(&self) -> bool {
        let now = Instant::now();
        let window = Duration::from_secs(self.policy.window_s);
        let mut recent = self.recent.lock();
        while recent
            .front()
            .is_some_and(|fault| now.duration_since(*fault) > window)
        {
            recent.pop_front();
        }
        recent.push_back(now);
        if recent.len() >= self.policy.strikes as usize {
            recent.clear();
            return true;
        }
        false
    }
}
