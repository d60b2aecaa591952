//! The settings of a binding.

use serde::Deserialize;

/// The settings of a binding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The texts.
    pub policies: Vec<PolicyText>,
    /// The rule that is asked.
    pub entrypoint: Option<String>,
    /// Who decides where a policy names nobody.
    pub escalate_to: Option<String>,
}

/// A file of policies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Its path in the constitution's folder.
    pub file: String,
    /// What it says.
    pub text: String,
}

impl Config {
    pub(crate) fn entrypoint(&self) -> &str {
        self.entrypoint.as_deref().unwrap_or("data.polity.verdict")
    }
}
