//! How a plugin is called. Every call is the same frame round one export: a place among those in progress, an instance
//! of its own, limits on it, and one end that counts, scrubs and strikes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wasmtime::{Store, UpdateDeadline};

use super::{Plugin, weight};
use crate::bindings::connector::exports::polity::plugin::operations;
use crate::bindings::imports::polity::plugin::types::Problem;
use crate::bindings::model::exports::polity::plugin::model;
use crate::bindings::rule::exports::polity::plugin::rule;
use crate::bindings::strategy::exports::polity::plugin::strategy;
use crate::exports::{Exports, without_waiting};
use crate::failure::{CallError, cut};
use crate::imports::reply::{Delta, Reply};
use crate::imports::what_if::Estimator;
use crate::pulse::Beat;
use crate::received::Received;
use crate::sandbox::{Guest, ticks};
use crate::standby::Prepared;
use crate::stats::Export;

/// A rule's answer and its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What the rule says.
    pub verdict: rule::Verdict,
    /// Fuel burnt: the same for the same action on every machine.
    pub fuel: u64,
}

/// A completion that has ended.
#[derive(Clone, Debug)]
pub struct Completion {
    /// How it ended and what it used.
    pub outcome: model::Outcome,
    /// The pieces, if they were collected and not streamed.
    pub pieces: Vec<Delta>,
}

impl Plugin {
    /// Judges an action. Blocks for as long as the rule computes, at most its fuel's worth.
    ///
    /// `config` replaces the configuration of the grant file; check it with [`Plugin::check_config`] first.
    pub fn evaluate(
        &self,
        action: &rule::Action,
        config: Option<&Arc<str>>,
    ) -> Result<Evaluation, CallError> {
        let mut call = self.begin(Export::Evaluate, config, weight::of_action(action))?;
        let (store, rule) = call.rule()?;
        let called = if self.profile.links.wasi {
            let evaluate = rule.func_evaluate();
            without_waiting(evaluate.call_async(store, (action,))).map(|(result,)| result)
        } else {
            rule.call_evaluate(store, action)
        };
        let fuel = call.fuel_used();
        let verdict = call.end(called)?;
        Ok(Evaluation { verdict, fuel })
    }

    /// Asks a strategy for proposals. Blocks for as long as it computes. While it thinks it may ask what changes would
    /// do; without anybody to answer it hears that this is unsupported.
    pub fn propose(
        &self,
        seen: &strategy::Observations,
        what_if: Option<Arc<dyn Estimator>>,
    ) -> Result<Vec<strategy::Proposal>, CallError> {
        let mut call = self.begin(Export::Propose, None, 0)?;
        let (store, strategy) = call.strategy()?;
        store.data_mut().what_if = what_if;
        let called = without_waiting(strategy.call_propose(store, seen));
        call.end(called)
    }

    /// The models that can be used now; asks the provider where the adapter does.
    pub async fn models(&self) -> Result<Vec<model::Info>, CallError> {
        let mut call = self.begin(Export::Models, None, 0)?;
        let (store, model) = call.model()?;
        let called = self
            .in_time(Export::Models, None, model.call_models(store))
            .await?;
        call.end(called)
    }

    /// Answers a request. `deadline` shortens the plugin's own time limit. Dropping the future stops the guest and closes
    /// its connections.
    pub async fn complete(
        &self,
        request: &model::Request,
        reply: Reply,
        deadline: Option<Duration>,
    ) -> Result<Completion, CallError> {
        self.complete_receiving(request, reply, deadline, Received::default())
            .await
    }

    /// The same for a caller who has to know what came of the answer though the call fails.
    pub async fn complete_receiving(
        &self,
        request: &model::Request,
        reply: Reply,
        deadline: Option<Duration>,
        received: Received,
    ) -> Result<Completion, CallError> {
        let mut call = self.begin(Export::Complete, None, weight::of_request(request))?;
        let (store, model) = call.model()?;
        store.data_mut().reply = reply;
        store.data_mut().received = received;
        let called = self
            .in_time(
                Export::Complete,
                deadline,
                model.call_complete(&mut *store, request),
            )
            .await?;
        // A stream's sender is dropped here, before the instance is: the reader sees the end at once.
        let reply = std::mem::take(&mut store.data_mut().reply);
        let outcome = call.end(called)?;
        let pieces = match reply {
            Reply::Collect(pieces) => pieces,
            Reply::None | Reply::Stream(_) => Vec::new(),
        };
        Ok(Completion { outcome, pieces })
    }

    /// Embeds texts: one vector per input.
    pub async fn embed(
        &self,
        name: &str,
        input: &[String],
        deadline: Option<Duration>,
    ) -> Result<Vec<Vec<f32>>, CallError> {
        let mut call = self.begin(Export::Embed, None, input.iter().map(String::len).sum())?;
        let (store, model) = call.model()?;
        let called = self
            .in_time(
                Export::Embed,
                deadline,
                model.call_embed(store, name, input),
            )
            .await?;
        call.end(called)
    }

