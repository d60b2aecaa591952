//! What each kind of plugin exports and which engine it runs on.

use crate::engine::EngineKind;
pub use crate::manifest::World;

/// The contract's package, without its version.
pub(crate) const PACKAGE: &str = "polity:plugin";

/// The version of the contract that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

impl World {
    /// The interface whose export makes a component a plugin of this kind.
    pub const fn export(self) -> &'static str {
        match self {
            World::ModelAdapter => "model",
            World::SchemaStrategy => "strategy",
            World::ConstitutionRule => "rule",
            World::Connector => "operations",
        }
    }

    /// The engine that plugins of this kind run on.
    pub(crate) const fn engine(self) -> EngineKind {
        if self.is_pure() {
            EngineKind::Pure
        } else {
            EngineKind::Io
        }
    }

    /// Finds the kind by the name of the interface that a component exports.
    pub fn from_export(interface: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|world| world.export() == interface)
    }
}
