//! The charter: who the company is, who may do what, and what happens where no rule speaks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::roles::{self, BUILT_IN_ROLES};
use crate::{
    Actor, ActorKind, AmendmentPolicy, Budgets, Defaults, LedgerPolicy, Permission, PluginPolicy,
    RecordsPolicy,
};

/// What the company is called and what it counts in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Company {
    /// Its name, for people.
    pub name: String,
    /// The ISO 4217 code of the currency that every micro-unit counts.
    pub currency: String,
}

/// A charter that has passed every check: each role it names exists, each id is unique, somebody owns the company, and
/// every role that items are addressed to has a person who may decide them.
#[derive(Clone, Debug)]
pub struct Charter {
    company: Company,
    actors: BTreeMap<String, Actor>,
    own_roles: BTreeMap<String, BTreeSet<Permission>>,
    defaults: Defaults,
    plugins: PluginPolicy,
    budgets: Budgets,
    amendments: AmendmentPolicy,
    ledger: LedgerPolicy,
    records: RecordsPolicy,
}

/// The charter as it is written, after the schema and before the cross checks.
#[derive(Deserialize)]
pub(crate) struct WrittenCharter {
    pub(crate) company: Company,
    pub(crate) people: Vec<WrittenMember>,
    #[serde(default)]
    pub(crate) agents: Vec<WrittenMember>,
    #[serde(default)]
    pub(crate) services: Vec<WrittenMember>,
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, WrittenRole>,
    pub(crate) defaults: Defaults,
    #[serde(default)]
    pub(crate) plugins: PluginPolicy,
    #[serde(default)]
    pub(crate) budgets: Budgets,
    #[serde(default)]
    pub(crate) amendments: AmendmentPolicy,
    #[serde(default)]
    pub(crate) ledger: LedgerPolicy,
    #[serde(default)]
    pub(crate) records: RecordsPolicy,
}

#[derive(Deserialize)]
pub(crate) struct WrittenMember {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct WrittenRole {
    pub(crate) permissions: BTreeSet<Permission>,
}

impl Charter {
    /// The company's name and currency.
    pub fn company(&self) -> &Company {
        &self.company
    }

    /// Everyone who may act, by full id.
    pub fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.actors.values()
    }

    /// The actor with this full id, `person:ada`.
    pub fn actor(&self, id: &str) -> Option<&Actor> {
        self.actors.get(id)
    }

    /// The actor's roles; none for an actor the charter does not know.
    pub fn roles_of(&self, id: &str) -> &[String] {
        self.actors.get(id).map_or(&[], |actor| &actor.roles)
    }

    /// True where a role of the actor grants the permission, or one that implies it.
    pub fn permits(&self, id: &str, permission: Permission) -> bool {
        self.roles_of(id)
            .iter()
            .any(|role| self.role_permits(role, permission))
    }

    /// True where the role grants the permission, or one that implies it. False for a role that does not exist.
    pub fn role_permits(&self, role: &str, permission: Permission) -> bool {
        let implies = |held: &Permission| held.implies(permission);
        match roles::built_in(role) {
            Some(role) => role.permissions.iter().any(implies),
            None => self
                .own_roles
                .get(role)
                .is_some_and(|held| held.iter().any(implies)),
        }
    }

    /// Every role, built-in ones first.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        BUILT_IN_ROLES
            .iter()
            .map(|role| role.name)
            .chain(self.own_roles.keys().map(String::as_str))
    }

    /// True where at least one person both holds the role and may decide inbox items. An item addressed to any other
    /// role would wait for ever.
    pub fn can_decide(&self, role: &str) -> bool {
        self.actors.values().any(|actor| {
            actor.kind == ActorKind::Person
                && actor.holds(role)
                && self.permits(&actor.id, Permission::InboxDecide)
        })
    }

    /// What happens where no rule speaks.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Which plugins may be loaded.
    pub fn plugins(&self) -> &PluginPolicy {
        &self.plugins
    }

    /// What a day may cost.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// How the constitution is changed by vote.
    pub fn amendments(&self) -> &AmendmentPolicy {
        &self.amendments
    }

    /// How the ledger is written.
    pub fn ledger(&self) -> &LedgerPolicy {
        &self.ledger
    }

    /// How records are kept.
    pub fn records(&self) -> &RecordsPolicy {
        &self.records
    }
}

/// Assumes nothing: ids that clash overwrite each other here, which is why the cross checks run on the result *and* on
/// what was written before anyone else sees it.
impl From<WrittenCharter> for Charter {
    fn from(written: WrittenCharter) -> Self {
        let actors = [
            (ActorKind::Person, written.people),
            (ActorKind::Agent, written.agents),
            (ActorKind::Service, written.services),
        ]
        .into_iter()
        .flat_map(|(kind, members)| {
            members.into_iter().map(move |member| {
                let id = format!("{}:{}", kind.prefix(), member.id);
                (
                    id.clone(),
                    Actor {
                        id,
                        kind,
                        name: member.name,
                        roles: member.roles,
                    },
                )
            })
        })
        .collect();
        Self {
            company: written.company,
            actors,
            own_roles: written
                .roles
                .into_iter()
                .map(|(name, role)| (name, role.permissions))
                .collect(),
            defaults: written.defaults,
            plugins: written.plugins,
            budgets: written.budgets,
            amendments: written.amendments,
            ledger: written.ledger,
            records: written.records,
        }
    }
}
