//! The settings of a binding.

use serde::Deserialize;

/// The settings of a binding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The texts.
    pub policies: Vec<PolicyText>,
    /// Numbers of the input that are decimals whether they have a fraction or not.
    pub decimals: Vec<String>,
    /// What becomes of an action that no policy permits and none forbids.
    pub otherwise: Otherwise,
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

/// What becomes of an action that no policy permits and none forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// It does not happen.
    #[default]
    Deny,
    /// A person decides.
    Escalate,
}
