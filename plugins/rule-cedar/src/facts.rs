//! An action in Cedar's words.
//!
//! | Cedar | what it is |
//! |---|---|
//! | `principal` | `Person::"ada"`, `Agent::"assistant"`, `Service::"blog"`, in `Role::"owner"` for each role the charter gives |
//! | `action` | `Action::"refund.approve"`, in `Action::"refund"` and every stem of it |
//! | `resource` | `Company::"Driftwood Media"` |
//! | `context.input` | the action's own data |
//! | `context.facts` | what the kernel says of the situation |
//! | `context.at_ms` | when it was asked for, milliseconds since the epoch |
//!
//! Cedar knows neither null nor floating numbers: a member that is null is left out, and a number with a fraction is a
//! `decimal`.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use polity_sdk::rule::Action;
use serde_json::Value;

use crate::config::Config;

/// The kinds of entity that an action speaks of. To read a name Cedar parses it as it parses a policy, so the names are
/// read with the policies, once.
#[derive(Debug)]
pub(crate) struct Kinds(HashMap<&'static str, EntityTypeName>);

impl Kinds {
    pub(crate) fn new() -> Result<Self, String> {
        let names = [
            "Person", "Agent", "Service", "Plugin", "Schedule", "Company", "Action", "Role",
        ];
        names
            .into_iter()
            .map(|name| Ok((name, kind(name)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn uid(&self, name: &str, id: &str) -> Result<EntityUid, String> {
        let kind = match self.0.get(name) {
            Some(known) => known.clone(),
            None => kind(name)?,
        };
        Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
    }
}

fn kind(name: &str) -> Result<EntityTypeName, String> {
    name.parse()
        .map_err(|_| format!("\"{name}\" is no name of a kind of entity"))
}

/// What Cedar is asked, or what in the action cannot be asked.
pub(crate) fn question(
    kinds: &Kinds,
    config: &Config,
    action: &Action,
) -> Result<(Request, Entities), String> {
    let input: Value = parsed("the action's input", &action.input)?;
    let facts: Value = parsed("the context", &action.context)?;
    let uid = |kind: &str, id: &str| kinds.uid(kind, id);
    let (kind, name) = action
        .actor
        .split_once(':')
        .unwrap_or(("actor", &action.actor));
    let principal = uid(&capital(kind), name)?;
    let company = facts["company"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let resource = uid("Company", &company)?;
    let asked = uid("Action", &action.kind)?;

    let mut roles = HashSet::new();
    for role in facts["actor_roles"].as_array().into_iter().flatten() {
        roles.insert(uid("Role", role.as_str().unwrap_or_default())?);
    }
    let mut stems = HashSet::new();
    for (dot, _) in action.kind.match_indices('.') {
        stems.insert(uid("Action", &action.kind[..dot])?);
    }
    let entities = [
        Entity::new(principal.clone(), HashMap::new(), roles),
        Entity::new(asked.clone(), HashMap::new(), stems),
    ];
    let entities: Vec<Entity> = entities
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;

    let context = [
        ("input", member(&input, "", &config.decimals)?),
        ("facts", member(&facts, "", &[])?),
        (
            "at_ms",
            RestrictedExpression::new_long(i64::try_from(action.at_ms).unwrap_or(i64::MAX)),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let context = cedar_policy::Context::from_pairs(context)
        .map_err(|error| format!("the action cannot be put to Cedar: {error}"))?;
    let request = Request::new(principal, asked, resource, context, None)
        .map_err(|error| error.to_string())?;
    Ok((request, entities))
}

fn parsed(what: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{what} is no JSON: {error}"))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// A value as Cedar has it. It is built and not written: whatever a member is called, it stays a member.
fn member(
    value: &Value,
    pointer: &str,
    decimals: &[String],
) -> Result<RestrictedExpression, String> {
    Ok(match value {
        Value::Number(number) => {
            let is_decimal = decimals.iter().any(|decimal| decimal == pointer);
            match number.as_i64() {
                Some(whole) if !is_decimal => RestrictedExpression::new_long(whole),
                _ => RestrictedExpression::new_decimal(decimal(&number.to_string(), pointer)?),
            }
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().filter(|(_, item)| !item.is_null());
            let members: Vec<RestrictedExpression> = items
                .map(|(at, item)| member(item, &format!("{pointer}/{at}"), decimals))
                .collect::<Result<_, _>>()?;
            RestrictedExpression::new_set(members)
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, field)| !field.is_null());
            let members: Vec<(String, RestrictedExpression)> = fields
                .map(|(name, field)| {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let inner = format!("{pointer}/{escaped}");
                    Ok((name.clone(), member(field, &inner, decimals)?))
                })
                .collect::<Result<_, String>>()?;
            RestrictedExpression::new_record(members).map_err(|error| error.to_string())?
        }
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Bool(truth) => RestrictedExpression::new_bool(*truth),
        // Cedar has no null. At the top there is always an object, and inside nulls are left out.
        Value::Null => RestrictedExpression::new_record([]).map_err(|error| error.to_string())?,
    })
}

/// Cedar's decimals have one to four digits behind the point. What does not fit is refused and never rounded: a limit
/// must not be passed by a fifth digit.
fn decimal(number: &str, pointer: &str) -> Result<String, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    if number.contains(['e', 'E']) || fraction.len() > 4 {
        return Err(format!(
            "{number}{} has more digits than a decimal of Cedar",
            if pointer.is_empty() {
                String::new()
            } else {
                format!(" (at {pointer})")
            }
        ));
    }
    Ok(format!("{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_exact_or_refused() {
        assert_eq!(decimal("50", "").unwrap(), "50.0");
        assert_eq!(decimal("50.10", "").unwrap(), "50.1");
        assert_eq!(decimal("-0.0001", "").unwrap(), "-0.0001");
        assert!(
            decimal("50.00001", "/amount")
                .unwrap_err()
                .contains("/amount")
        );
        assert!(decimal("1e30", "").is_err());
    }

    #[test]
    fn what_is_null_is_left_out_and_what_is_too_exact_is_refused() {
        let value = serde_json::json!({"a": null, "b": [1, null], "c": 0.00001});
        assert!(member(&value, "", &[]).unwrap_err().contains("/c"));
        let value = serde_json::json!({"a": null, "b": [1, null]});
        assert!(member(&value, "", &[]).is_ok());
    }
}
