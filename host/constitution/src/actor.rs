//! Who acts. An actor's id carries its kind (`person:ada`), because whether a person or a program wants something is
//! never to be guessed from a name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A human being. Only people decide inbox items.
    Person,
    /// An artificial agent.
    Agent,
    /// A program that calls the API.
    Service,
}

/// Somebody or something that the charter lets act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The full id: `person:ada`, `agent:assistant`, `service:blog`.
    pub id: String,
    /// What it is.
    pub kind: ActorKind,
    /// The name that people see.
    pub name: String,
    /// The roles held, in the charter's order.
    pub roles: Vec<String>,
}

impl ActorKind {
    /// The prefix of an actor's id.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix())
    }
}

impl Actor {
    /// True where the actor holds the role.
    pub fn holds(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}
