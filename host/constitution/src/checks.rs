//! What a schema cannot see: names that must exist elsewhere in the charter, and roles that somebody must hold.

use std::collections::{BTreeMap, BTreeSet};

use polity_document::{Document, Problem, escaped, suggest};
use serde_json::{Map, Value};

use crate::charter::Charter;
use crate::roles::{self, BUILT_IN_ROLES, OWNER};
use crate::{ActorKind, OnExpiry, Permission};

const MEMBERS: [(&str, ActorKind); 3] = [
    ("people", ActorKind::Person),
    ("agents", ActorKind::Agent),
    ("services", ActorKind::Service),
];

/// Checks of names. They read the JSON and take any part that has the wrong shape for absent, so that they find their
/// problems even where the schema has found others.
pub(crate) fn names(document: &Document) -> Vec<Problem> {
    let charter = &document.value;
    let own_roles = fields(&charter["roles"]);
    let known: Vec<&str> = BUILT_IN_ROLES
        .iter()
        .map(|role| role.name)
        .chain(own_roles.keys().map(String::as_str))
        .collect();
    let mut problems = Vec::new();

    for name in own_roles
        .keys()
        .filter(|name| roles::built_in(name).is_some())
    {
        problems.push(document.problem(
            "built-in-role",
            &format!("/roles/{}", escaped(name)),
            format!("the role \"{name}\" is built in and means the same in every company"),
            "choose another name, or remove it to have the built-in role",
        ));
    }

    let mut role_uses: Vec<(String, &str)> = Vec::new();
    let mut actors = BTreeSet::new();
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (list, kind) in MEMBERS {
        for (index, member) in items(&charter[list]).iter().enumerate() {
            if let Some(id) = member["id"].as_str() {
                actors.insert(format!("{}:{id}", kind.prefix()));
                let pointer = format!("/{list}/{index}/id");
                if let Some(first) = seen.get(id) {
                    problems.push(document.problem(
                        "duplicate-id",
                        &pointer,
                        format!("the id \"{id}\" is taken by {first}"),
                        "give each person, agent and service an id of its own",
                    ));
                } else {
                    seen.insert(id, pointer);
                }
            }
            for (at, role) in items(&member["roles"]).iter().enumerate() {
                role_uses.extend(
                    role.as_str()
                        .map(|role| (format!("/{list}/{index}/roles/{at}"), role)),
                );
            }
        }
    }
    for field in ["escalation_role", "expiry_role"] {
        role_uses.extend(
            charter["defaults"][field]
                .as_str()
                .map(|role| (format!("/defaults/{field}"), role)),
        );
    }
    role_uses.extend(
        charter["amendments"]["role"]
            .as_str()
            .map(|role| ("/amendments/role".to_owned(), role)),
    );
    for (name, roles) in fields(&charter["records"]["restricted"]) {
        for (at, role) in items(roles).iter().enumerate() {
            let pointer = format!("/records/restricted/{}/{at}", escaped(name));
            role_uses.extend(role.as_str().map(|role| (pointer, role)));
        }
    }
    for (name, rule) in fields(&charter["records"]["rows"]) {
        for (at, role) in items(&rule["all_for"]).iter().enumerate() {
            let pointer = format!("/records/rows/{}/all_for/{at}", escaped(name));
            role_uses.extend(role.as_str().map(|role| (pointer, role)));
        }
    }
    for (pointer, role) in role_uses
        .into_iter()
        .filter(|(_, role)| !known.contains(role))
    {
        problems.push(document.problem(
            "unknown-role",
            &pointer,
            format!("there is no role \"{role}\""),
            suggest::fix(role, "role", known.iter().copied()),
        ));
    }

    let budgets = &charter["budgets"];
    let single = fields(&budgets["actors"]).keys();
    let single = single.map(|actor| (format!("/budgets/actors/{}", escaped(actor)), &**actor));
    let members = fields(&budgets["teams"]).iter().flat_map(|(team, budget)| {
        let members = items(&budget["members"]).iter().enumerate();
        members.filter_map(|(at, member)| {
            let pointer = format!("/budgets/teams/{}/members/{at}", escaped(team));
            Some((pointer, member.as_str()?))
        })
    });
    for (pointer, actor) in single
        .chain(members)
        .filter(|(_, actor)| !actors.contains(*actor))
    {
        problems.push(document.problem(
            "unknown-actor",
            &pointer,
            format!("the charter has no actor \"{actor}\""),
            suggest::fix(actor, "actor", actors.iter().map(String::as_str)),
        ));
    }

    let defaults = &charter["defaults"];
    if defaults["expiry_role"].is_string() && defaults["on_expiry"] != "escalate" {
        problems.push(document.problem(
            "no-effect",
            "/defaults/expiry_role",
            "\"expiry_role\" says who decides after expiry, but items that expire are rejected",
            "set \"on_expiry\": \"escalate\", or remove \"expiry_role\"",
        ));
    }
    problems
}

/// Checks of authority. `names` is what the check of names has said: a misspelt role is reported as misspelt, and not a
/// second time as a role that nobody holds.
pub(crate) fn authority(charter: &Charter, document: &Document, names: &[Problem]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let roles_are_known = names.iter().all(|problem| problem.code != "unknown-role");
    if roles_are_known
        && !charter
            .actors()
            .any(|actor| actor.kind == ActorKind::Person && actor.holds(OWNER))
    {
        problems.push(document.problem(
            "no-owner",
            "/people",
            "nobody owns the company",
            "give one of the people the role \"owner\"",
        ));
    }

    // A decision must be a human being's: an agent that could accept items would approve its own kind's work.
    for (list, kind) in MEMBERS
        .into_iter()
        .filter(|(_, kind)| *kind != ActorKind::Person)
    {
        for (index, member) in items(&document.value[list]).iter().enumerate() {
            for (at, role) in items(&member["roles"]).iter().enumerate() {
                let role = role.as_str().unwrap_or_default();
                if charter.role_permits(role, Permission::InboxDecide) {
                    problems.push(document.problem(
                        "decides-without-being-a-person",
                        &format!("/{list}/{index}/roles/{at}"),
                        format!("the role \"{role}\" decides inbox items, which only people may"),
                        format!(
                            "give this {kind} a role without \"inbox:decide\", for example \"agent\""
                        ),
                    ));
                }
            }
        }
    }

    let defaults = charter.defaults();
    let mut addressed = vec![("defaults/escalation_role", &defaults.escalation_role)];
    if document.value["amendments"]["role"].is_string() {
        addressed.push(("amendments/role", &charter.amendments().role));
    }
    if let OnExpiry::Escalate { to_role } = &defaults.on_expiry {
        addressed.push(("defaults/expiry_role", to_role));
        if *to_role == defaults.escalation_role {
            problems.push(document.problem(
                "no-effect",
                "/defaults/expiry_role",
                format!(
                    "after expiry an item would go to \"{to_role}\", who did not decide it in time"
                ),
                "name another role, or set \"on_expiry\": \"reject\"",
            ));
        }
    }
    let has_owner = problems.iter().all(|problem| problem.code != "no-owner");
    for (field, role) in addressed.into_iter().filter(|_| roles_are_known) {
        if !charter.can_decide(role) && (role != OWNER || has_owner) {
            problems.push(document.problem(
                "nobody-decides",
                &format!("/{field}"),
                format!("no person both holds the role \"{role}\" and may decide inbox items"),
                format!(
                    "give \"{role}\" to a person who has \"inbox:decide\", or name another role"
                ),
            ));
        }
    }
    problems
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fields(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}
