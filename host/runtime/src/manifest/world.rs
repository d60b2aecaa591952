//! The worlds of `polity:plugin@0.1.0`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a plugin exports, which decides what it may import and what it may use.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// One provider of models.
    ModelAdapter,
    /// Proposes changes of the database's schema.
    SchemaStrategy,
    /// Judges actions.
    ConstitutionRule,
    /// Operations of a system outside.
    Connector,
}

/// A name that is no world.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is not a world; the worlds are {list}", list = World::names())]
pub struct UnknownWorld(pub String);

impl World {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ModelAdapter,
        Self::SchemaStrategy,
        Self::ConstitutionRule,
        Self::Connector,
    ];

    /// As WIT and manifests spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelAdapter => "model-adapter",
            Self::SchemaStrategy => "schema-strategy",
            Self::ConstitutionRule => "constitution-rule",
            Self::Connector => "connector",
        }
    }

    /// True for the worlds whose answers depend on their input alone: they run metered
    /// by fuel, and can be replayed.
    pub const fn is_pure(self) -> bool {
        matches!(self, Self::SchemaStrategy | Self::ConstitutionRule)
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for World {
    type Err = UnknownWorld;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|world| world.name() == name)
            .ok_or_else(|| UnknownWorld(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_reads_back_what_it_prints() {
        for world in World::ALL {
            assert_eq!(world.to_string().parse(), Ok(world));
            assert_eq!(
                serde_json::from_value::<World>(world.name().into()).unwrap(),
                world
            );
        }
    }

    #[test]
    fn an_unknown_world_is_refused_with_the_list() {
        let error = "rule".parse::<World>().unwrap_err();
        assert!(error.to_string().contains("constitution-rule"));
    }
}
