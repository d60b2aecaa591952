//! Roles that every company has without declaring them, so that a charter of ten lines works. They mean the same in
//! every company: a charter adds roles beside them and cannot change them.

use crate::Permission::{self, *};

/// The role that may do everything; at least one person holds it.
pub const OWNER: &str = "owner";

/// A role that exists in every company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInRole {
    /// Its name.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// What its holders may use.
    pub permissions: &'static [Permission],
}

/// The built-in roles.
pub const BUILT_IN_ROLES: [BuiltInRole; 5] = [
    BuiltInRole {
        name: OWNER,
        summary: "may do everything",
        permissions: &Permission::ALL,
    },
    BuiltInRole {
        name: "operator",
        summary: "runs the machine: plugins, metrics, ledger; decides nothing for the company",
        permissions: &[
            DecisionsRead,
            InboxRead,
            PluginsRead,
            PluginsManage,
            LedgerRead,
            MetricsRead,
        ],
    },
    BuiltInRole {
        name: "member",
        summary: "works here: acts, asks models, decides what is addressed to a role of theirs",
        permissions: &[
            ActionsSubmit,
            CompletionsCreate,
            DecisionsRead,
            InboxRead,
            InboxDecide,
            RecordsRead,
            RecordsWrite,
        ],
    },
    BuiltInRole {
        name: "agent",
        summary: "acts and asks models for the company; decides nothing",
        permissions: &[
            ActionsSubmit,
            CompletionsCreate,
            DecisionsRead,
            RecordsRead,
            RecordsWrite,
        ],
    },
    BuiltInRole {
        name: "auditor",
        summary: "reads everything, changes nothing",
        permissions: &[
            DecisionsRead,
            InboxRead,
            PluginsRead,
            RecordsRead,
            LedgerRead,
            MetricsRead,
        ],
    },
];

pub(crate) fn built_in(name: &str) -> Option<&'static BuiltInRole> {
    BUILT_IN_ROLES.iter().find(|role| role.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_people_shaped_roles_decide_inbox_items() {
        let deciding: Vec<_> = BUILT_IN_ROLES
            .iter()
            .filter(|role| role.permissions.contains(&InboxDecide))
            .map(|role| role.name)
            .collect();
        assert_eq!(deciding, ["owner", "member"]);
    }

    #[test]
    fn an_auditor_holds_nothing_but_reading() {
        let auditor = built_in("auditor").unwrap();
        assert!(
            auditor
                .permissions
                .iter()
                .all(|permission| permission.name().ends_with(":read"))
        );
    }
}
