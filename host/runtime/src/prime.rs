//! A rule that has read its settings before it is asked.
//!
//! Every evaluation has an instance of its own, and an instance that has policies to parse would parse them every time. So
//! a component can be primed: an instance gets the settings, is asked what it speaks to, and what its memory holds then
//! becomes the memory that another component starts with. Whoever keeps what he read in a static finds it there. The
//! instances are as fresh as before: each begins from this one image, and none sees what another left behind.
//!
//! Reading a memory takes exports that no plugin has. They are added for the one instance that is read, and are not in
//! the component that comes of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Linker, WasmList};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::bindings::rule::ConstitutionRule;
use crate::digest::Digest;
use crate::engine::Engines;
use crate::imports;
use crate::sandbox::{self, Guest, Profile};
use crate::world::World;

/// How much of a guest's memory may be read into an image. A rule has 64 MiB at most; its settings are kilobytes.
const MAX_IMAGE_BYTES: usize = 64 << 20;

/// Why a plugin answers as it did before, without having read anything in advance.
#[derive(Debug, thiserror::Error)]
pub enum PrimeError {
    /// Only rules are primed.
    #[error("only a rule without WASI can read its settings in advance")]
    NotARule,
    /// The guest failed while it read, or its form does not allow it.
    #[error("its settings could not be read in advance: {0}")]
    Failed(String),
}

/// The name under which a primed component is kept: of the component and of the settings.
pub(crate) fn key(component: &[u8], config: &str) -> Digest {
    let mut both = Vec::with_capacity(component.len() + config.len() + 8);
    both.extend_from_slice(&(component.len() as u64).to_le_bytes());
    both.extend_from_slice(component);
    both.extend_from_slice(config.as_bytes());
    Digest::of(&both)
}

/// The component that has read these settings.
pub(crate) fn prime(
    engines: &Engines,
    component: &[u8],
    profile: &Profile,
    config: &Arc<str>,
) -> Result<Vec<u8>, PrimeError> {
    if profile.world != World::ConstitutionRule || profile.links.wasi {
        return Err(PrimeError::NotARule);
    }
    let profile = Arc::new(profile.deny_all());
    let _beat = engines.pulse().beat();
    // Components are anybody's, and a form that nobody thought of is a refusal and not the end of the thread.
    catch_unwind(AssertUnwindSafe(|| {
        read(engines, component, &profile, config)
    }))
    .unwrap_or_else(|panic| Err(wasmtime::Error::msg(words(panic.as_ref()))))
    .map_err(|error| PrimeError::Failed(format!("{error:#}")))
}

fn read(
    engines: &Engines,
    component: &[u8],
    profile: &Arc<Profile>,
    config: &Arc<str>,
) -> wasmtime::Result<Vec<u8>> {
    let engine = engines.get(profile.world.engine());
    let wizer = Wizer::new();
    let (context, readable) = wizer.instrument_component(component)?;
    let compiled = engines.compile(profile.world.engine(), &readable)?;
    let mut store = sandbox::store(engine, profile)?;
    store.set_hostcall_fuel(MAX_IMAGE_BYTES);
    store.data_mut().config = config.clone();
    let mut linker = Linker::new(engine);
    imports::link(&mut linker, profile.links)?;
    let instance = linker.instantiate(&mut store, &compiled)?;
    ConstitutionRule::new(&mut store, &instance)?
        .polity_plugin_rule()
        .call_applies_to(&mut store)?;
    let mut reader = Reader {
        store: &mut store,
        instance,
        failed: None,
    };
    let image = wizer
        .snapshot_component(&context, &mut reader)
        .now_or_never()
        .ok_or_else(|| wasmtime::Error::msg("reading its memory had to wait"))??;
    match reader.failed {
        Some(error) => Err(error),
        None => Ok(image),
    }
}

/// Reads memories and globals through the exports that were added. A reader has no way to say that it failed, so what
/// failed is kept and asked for at the end.
struct Reader<'s> {
    store: &'s mut Store<Guest>,
    instance: Instance,
    failed: Option<wasmtime::Error>,
}

impl Reader<'_> {
    fn call<R>(&mut self, instance: &str, function: &str) -> Option<R>
    where
        R: 'static,
        (R,): ComponentNamedList + Lift,
    {
        let mut called = || {
            let missing = || wasmtime::Error::msg(format!("{function} cannot be read"));
            let (_, within) = self
                .instance
                .get_export(&mut *self.store, None, instance)
                .ok_or_else(missing)?;
            let (_, found) = self
                .instance
                .get_export(&mut *self.store, Some(&within), function)
                .ok_or_else(missing)?;
            let read = self
                .instance
                .get_typed_func::<(), (R,)>(&mut *self.store, found)?;
            read.call(&mut *self.store, ())
        };
        match called() {
            Ok((value,)) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }
}

impl ComponentInstanceState for Reader<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.call::<WasmList<u8>>(instance, func) {
            Some(list) => contents(list.as_le_slice(&*self.store)),
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func)
            .unwrap_or_default()
            .to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func)
            .unwrap_or_default()
            .to_bits()
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "it has a form that cannot be read: {}",
        text.unwrap_or("no reason given")
    )
}
