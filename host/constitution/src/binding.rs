//! A binding puts a rule plugin in force: for these kinds of action, with these settings, enforced or only watched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ActionKind, KindPattern};

/// Whether a rule's verdict counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It counts.
    #[default]
    Enforce,
    /// It is recorded and has no influence, so that a rule can be tried on real actions first.
    Shadow,
}

/// One file of `rules/`. A rule plugin may have several bindings, each with its own settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binding {
    /// The file's name without `.json`.
    pub name: String,
    /// The rule plugin's name.
    pub rule: String,
    /// The sentence of the handbook that this binding puts into practice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What it guards; never empty.
    pub guards: Vec<KindPattern>,
    /// Whether its verdict counts.
    pub mode: Mode,
    /// Files of `policies/` whose texts the plugin judges by. They stand in the settings too, as
    /// `"policies": [{"file": …, "text": …}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The plugin's settings; the host checks them against the schema in the plugin's manifest.
    pub config: Value,
}

#[derive(Deserialize)]
pub(crate) struct WrittenBinding {
    rule: String,
    policy: Option<String>,
    guards: Vec<KindPattern>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    pub(crate) policies: Vec<String>,
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
}

impl Binding {
    /// True where the binding guards the kind.
    pub fn guards(&self, kind: &ActionKind) -> bool {
        self.guards.iter().any(|pattern| pattern.matches(kind))
    }

    pub(crate) fn named(name: &str, written: WrittenBinding) -> Self {
        Self {
            name: name.to_owned(),
            rule: written.rule,
            policy: written.policy,
            guards: written.guards,
            mode: written.mode,
            policies: written.policies,
            config: Value::Object(written.config),
        }
    }
}
