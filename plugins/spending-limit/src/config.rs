//! The settings of one binding, as the schema in `polity.json` describes them.

use serde::Deserialize;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Named in sentences, and what an amount's own currency must be.
    pub currency: Option<String>,
    /// Where the amount stands; the estimated cost if absent.
    pub amount: Option<Amount>,
    /// Every one that applies is checked.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// The role that decides.
    #[serde(default = "owner")]
    pub escalate_to: String,
    /// Milliseconds to decide.
    pub due_ms: Option<u64>,
}

/// Where the amount stands in an action's input.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// A JSON pointer.
    pub pointer: String,
    /// What 1 means there.
    pub unit: Unit,
    /// A JSON pointer to the amount's currency.
    pub currency_pointer: Option<String>,
}

/// What an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Units of the currency, with decimals.
    Unit,
    /// Hundredths.
    Cent,
    /// Millionths.
    Micro,
}

/// One limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is added up.
    pub per: Per,
    /// Whom it applies to; everyone if absent.
    pub actor: Option<String>,
    /// Holders of which role it applies to; everyone if absent.
    pub role: Option<String>,
    /// Which kinds of action it applies to; all if absent.
    pub kinds: Option<Vec<String>>,
    /// Above it a person decides.
    pub soft_micro: Option<u64>,
    /// Above it the action is denied.
    pub hard_micro: Option<u64>,
    /// The role that decides on this limit.
    pub escalate_to: Option<String>,
}

/// What a limit adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// The action alone.
    Action,
    /// The action and all that its actor spent today.
    ActorDay,
    /// The action and all that anybody spent today.
    CompanyDay,
}

impl Config {
    /// The kinds of action that any limit applies to; none without limits.
    pub fn kinds(&self) -> Vec<String> {
        let everything = || vec!["*".to_owned()];
        let mut kinds: Vec<String> = self
            .limits
            .iter()
            .flat_map(|limit| limit.kinds.clone().unwrap_or_else(everything))
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

impl Unit {
    /// Micro-units in one of these.
    pub const fn micro(self) -> u64 {
        match self {
            Self::Unit => 1_000_000,
            Self::Cent => 10_000,
            Self::Micro => 1,
        }
    }
}

fn owner() -> String {
    "owner".to_owned()
}
