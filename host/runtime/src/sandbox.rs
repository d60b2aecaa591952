//! The one way to make a store. Every instance of every plugin, standby or self-test, comes through here, so no path can
//! forget a limit.

use std::borrow::Cow;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};

use crate::egress::{Egress, EgressError, EgressHooks, Session};
use crate::failure;
use crate::grant::{FolderGrant, Limits};
use crate::imports::reply::{Delta, Reply};
use crate::imports::what_if::Estimator;
use crate::imports::{InertWasi, Links};
use crate::meter::Meter;
use crate::pulse::EPOCH_TICK;
use crate::received::Received;
use crate::world::World;

/// Fuel for making an instance: start functions of language runtimes run here.
const START_FUEL: u64 = 500_000_000;

/// CPU time for making an instance.
const START_MS: u64 = 5_000;

/// What one version of a plugin may do. Immutable, shared by all its instances.
pub(crate) struct Profile {
    pub(crate) name: Arc<str>,
    pub(crate) world: World,
    pub(crate) limits: Limits,
    pub(crate) config: Arc<str>,
    pub(crate) links: Links,
    /// None grants no request at all.
    pub(crate) egress: Option<Arc<Egress>>,
    pub(crate) folders: Vec<FolderGrant>,
}

/// The state of one instance.
pub(crate) struct Guest {
    pub(crate) profile: Arc<Profile>,
    pub(crate) config: Arc<str>,
    pub(crate) table: ResourceTable,
    pub(crate) reply: Reply,
    pub(crate) reply_left: u64,
    pub(crate) received: Received,
    /// Whom a strategy may ask.
    pub(crate) what_if: Option<Arc<dyn Estimator>>,
    pub(crate) egress: Option<Session>,
    pub(crate) wasi: Option<Box<InertWasi>>,
    pub(crate) log_left: usize,
    pub(crate) log_dropped: u32,
    meter: Meter,
}

impl Profile {
    /// The same plugin with nothing granted, for the calls that describe it.
    pub(crate) fn deny_all(&self) -> Self {
        Self {
            name: self.name.clone(),
            world: self.world,
            limits: self.limits,
            config: self.config.clone(),
            links: self.links,
            egress: None,
            folders: Vec::new(),
        }
    }

    /// A guest's text without the secrets that were injected for it.
    pub(crate) fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.egress {
            Some(egress) => egress.scrub_text(text),
            None => Cow::Borrowed(text),
        }
    }

    pub(crate) fn scrub_delta(&self, delta: Delta) -> Delta {
        let scrub = |text: String| match self.scrub(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(scrubbed) => scrubbed,
        };
        match delta {
            Delta::Text(text) => Delta::Text(scrub(text)),
            Delta::Thinking(text) => Delta::Thinking(scrub(text)),
            Delta::ToolCall(mut call) => {
                call.arguments = scrub(call.arguments);
                Delta::ToolCall(call)
            }
        }
    }

    /// The answer to a request of a plugin that was granted no host.
    pub(crate) fn nothing_granted(&self) -> EgressError {
        EgressError::nothing_granted(&self.name)
    }
}

/// Makes a store with every limit set. `epoch_deadline` and fuel are those of the start; the call sets its own.
pub(crate) fn store(engine: &Engine, profile: &Arc<Profile>) -> wasmtime::Result<Store<Guest>> {
    let limits = &profile.limits;
    let egress = profile.egress.as_ref().map(|egress| egress.session());
    let wasi = match profile.links.wasi {
        true => Some(Box::new(InertWasi::new(
            &profile.folders,
            EgressHooks::new(&profile.name, egress.clone()),
        )?)),
        false => None,
    };
    let mut table = ResourceTable::new();
    table.set_max_capacity(size(limits.resources));
    let guest = Guest {
        config: profile.config.clone(),
        table,
        reply: Reply::None,
        reply_left: limits.response_bytes,
        received: Received::default(),
        what_if: None,
        egress,
        wasi,
        log_left: size(limits.log_bytes),
        log_dropped: 0,
        meter: Meter::new(limits),
        profile: profile.clone(),
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.meter);
    store.set_hostcall_fuel(size(limits.hostcall_bytes));
    if limits.fuel.is_some() {
        store.set_fuel(START_FUEL)?;
    }
    store.epoch_deadline_trap();
    store.set_epoch_deadline(ticks(START_MS));
    Ok(store)
}

impl Guest {
    /// What stopped this instance, in words.
    pub(crate) fn failure(&self, error: &wasmtime::Error) -> failure::CallError {
        let limits = &self.profile.limits;
        let error = failure::CallError::of(
            error,
            failure::Limits {
                fuel: limits.fuel.unwrap_or(0),
                wall_ms: limits.wall_ms,
                memory: size(limits.memory_bytes),
                memory_denied: self.meter.memory_denied(),
            },
        );
        match error {
            failure::CallError::Trap(text) => {
                failure::CallError::Trap(self.profile.scrub(&text).into_owned())
            }
            other => other,
        }
    }
}

/// Epoch ticks for a time, one more than fits so that a tick in progress does not count.
pub(crate) fn ticks(ms: u64) -> u64 {
    ms.div_ceil(EPOCH_TICK.as_millis() as u64) + 1
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
