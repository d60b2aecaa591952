//! Who is asking, as the charter knows them.
//!
//! An [`Actor`] can only be had from the kernel: by a token ([`crate::Kernel::authenticate`]) or by a name that the
//! charter knows ([`crate::Kernel::actor`]). Whoever holds one has not had the chance to write its roles.

use std::collections::BTreeSet;

use polity_constitution::{Charter, Permission};
use serde::Serialize;
use serde_json::json;

/// Somebody that the charter lets act, with what the roles held permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Actor {
    /// The full id: `person:ada`.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// The roles held, in the charter's order.
    pub roles: Vec<String>,
    /// Everything that the roles permit.
    pub permissions: BTreeSet<Permission>,
    /// What rules are told of the actor: the members of a JSON object, written once and not for each request.
    #[serde(skip)]
    pub(crate) facts: Box<str>,
}

impl Actor {
    pub(crate) fn of(charter: &Charter, actor: &polity_constitution::Actor) -> Self {
        let permitted = |permission: &Permission| charter.permits(&actor.id, *permission);
        let told = json!({ "id": actor.id, "kind": actor.kind, "name": actor.name });
        let facts = format!("\"actor\":{told},\"actor_roles\":{}", json!(actor.roles));
        Self {
            id: actor.id.clone(),
            name: actor.name.clone(),
            roles: actor.roles.clone(),
            permissions: Permission::ALL.into_iter().filter(permitted).collect(),
            facts: facts.into(),
        }
    }

    /// The actor as the inbox's one function of authority sees it. Beside the charter's roles everybody holds one that is
    /// called like themselves, so that a question can be put to one person and nobody else.
    pub fn decider(&self) -> polity_inbox::Actor {
        let roles = self.roles.iter().chain([&self.id]);
        polity_inbox::Actor::new(self.id.clone(), roles.cloned())
    }

    /// Whether a role of the actor permits it.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}
