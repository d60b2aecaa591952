//! One version of a plugin, loaded: what it is and how it is called.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use wasmtime::component::Component;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::imports::polity::plugin::types::Problem;
use crate::bindings::{connector, model, rule, strategy};
use crate::compile_cache::CompileCache;
use crate::digest::Digest;
use crate::engine::Engines;
use crate::exports::{Exports, without_waiting};
use crate::failure::CallError;
use crate::grant::{Limits, TrapPolicy};
use crate::imports::reply::{Delta, Reply};
use crate::instances::{Instances, describe};
use crate::manifest::{ConfigError, ConfigSchema, Manifest};
use crate::prime::{self, PrimeError};
use crate::pulse::{Beat, Pulse};
use crate::refusal::Refusal;
use crate::sandbox::{Guest, Profile, ticks};
use crate::signature::Provenance;
use crate::standby::{Keeper, Prepared, Standby};
use crate::stats::{Stats, StatsSnapshot};
use crate::world::World;

pub use connector::exports::polity::plugin::operations::Operation;
pub use model::exports::polity::plugin::model::{Info, Message, Outcome, Request};
pub use rule::exports::polity::plugin::rule::{Action, Escalation, Verdict};
pub use strategy::exports::polity::plugin::strategy::{Mutation, Observations, Proposal};

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

/// A rule's answer and its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What the rule says.
    pub verdict: Verdict,
    /// Fuel burnt: the same for the same action on every machine.
    pub fuel: u64,
}

/// A completion that has ended.
#[derive(Clone, Debug)]
pub struct Completion {
    /// How it ended and what it used.
    pub outcome: Outcome,
    /// The pieces, if they were collected and not streamed.
    pub pieces: Vec<Delta>,
}

/// Recent faults, and what happens when there are too many.
struct Strikes {
    policy: TrapPolicy,
    recent: Mutex<VecDeque<Instant>>,
    report: Report,
}

/// Told of a plugin that has failed once too often.
pub(crate) type Report = Arc<dyn Fn(&Identity, &CallError) + Send + Sync>;

/// One place among the calls that may be in progress.
struct Place {
    in_progress: Arc<AtomicUsize>,
    _beat: Beat,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

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
                let compiled = Component::new(engine, &image).map_err(failed)?;
                if let Some(cache) = cache {
                    cache.put(engine, &key, &compiled);
                }
                compiled
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

