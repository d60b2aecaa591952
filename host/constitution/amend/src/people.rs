//! Who may do more, and who less: an amendment that gives an agent a role is one line of a charter and a great deal of
//! power.

use std::collections::BTreeSet;

use polity_constitution::{Charter, Permission};
use serde::{Deserialize, Serialize};

/// An actor whose roles, permissions or money are others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonChange {
    /// Who: `person:ada`.
    pub actor: String,
    /// Permissions and roles that the actor has now and had not, and what more may be spent.
    pub gained: Vec<String>,
    /// Those that the actor had and has not any more.
    pub lost: Vec<String>,
}

pub(crate) fn compare(before: &Charter, after: &Charter) -> Vec<PersonChange> {
    let actors: BTreeSet<&str> = before
        .actors()
        .chain(after.actors())
        .map(|actor| actor.id.as_str())
        .collect();
    let mut changes = Vec::new();
    for actor in actors {
        let (old, new) = (held(before, actor), held(after, actor));
        let mut gained: Vec<String> = new.difference(&old).cloned().collect();
        let mut lost: Vec<String> = old.difference(&new).cloned().collect();
        if before.actor(actor).is_some() && after.actor(actor).is_some() {
            spending(
                before.budgets().of(actor),
                after.budgets().of(actor),
                &mut gained,
                &mut lost,
            );
        }
        if !gained.is_empty() || !lost.is_empty() {
            changes.push(PersonChange {
                actor: actor.to_owned(),
                gained,
                lost,
            });
        }
    }
    let (mut gained, mut lost) = (Vec::new(), Vec::new());
    let company = |charter: &Charter| charter.budgets().company_daily_micro;
    spending(company(before), company(after), &mut gained, &mut lost);
    if !gained.is_empty() || !lost.is_empty() {
        changes.push(PersonChange {
            actor: "everyone together".to_owned(),
            gained,
            lost,
        });
    }
    changes
}

fn held(charter: &Charter, actor: &str) -> BTreeSet<String> {
    let roles = charter
        .roles_of(actor)
        .iter()
        .map(|role| format!("the role {role}"));
    let permissions = Permission::ALL
        .into_iter()
        .filter(|permission| charter.permits(actor, *permission))
        .map(|permission| permission.to_string());
    roles.chain(permissions).collect()
}

fn spending(
    before: Option<u64>,
    after: Option<u64>,
    gained: &mut Vec<String>,
    lost: &mut Vec<String>,
) {
    let words = |limit: Option<u64>| match limit {
        Some(micro) => format!(
            "{}.{:02} a day",
            micro / 1_000_000,
            micro % 1_000_000 / 10_000
        ),
        None => "without a limit".to_owned(),
    };
    let told = format!("to spend {} instead of {}", words(after), words(before));
    match (before.unwrap_or(u64::MAX), after.unwrap_or(u64::MAX)) {
        (before, after) if before < after => gained.push(told),
        (before, after) if before > after => lost.push(told),
        _ => {}
    }
}
