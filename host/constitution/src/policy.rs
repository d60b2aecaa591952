//! The charter's settings: what happens by default, which plugins load, what a day may cost, how the ledger is written.
//! Every one but `defaults.unmatched` has a default, stated here and in the schema.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::OWNER;
use crate::shared_budgets::{SpendLimits, TeamBudget};

/// What becomes of an action that no enforced rule guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// It happens.
    Allow,
    /// It does not happen.
    Deny,
    /// A person decides.
    Escalate,
}

/// What becomes of an action when an enforced rule failed. Allowing is not among the choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It does not happen.
    #[default]
    Deny,
    /// A person decides.
    Escalate,
}

/// What becomes of an inbox item that nobody decided in time. Accepting is not among the choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExpiry {
    /// It is rejected.
    #[default]
    Reject,
    /// It is put before the holders of another role.
    Escalate {
        /// The role that decides then.
        to_role: String,
    },
}

/// Where no rule speaks, and who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Defaults {
    /// What becomes of an action that no enforced rule guards.
    pub unmatched: Unmatched,
    /// What becomes of an action when an enforced rule failed.
    pub on_failure: OnFailure,
    /// The role that decides where a rule names none; `owner` by default.
    pub escalation_role: String,
    /// Milliseconds to decide where a rule names no time; a day by default.
    pub due_ms: u64,
    /// What becomes of an item that nobody decided in time.
    pub on_expiry: OnExpiry,
}

/// Which plugins may be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginPolicy {
    /// Refuse what neither came with Polity nor carries a trusted signature.
    pub require_signed: bool,
    /// Minisign public keys.
    pub trusted_keys: Vec<String>,
}

/// The most that may be spent in an hour, a day and a month, in UTC and in micro-units. `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budgets {
    /// By everyone together; ten units by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub company_daily_micro: Option<u64>,
    /// By everyone together within an hour; not limited by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub company_hourly_micro: Option<u64>,
    /// By everyone together within a month; not limited by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub company_monthly_micro: Option<u64>,
    /// By each actor within an hour; not limited by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub actor_hourly_micro: Option<u64>,
    /// By each actor within a month; not limited by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub actor_monthly_micro: Option<u64>,
    /// By each actor that `actors` does not name; five units by default.
    #[serde(deserialize_with = "whole_or_null")]
    pub actor_daily_micro: Option<u64>,
    /// By single actors, under their full id.
    #[serde(deserialize_with = "whole_or_null_each")]
    pub actors: BTreeMap<String, Option<u64>>,
    /// By teams, under their name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, TeamBudget>,
    /// By all runs of a protocol together, under its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub protocols: BTreeMap<String, SpendLimits>,
}

/// When a completion's record counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompletionRecords {
    /// When it is on disk.
    #[default]
    Durable,
    /// At once; a power failure may take the records of the last half second.
    Relaxed,
}

/// How the constitution is changed by vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AmendmentPolicy {
    /// The role whose holders vote; `owner` by default.
    pub role: String,
    /// How many have to agree; more than half of those who may vote where it is absent.
    #[serde(deserialize_with = "whole_or_null")]
    pub quorum: Option<u64>,
    /// Milliseconds that a vote is open; a week by default.
    #[serde(deserialize_with = "whole")]
    pub due_ms: u64,
}

impl Default for AmendmentPolicy {
    fn default() -> Self {
        Self {
            role: owner(),
            quorum: None,
            due_ms: 7 * one_day(),
        }
    }
}

/// How the ledger is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerPolicy {
    /// Records of completions; all others are always durable.
    pub completions: CompletionRecords,
}

impl Budgets {
    /// The actor's own daily limit, beside the company's.
    pub fn of(&self, actor: &str) -> Option<u64> {
        self.actors
            .get(actor)
            .copied()
            .unwrap_or(self.actor_daily_micro)
    }