    /// Calls in progress.
    pub fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::Relaxed)
    }

    /// Whether calls have so far been short enough to be made where other work waits.
    pub fn is_quick(&self) -> bool {
        self.pace.as_ref().unwrap_or(&self.stats).mean_ns() < 500_000
    }

    /// Whether a configuration satisfies the schema in the manifest.
    pub fn check_config(&self, config: &serde_json::Value) -> Result<(), ConfigError> {
        match &self.identity.manifest {
            Some(manifest) => manifest.check_config(config),
            None => ConfigSchema::check_empty(config),
        }
    }

    /// Judges an action. Blocks for as long as the rule computes, at most its fuel's worth.
    ///
    /// `config` replaces the configuration of the grant file; check it with [`Plugin::check_config`] first.
    pub fn evaluate(
        &self,
        action: &Action,
        config: Option<&Arc<str>>,
    ) -> Result<Evaluation, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(config)?;
        let Prepared {
            store,
            exports: Exports::Rule(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        let called = if self.profile.links.wasi {
            let evaluate = exports.polity_plugin_rule().func_evaluate();
            without_waiting(evaluate.call_async(&mut *store, (action,))).map(|(result,)| result)
        } else {
            exports
                .polity_plugin_rule()
                .call_evaluate(&mut *store, action)
        };
        let fuel = self.fuel_used(store);
        let result = self.settle(started, prepared, called);
        result.map(|verdict| Evaluation { verdict, fuel })
    }

    /// Asks a strategy for proposals. Blocks for as long as it computes.
    pub fn propose(&self, seen: &Observations) -> Result<Vec<Proposal>, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(None)?;
        let Prepared {
            store,
            exports: Exports::Strategy(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        let called = without_waiting(exports.polity_plugin_strategy().call_propose(store, seen));
        self.settle(started, prepared, called)
    }

    /// The models that can be used now; asks the provider where the adapter does.
    pub async fn models(&self) -> Result<Vec<Info>, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(None)?;
        let Prepared {
            store,
            exports: Exports::Model(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        self.allow_waiting(store);
        let called = self
            .in_time(None, exports.polity_plugin_model().call_models(store))
            .await?;
        self.settle(started, prepared, called)
    }

    /// Answers a request. `deadline` shortens the plugin's own time limit. Dropping the future stops the guest and closes
    /// its connections.
    pub async fn complete(
        &self,
        request: &Request,
        reply: Reply,
        deadline: Option<Duration>,
    ) -> Result<Completion, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(None)?;
        let Prepared {
            store,
            exports: Exports::Model(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        store.data_mut().reply = reply;
        self.allow_waiting(store);
        let called = self
            .in_time(
                deadline,
                exports
                    .polity_plugin_model()
                    .call_complete(&mut *store, request),
            )
            .await?;
        // A stream's sender is dropped here, before the instance is: the reader sees the end at once.
        let reply = std::mem::take(&mut store.data_mut().reply);
        let outcome = self.settle(started, prepared, called)?;
        let pieces = match reply {
            Reply::Collect(pieces) => pieces,
            Reply::None | Reply::Stream(_) => Vec::new(),
        };
        Ok(Completion { outcome, pieces })
    }

    /// Embeds texts: one vector per input.
    pub async fn embed(
        &self,
        model: &str,
        input: &[String],
        deadline: Option<Duration>,
    ) -> Result<Vec<Vec<f32>>, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(None)?;
        let Prepared {
            store,
            exports: Exports::Model(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        self.allow_waiting(store);
        let called = self
            .in_time(
                deadline,
                exports
                    .polity_plugin_model()
                    .call_embed(store, model, input),
            )
            .await?;
        self.settle(started, prepared, called)
    }

    /// Performs a connector's operation; input and output are JSON text.
    pub async fn call(
        &self,
        operation: &str,
        input: &str,
        idempotency_key: &str,
        deadline: Option<Duration>,
    ) -> Result<String, CallError> {
        let started = Instant::now();
        let _place = self.place()?;
        let mut prepared = self.prepared(None)?;
        let Prepared {
            store,
            exports: Exports::Connector(exports),
        } = &mut prepared
        else {
            return Err(self.wrong_kind());
        };
        self.allow_waiting(store);
        let input = input.to_owned();
        let call =
            exports
                .polity_plugin_operations()
                .call_call(store, operation, &input, idempotency_key);
        let called = self.in_time(deadline, call).await?;
        self.settle(started, prepared, called)
    }

    fn place(&self) -> Result<Place, CallError> {
        let limit = usize::try_from(self.profile.limits.concurrent).unwrap_or(usize::MAX);
        let before = self.in_progress.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            in_progress: self.in_progress.clone(),
            _beat: self.pulse.beat(),
        };
        if before >= limit {
            Err(CallError::Busy(limit))
        } else {
            Ok(place)
        }
    }

    /// An instance with the limits of a call.
    fn prepared(&self, config: Option<&Arc<str>>) -> Result<Prepared, CallError> {
        let mut prepared = self
            .standby
            .take()
            .map_err(|error| CallError::Host(format!("{error:#}")))?;
        let limits = &self.profile.limits;
        if let Some(fuel) = limits.fuel {
            prepared
                .store
                .set_fuel(fuel)
                .map_err(|error| CallError::Host(error.to_string()))?;
        }
        prepared
            .store
            .set_epoch_deadline(ticks(limits.cpu_ms.min(limits.wall_ms)));
        if let Some(config) = config {
            prepared.store.data_mut().config = config.clone();
        }
        Ok(prepared)
    }

    /// Lets a guest share its thread: at every tick it yields, and at its limit of CPU time it ends.
    fn allow_waiting(&self, store: &mut Store<Guest>) {
        let mut left = ticks(self.profile.limits.cpu_ms);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            left = left.saturating_sub(1);
            match left {
                0 => Err(wasmtime::Trap::Interrupt.into()),
                _ => Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(tokio::task::yield_now()),
                )),
            }
        });
    }

    /// Bounds the whole call on the clock. What is late is dropped, instance and connections with it.
    async fn in_time<T>(
        &self,
        deadline: Option<Duration>,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<wasmtime::Result<T>, CallError> {
        let limit = Duration::from_millis(self.profile.limits.wall_ms);
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let started = Instant::now();
        match tokio::time::timeout(limit, call).await {
            Ok(called) => Ok(called),
            Err(_) => {
                let error =
                    CallError::Timeout(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
                let result: Result<T, CallError> = Err(error.clone());
                self.stats.record(started.elapsed(), 0, 0, &result);
                // A caller in a hurry is not the plugin's fault.
                if deadline.is_none() {
                    self.strike(&error);
                }
                Err(error)
            }
        }
    }

    fn fuel_used(&self, store: &Store<Guest>) -> u64 {
        match self.profile.limits.fuel {
            Some(fuel) => fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
            None => 0,
        }
    }

    fn settle<T>(
        &self,
        started: Instant,
        prepared: Prepared,
        called: wasmtime::Result<Result<T, Problem>>,
    ) -> Result<T, CallError> {
        let fuel = self.fuel_used(&prepared.store);
        let guest = prepared.store.data();
        let result = match called {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(problem)) => Err(CallError::Problem(Problem {
                code: crate::failure::cut(&problem.code),
                detail: crate::failure::cut(&self.profile.scrub(&problem.detail)),
                retry_after_ms: problem.retry_after_ms,
            })),
            Err(error) => Err(guest.failure(&error)),
        };
        let log_dropped = guest.log_dropped;
        self.standby.discard(prepared);
        for stats in std::iter::once(&*self.stats).chain(&self.pace) {
            stats.record(started.elapsed(), fuel, log_dropped, &result);
        }
        if let Err(error) = &result {
            self.strike(error);
        }
        result
    }

    fn strike(&self, error: &CallError) {
        if error.is_strike() && self.strikes.is_out() {
            (self.strikes.report)(&self.identity, error);
        }
    }

    fn wrong_kind(&self) -> CallError {
        CallError::Host(format!(
            "`{}` is a {}",
            self.identity.name, self.identity.world
        ))
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
