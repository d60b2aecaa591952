//! The one place that says who may decide.
//!
//! Every way to an answer (command line, API, console) ends in [`Inbox::decide`](crate::Inbox::decide), and that asks
//! here. There is no override: an owner who asked for something needs another person as much as anyone.

use serde::{Deserialize, Serialize};

use crate::Item;

/// Only these decide. Agents, plugins, schedules and services ask.
const PERSON: &str = "person:";

/// Who wants to decide, as the charter knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `person:ada`, `agent:…`, `plugin:…`, `schedule:…`.
    pub id: String,
    /// The roles held.
    pub roles: Vec<String>,
}

/// Why somebody may not decide an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a person.
    #[error(
        "only people decide, and {actor:?} is not one: a person with the role {role:?} has to do it"
    )]
    NotAPerson {
        /// Who tried.
        actor: String,
        /// The role that decides.
        role: String,
    },
    /// The one who asked for it.
    #[error(
        "{actor:?} asked for this and cannot decide it too: another person with the role {role:?} has to do it"
    )]
    SelfApproval {
        /// Who tried.
        actor: String,
        /// The role that decides.
        role: String,
    },
    /// A person without the role.
    #[error("this is for the role {role:?}, and {actor:?} holds {}", list(held))]
    MissingRole {
        /// Who tried.
        actor: String,
        /// The role that decides.
        role: String,
        /// The roles the actor has.
        held: Vec<String>,
    },
}

impl Actor {
    /// An actor with some roles.
    pub fn new(id: impl Into<String>, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            id: id.into(),
            roles: roles.into_iter().map(Into::into).collect(),
        }
    }
}

/// Whether the actor may decide the item.
///
/// # Errors
/// The reason why not, with who can instead.
pub fn authority(item: &Item, actor: &Actor) -> Result<(), Refusal> {
    let (id, role) = (|| actor.id.clone(), || item.role.clone());
    let name = actor.id.strip_prefix(PERSON);
    if name.is_none_or(|name| name.trim().is_empty()) {
        return Err(Refusal::NotAPerson {
            actor: id(),
            role: role(),
        });
    }
    // However the two were spelled on their way here, they are one person.
    let spelled = |id: &str| id.trim().to_lowercase();
    if spelled(&item.requested_by) == spelled(&actor.id) {
        return Err(Refusal::SelfApproval {
            actor: id(),
            role: role(),
        });
    }
    if !actor.roles.contains(&item.role) {
        return Err(Refusal::MissingRole {
            actor: id(),
            role: role(),
            held: actor.roles.clone(),
        });
    }
    Ok(())
}

fn list(roles: &[String]) -> String {
    if roles.is_empty() {
        "no role".to_owned()
    } else {
        roles.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::item;

    #[test]
    fn a_person_with_the_role_decides_what_somebody_else_asked_for() {
        assert_eq!(
            authority(
                &item("owner", "agent:a"),
                &Actor::new("person:ada", ["clerk", "owner"])
            ),
            Ok(())
        );
        assert_eq!(
            authority(
                &item("owner", "person:bob"),
                &Actor::new("person:ada", ["owner"])
            ),
            Ok(())
        );
    }

    #[test]
    fn whoever_asked_is_refused_whatever_the_role_and_however_spelled() {
        for id in ["person:ada", "person:Ada", "person:ada "] {
            let refusal = authority(&item("owner", "person:ada"), &Actor::new(id, ["owner"]));
            assert!(matches!(refusal, Err(Refusal::SelfApproval { .. })), "{id}");
        }
    }

    #[test]
    fn what_is_not_a_person_never_decides_even_with_the_role() {
        for id in [
            "agent:a",
            "plugin:p",
            "schedule:nightly",
            "service:s",
            "ada",
            "person:",
            "person: ",
            "",
            " person:ada",
        ] {
            let refusal = authority(&item("owner", "agent:other"), &Actor::new(id, ["owner"]));
            assert!(matches!(refusal, Err(Refusal::NotAPerson { .. })), "{id:?}");
        }
    }

    #[test]
    fn without_the_role_the_refusal_names_it() {
        let refusal = authority(
            &item("owner", "agent:a"),
            &Actor::new("person:ada", ["clerk", "own"]),
        )
        .unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "this is for the role \"owner\", and \"person:ada\" holds clerk, own"
        );
        let none = authority(
            &item("owner", "agent:a"),
            &Actor::new("person:ada", [""; 0]),
        )
        .unwrap_err();
        assert!(none.to_string().ends_with("holds no role"));
    }
}