    /// The teams that an actor is in, by name.
    pub fn teams_of(&self, actor: &str) -> impl Iterator<Item = &str> {
        let teams = self.teams.iter();
        teams
            .filter(move |(_, team)| team.members.contains(actor))
            .map(|(name, _)| name.as_str())
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            company_daily_micro: Some(10_000_000),
            company_hourly_micro: None,
            company_monthly_micro: None,
            actor_hourly_micro: None,
            actor_monthly_micro: None,
            actor_daily_micro: Some(5_000_000),
            actors: BTreeMap::new(),
            teams: BTreeMap::new(),
            protocols: BTreeMap::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Defaults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenDefaults::deserialize(deserializer)?;
        Ok(Self {
            unmatched: written.unmatched,
            on_failure: written.on_failure,
            escalation_role: written.escalation_role,
            due_ms: written.due_ms,
            on_expiry: match (written.on_expiry, written.expiry_role) {
                (Expiry::Escalate, Some(to_role)) => OnExpiry::Escalate { to_role },
                (Expiry::Escalate, None) => {
                    return Err(D::Error::custom(
                        "\"on_expiry\": \"escalate\" needs \"expiry_role\"",
                    ));
                }
                (Expiry::Reject, _) => OnExpiry::Reject,
            },
        })
    }
}

#[derive(Deserialize)]
struct WrittenDefaults {
    unmatched: Unmatched,
    #[serde(default)]
    on_failure: OnFailure,
    #[serde(default = "owner")]
    escalation_role: String,
    #[serde(default = "one_day", deserialize_with = "whole")]
    due_ms: u64,
    #[serde(default)]
    on_expiry: Expiry,
    expiry_role: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expiry {
    #[default]
    Reject,
    Escalate,
}

fn owner() -> String {
    OWNER.to_owned()
}

fn one_day() -> u64 {
    24 * 60 * 60 * 1000
}

/// JSON Schema counts `5.0` among the integers; so must the types behind it.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    integer(&Number::deserialize(deserializer)?).ok_or_else(not_whole)
}

pub(crate) fn whole_or_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    match Option::<Number>::deserialize(deserializer)? {
        Some(number) => integer(&number).map(Some).ok_or_else(not_whole),
        None => Ok(None),
    }
}

fn whole_or_null_each<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Option<u64>>, D::Error> {
    BTreeMap::<String, Option<Number>>::deserialize(deserializer)?
        .into_iter()
        .map(|(name, number)| match number {
            Some(number) => Ok((name, Some(integer(&number).ok_or_else(not_whole)?))),
            None => Ok((name, None)),
        })
        .collect()
}

fn integer(number: &Number) -> Option<u64> {
    // Exact below 2^53, which the schema's maximum guarantees.
    number.as_u64().or_else(|| {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && (0.0..=9_007_199_254_740_991.0).contains(float))
            .map(|float| float as u64)
    })
}

fn not_whole<E: serde::de::Error>() -> E {
    E::custom("expected a whole number that is not negative")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_charter_leaves_out_is_the_careful_choice() {
        let defaults: Defaults = serde_json::from_value(json!({"unmatched": "allow"})).unwrap();
        assert_eq!(defaults.on_failure, OnFailure::Deny);
        assert_eq!(defaults.escalation_role, "owner");
        assert_eq!(defaults.due_ms, 86_400_000);
        assert_eq!(defaults.on_expiry, OnExpiry::Reject);
        assert_eq!(
            LedgerPolicy::default().completions,
            CompletionRecords::Durable
        );
        assert!(
            Budgets::default().company_daily_micro.is_some(),
            "spending is limited by default"
        );
    }

    #[test]
    fn an_actor_without_a_budget_of_its_own_has_the_common_one() {
        let budgets: Budgets = serde_json::from_value(json!({
            "actor_daily_micro": 100,
            "actors": {"agent:assistant": 7.0, "person:ada": null},
        }))
        .unwrap();
        assert_eq!(budgets.of("agent:assistant"), Some(7));
        assert_eq!(budgets.of("person:ada"), None);
        assert_eq!(budgets.of("service:blog"), Some(100));
        assert_eq!(budgets.company_daily_micro, Some(10_000_000));
    }

    #[test]
    fn an_actor_may_be_in_several_teams_or_in_none() {
        let budgets: Budgets = serde_json::from_value(json!({"teams": {
            "support": {"members": ["person:ada", "agent:assistant"], "daily_micro": 10},
            "sales": {"members": ["person:ada"], "hourly_micro": 1},
        }}))
        .unwrap();
        let teams = |actor| budgets.teams_of(actor).collect::<Vec<_>>();
        assert_eq!(teams("person:ada"), ["sales", "support"]);
        assert_eq!(teams("agent:assistant"), ["support"]);
        assert!(teams("person:ben").is_empty());
    }
}
