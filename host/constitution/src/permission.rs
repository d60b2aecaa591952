//! The closed set of things that a role may use. It is closed so that a misspelt permission is an error when the
//! constitution is loaded, not a refusal months later.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// Submit an action to be judged and recorded.
    #[serde(rename = "actions:submit")]
    ActionsSubmit,
    /// Ask a model, and list the models that can be asked.
    #[serde(rename = "completions:create")]
    CompletionsCreate,
    /// Read any decision and its explanation.
    #[serde(rename = "decisions:read")]
    DecisionsRead,
    /// See what waits for a person.
    #[serde(rename = "inbox:read")]
    InboxRead,
    /// Decide inbox items that are addressed to a role one holds. Only people may hold it. Implies `inbox:read`.
    #[serde(rename = "inbox:decide")]
    InboxDecide,
    /// See the plugins, their grants and their state.
    #[serde(rename = "plugins:read")]
    PluginsRead,
    /// Install, replace, grant, roll back and remove plugins. Implies `plugins:read`.
    #[serde(rename = "plugins:manage")]
    PluginsManage,
    /// Ask for records, and see the collections and how they are used.
    #[serde(rename = "records:read")]
    RecordsRead,
    /// Insert, change and remove records. Implies `records:read`.
    #[serde(rename = "records:write")]
    RecordsWrite,
    /// Read, verify and export the ledger.
    #[serde(rename = "ledger:read")]
    LedgerRead,
    /// Read the metrics.
    #[serde(rename = "metrics:read")]
    MetricsRead,
}

/// A name that is no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a permission; the permissions are {all}", all = all_names())]
pub struct UnknownPermission(pub String);

impl Permission {
    /// Every permission, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::ActionsSubmit,
        Self::CompletionsCreate,
        Self::DecisionsRead,
        Self::InboxRead,
        Self::InboxDecide,
        Self::PluginsRead,
        Self::PluginsManage,
        Self::RecordsRead,
        Self::RecordsWrite,
        Self::LedgerRead,
        Self::MetricsRead,
    ];

    /// The name that charters use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActionsSubmit => "actions:submit",
            Self::CompletionsCreate => "completions:create",
            Self::DecisionsRead => "decisions:read",
            Self::InboxRead => "inbox:read",
            Self::InboxDecide => "inbox:decide",
            Self::PluginsRead => "plugins:read",
            Self::PluginsManage => "plugins:manage",
            Self::RecordsRead => "records:read",
            Self::RecordsWrite => "records:write",
            Self::LedgerRead => "ledger:read",
            Self::MetricsRead => "metrics:read",
        }
    }

    /// True where a holder of `self` may also do what `other` names.
    pub fn implies(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::InboxDecide, Self::InboxRead)
                    | (Self::PluginsManage, Self::PluginsRead)
                    | (Self::RecordsWrite, Self::RecordsRead)
            )
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.name() == name)
            .ok_or_else(|| UnknownPermission(name.to_owned()))
    }
}

fn all_names() -> String {
    Permission::ALL.map(Permission::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_its_permission() {
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse(), Ok(permission));
            let json = serde_json::to_string(&permission).unwrap();
            assert_eq!(json, format!("\"{permission}\""));
            assert_eq!(
                serde_json::from_str::<Permission>(&json).unwrap(),
                permission
            );
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = "inbox:approve"
            .parse::<Permission>()
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("inbox:approve") && message.contains("inbox:decide"),
            "{message}"
        );
    }

    #[test]
    fn managing_includes_reading_and_not_the_other_way_round() {
        assert!(Permission::PluginsManage.implies(Permission::PluginsRead));
        assert!(!Permission::PluginsRead.implies(Permission::PluginsManage));
        assert!(Permission::InboxDecide.implies(Permission::InboxRead));
        assert!(Permission::RecordsWrite.implies(Permission::RecordsRead));
        assert!(!Permission::InboxDecide.implies(Permission::LedgerRead));
    }
}
