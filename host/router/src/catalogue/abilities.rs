//! What a model can do, as a set that is compared in one step.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Answer a conversation.
    Chat,
    /// Call tools.
    Tools,
    /// See images.
    Vision,
    /// Answer in a given JSON Schema.
    JsonSchema,
    /// Send the answer in pieces.
    Streaming,
    /// Turn texts into vectors.
    Embeddings,
    /// Answer with a label of its own, whatever the conversation: an answer for whoever names the model, for nobody else.
    Classify,
}

/// A set of abilities.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Abilities(u8);

impl Ability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Tools,
        Self::Vision,
        Self::JsonSchema,
        Self::Streaming,
        Self::Embeddings,
        Self::Classify,
    ];

    /// As configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::JsonSchema => "json-schema",
            Self::Streaming => "streaming",
            Self::Embeddings => "embeddings",
            Self::Classify => "classify",
        }
    }

    /// The ability of a name; adapters say `embed` where the company says `embeddings`. Adapters may report abilities
    /// that the router has no use for; those are nothing.
    pub fn of(name: &str) -> Option<Self> {
        if name == "embed" {
            return Some(Self::Embeddings);
        }
        Self::ALL.into_iter().find(|ability| ability.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Abilities {
    /// With one more.
    #[must_use]
    pub const fn with(self, ability: Ability) -> Self {
        Self(self.0 | ability.bit())
    }

    /// Whether one is there.
    pub const fn has(self, ability: Ability) -> bool {
        self.0 & ability.bit() != 0
    }

    /// What is here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL
            .into_iter()
            .filter(move |ability| self.has(*ability))
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(abilities: I) -> Self {
        abilities.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ability) in self.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { ", " }, ability.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl Serialize for Abilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Abilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Ability>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}