    /// Performs a connector's operation; input and output are JSON text.
    pub async fn call(
        &self,
        operation: &str,
        input: &str,
        idempotency_key: &str,
        deadline: Option<Duration>,
    ) -> Result<String, CallError> {
        let mut call = self.begin(Export::Call, None, input.len())?;
        let (store, connector) = call.connector()?;
        let input = input.to_owned();
        let called = connector.call_call(store, operation, &input, idempotency_key);
        let called = self.in_time(Export::Call, deadline, called).await?;
        call.end(called)
    }

    /// A place and an instance with the limits of a call that is given so many bytes to read.
    fn begin(
        &self,
        export: Export,
        config: Option<&Arc<str>>,
        input_bytes: usize,
    ) -> Result<Call<'_>, CallError> {
        let started = Instant::now();
        let place = self.place()?;
        let mut instance = self
            .standby
            .take()
            .map_err(|error| CallError::Host(format!("{error:#}")))?;
        let limits = &self.profile.limits;
        let fuel = limits.fuel.map(|fuel| weight::fuel(fuel, input_bytes));
        if let Some(fuel) = fuel {
            instance
                .store
                .set_fuel(fuel)
                .map_err(|error| CallError::Host(error.to_string()))?;
        }
        instance
            .store
            .set_epoch_deadline(ticks(limits.cpu_ms.min(limits.wall_ms)));
        if let Some(config) = config {
            instance.store.data_mut().config = config.clone();
        }
        Ok(Call {
            plugin: self,
            export,
            started,
            fuel: fuel.unwrap_or(0),
            input_bytes,
            instance,
            _place: place,
        })
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

    /// Bounds the whole call on the clock. What is late is dropped, instance and connections with it.
    async fn in_time<T>(
        &self,
        export: Export,
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
                // No strike: what a guest waits for is somebody else, and one that computes instead of waiting is
                // stopped by its processor time. A provider that hangs must not take its adapter out of service.
                self.stats.record(export, started.elapsed(), 0, 0, &result);
                Err(error)
            }
        }
    }
}

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

/// A call in progress.
struct Call<'a> {
    plugin: &'a Plugin,
    export: Export,
    started: Instant,
    /// What it may burn; 0 where that is not limited.
    fuel: u64,
    /// What it was given to read.
    input_bytes: usize,
    instance: Prepared,
    _place: Place,
}

impl Call<'_> {
    fn rule(&mut self) -> Result<(&mut Store<Guest>, &rule::Guest), CallError> {
        match &self.instance.exports {
            Exports::Rule(exports) => Ok((&mut self.instance.store, exports.polity_plugin_rule())),
            _ => Err(wrong_kind(self.plugin)),
        }
    }

    fn strategy(&mut self) -> Result<(&mut Store<Guest>, &strategy::Guest), CallError> {
        match &self.instance.exports {
            Exports::Strategy(exports) => {
                Ok((&mut self.instance.store, exports.polity_plugin_strategy()))
            }
            _ => Err(wrong_kind(self.plugin)),
        }
    }

    fn model(&mut self) -> Result<(&mut Store<Guest>, &model::Guest), CallError> {
        self.allow_waiting();
        match &self.instance.exports {
            Exports::Model(exports) => {
                Ok((&mut self.instance.store, exports.polity_plugin_model()))
            }
            _ => Err(wrong_kind(self.plugin)),
        }
    }

    fn connector(&mut self) -> Result<(&mut Store<Guest>, &operations::Guest), CallError> {
        self.allow_waiting();
        match &self.instance.exports {
            Exports::Connector(exports) => {
                Ok((&mut self.instance.store, exports.polity_plugin_operations()))
            }
            _ => Err(wrong_kind(self.plugin)),
        }
    }

    /// Lets a guest share its thread: at every tick it yields, and at its limit of CPU time it ends.
    fn allow_waiting(&mut self) {
        let mut left = ticks(self.plugin.profile.limits.cpu_ms);
        let store = &mut self.instance.store;
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

    fn fuel_used(&self) -> u64 {
        match self.fuel {
            0 => 0,
            fuel => fuel.saturating_sub(self.instance.store.get_fuel().unwrap_or(0)),
        }
    }

    /// What became of it: the guest's words scrubbed, the instance given up, the figures kept.
    fn end<T>(self, called: wasmtime::Result<Result<T, Problem>>) -> Result<T, CallError> {
        let fuel = self.fuel_used();
        let plugin = self.plugin;
        let guest = self.instance.store.data();
        let result = match called {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(problem)) => Err(CallError::Problem(Problem {
                code: cut(&problem.code),
                detail: cut(&plugin.profile.scrub(&problem.detail)),
                retry_after_ms: problem.retry_after_ms,
            })),
            Err(error) => Err(match guest.failure(&error) {
                CallError::OutOfFuel(_) => CallError::OutOfFuel(self.fuel),
                failure => failure,
            }),
        };
        let log_dropped = guest.log_dropped;
        plugin.standby.discard(self.instance);
        for stats in std::iter::once(&*plugin.stats).chain(&plugin.pace) {
            stats.record(
                self.export,
                self.started.elapsed(),
                fuel,
                log_dropped,
                &result,
            );
        }
        if let Err(error) = &result {
            plugin.strike(error, self.input_bytes);
        }
        result
    }
}

fn wrong_kind(plugin: &Plugin) -> CallError {
    let identity = plugin.identity();
    CallError::Host(format!("`{}` is a {}", identity.name, identity.world))
}
