//! Whose budgets a completion is paid from.

use std::fmt;

use polity_constitution::Budgets;
use serde::Serialize;

/// Whose budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One actor's.
    Actor(String),
    /// A team's, by its name.
    Team(String),
    /// All runs' of a protocol, by its name.
    Protocol(String),
    /// Everyone's together.
    Company,
}

/// Who asks for a completion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) actor: &'a str,
    /// The protocol that it is part of.
    pub(crate) protocol: Option<&'a str>,
}

impl Scope {
    /// The name of its account in the ledger's state.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Actor(actor) => actor_key(actor),
            Self::Team(team) => format!("team/{team}"),
            Self::Protocol(protocol) => format!("protocol/{protocol}"),
            Self::Company => COMPANY.to_owned(),
        }
    }
}

/// Everyone's account.
pub(super) const COMPANY: &str = "company";

/// An actor's account.
pub(super) fn actor_key(actor: &str) -> String {
    format!("actor/{actor}")
}

impl<'a> Asker<'a> {
    /// Somebody who asks on no protocol's behalf.
    #[cfg(test)]
    pub(crate) fn alone(actor: &'a str) -> Self {
        Self {
            actor,
            protocol: None,
        }
    }

    /// All whose budgets this falls under: always the actor and the company, and those teams and protocols that the
    /// charter gives one. What was spent before it did is not counted against it.
    pub(super) fn payers(self, budgets: &Budgets) -> Vec<Scope> {
        let teams = budgets.teams_of(self.actor);
        let protocol = self
            .protocol
            .filter(|name| budgets.protocols.contains_key(*name));
        let mut payers = Vec::with_capacity(2);
        payers.push(Scope::Actor(self.actor.to_owned()));
        payers.extend(teams.map(|team| Scope::Team(team.to_owned())));
        payers.extend(protocol.map(|name| Scope::Protocol(name.to_owned())));
        payers.push(Scope::Company);
        payers
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(actor) => f.write_str(actor),
            Self::Team(team) => write!(f, "the team {team}"),
            Self::Protocol(protocol) => write!(f, "the protocol {protocol}"),
            Self::Company => f.write_str("the company"),
        }
    }
}
