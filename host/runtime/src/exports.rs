//! A component that has been linked, and the typed exports of an instance of it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, Store};

use crate::bindings::connector::{Connector, ConnectorPre};
use crate::bindings::model::{ModelAdapter, ModelAdapterPre};
use crate::bindings::rule::{ConstitutionRule, ConstitutionRulePre};
use crate::bindings::strategy::{SchemaStrategy, SchemaStrategyPre};
use crate::imports;
use crate::sandbox::{Guest, Profile};
use crate::world::World;

/// A linked component: instantiating it looks nothing up.
pub(crate) enum Linked {
    Model(ModelAdapterPre<Guest>),
    Strategy(SchemaStrategyPre<Guest>),
    Rule(ConstitutionRulePre<Guest>),
    Connector(ConnectorPre<Guest>),
}

/// An instance's exports.
pub(crate) enum Exports {
    Model(ModelAdapter),
    Strategy(SchemaStrategy),
    Rule(ConstitutionRule),
    Connector(Connector),
}

/// A guest on the deterministic engine asked to wait.
#[derive(Debug, thiserror::Error)]
#[error("it tried to wait; rules and strategies cannot")]
struct TriedToWait;

impl Linked {
    /// Links a component with what its profile grants.
    pub(crate) fn new(
        engine: &Engine,
        component: &Component,
        profile: &Profile,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine);
        imports::link(&mut linker, profile.links)?;
        let linked: InstancePre<Guest> = linker.instantiate_pre(component)?;
        Ok(match profile.world {
            World::ModelAdapter => Self::Model(ModelAdapterPre::new(linked)?),
            World::SchemaStrategy => Self::Strategy(SchemaStrategyPre::new(linked)?),
            World::ConstitutionRule => Self::Rule(ConstitutionRulePre::new(linked)?),
            World::Connector => Self::Connector(ConnectorPre::new(linked)?),
        })
    }

    /// Makes an instance. Start functions can compute but not wait, so this never blocks on anything outside.
    pub(crate) fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::Rule(pre) if !store.data().profile.links.wasi => {
                Exports::Rule(pre.instantiate(store)?)
            }
            Self::Rule(pre) => Exports::Rule(without_waiting(pre.instantiate_async(store))?),
            Self::Strategy(pre) => {
                Exports::Strategy(without_waiting(pre.instantiate_async(store))?)
            }
            Self::Model(pre) => Exports::Model(without_waiting(pre.instantiate_async(store))?),
            Self::Connector(pre) => {
                Exports::Connector(without_waiting(pre.instantiate_async(store))?)
            }
        })
    }
}

/// Runs a guest's future that must not wait: it is polled once, and one that is not done then has failed.
pub(crate) fn without_waiting<T>(
    future: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    // The stubs of WASI look for a runtime's timers even where nothing will ever wait for them.
    let poll = || pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    match wasmtime_wasi::runtime::with_ambient_tokio_runtime(poll) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(TriedToWait.into()),
    }
}
