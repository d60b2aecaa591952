//! Instances of one version of a plugin: how each is made, and the first one of all, which is asked what the version is.

use std::sync::Arc;

use wasmtime::component::Component;

use crate::engine::Engines;
use crate::exports::{Exports, Linked, without_waiting};
use crate::plugin::Description;
use crate::refusal::Refusal;
use crate::sandbox::{self, Profile};
use crate::standby::{Prepared, Source};
use crate::world::World;

/// Makes instances of one version.
pub(crate) struct Instances {
    engines: Engines,
    linked: Linked,
    profile: Arc<Profile>,
}

impl Instances {
    pub(crate) fn new(
        engines: &Engines,
        component: &Component,
        profile: Arc<Profile>,
    ) -> Result<Self, Refusal> {
        let engine = engines.get(profile.world.engine());
        let linked =
            Linked::new(engine, component, &profile).map_err(|error| Refusal::Compile {
                detail: format!("{error:#}"),
            })?;
        Ok(Self {
            engines: engines.clone(),
            linked,
            profile,
        })
    }
}

impl Source for Instances {
    fn prepare(&self) -> wasmtime::Result<Prepared> {
        // Start functions are the guest's code too.
        let _beat = self.engines.pulse().beat();
        let engine = self.engines.get(self.profile.world.engine());
        let mut store = sandbox::store(engine, &self.profile)?;
        let exports = self.linked.instantiate(&mut store)?;
        Ok(Prepared { store, exports })
    }
}

/// The first call a version ever gets: with nothing granted, so that it can be looked at before it is trusted.
pub(crate) fn describe(instances: &Instances) -> Result<Description, Refusal> {
    let export = match instances.profile.world {
        World::ModelAdapter => "models",
        World::SchemaStrategy => "strategy",
        World::ConstitutionRule => "applies-to",
        World::Connector => "operations",
    };
    let failed = |detail: String| Refusal::SelfTest { export, detail };
    let Prepared { mut store, exports } = instances
        .prepare()
        .map_err(|error| failed(format!("{error:#}")))?;
    let store = &mut store;
    let _beat = instances.engines.pulse().beat();
    let mut description = Description::default();
    let asked = match &exports {
        Exports::Rule(exports) if instances.profile.links.wasi => {
            let applies_to = exports.polity_plugin_rule().func_applies_to();
            without_waiting(applies_to.call_async(&mut *store, ()))
                .map(|(kinds,)| description.applies_to = kinds)
        }
        Exports::Rule(exports) => exports
            .polity_plugin_rule()
            .call_applies_to(&mut *store)
            .map(|kinds| description.applies_to = kinds),
        // A strategy describes itself by what it proposes; that it can be instantiated is all there is to see.
        Exports::Strategy(_) => Ok(()),
        Exports::Connector(exports) => without_waiting(
            exports
                .polity_plugin_operations()
                .call_operations(&mut *store),
        )
        .map(|operations| description.operations = operations),
        // An adapter that has to ask its provider answers with a problem here, and is asked again when it is used.
        Exports::Model(exports) => {
            without_waiting(exports.polity_plugin_model().call_models(&mut *store))
                .map(|models| description.models = models.unwrap_or_default())
        }
    };
    match asked {
        Ok(()) => Ok(description),
        Err(error) => Err(failed(store.data().failure(&error).to_string())),
    }
}
