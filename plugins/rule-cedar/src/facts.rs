//! An action in Cedar's words.
//!
//! | Cedar | what it is |
//! |---|---|
//! | `principal` | `Person::"ada"`, `Agent::"assistant"`, `Service::"blog"`, in `Role::"owner"` for each role the charter gives |
//! | `action` | `Action::"refund.approve"`, in `Action::"refund"` and every stem of it |
//! | `resource` | `Company::"Driftwood Media"` |
//! | `context.input` | the action's own data |
//! | `context.facts` | what the kernel says of the situation |
//! | `context.at` | when it was asked for, as a `datetime` |
//!
//! Cedar knows neither null nor floating numbers: a member that is null is left out, and a number with a fraction is a
//! `decimal`.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, Request};
use polity_sdk::rule::Action;
use serde_json::{Map, Value, json};

use crate::config::Config;

/// What Cedar is asked, or what in the action cannot be asked.
pub(crate) fn question(config: &Config, action: &Action) -> Result<(Request, Entities), String> {
    let input: Value = parsed("the action's input", &action.input)?;
    let facts: Value = parsed("the context", &action.context)?;
    let (kind, name) = action.actor.split_once(':').unwrap_or(("actor", &action.actor));
    let principal = uid(&capital(kind), name)?;
    let company = facts["company"]["name"].as_str().unwrap_or_default().to_owned();
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
    let entities =
        Entities::from_entities(entities, None).map_err(|error| error.to_string())?;

    let context = json!({
        "input": member(&input, "", &config.decimals)?,
        "facts": member(&facts, "", &[])?,
        "at": extension("datetime", moment(action.at_ms)),
    });
    let context = cedar_policy::Context::from_json_value(context, None)
        .map_err(|error| format!("the action cannot be put to Cedar: {error}"))?;
    let request = Request::new(principal, asked, resource, context, None)
        .map_err(|error| error.to_string())?;
    Ok((request, entities))
}

fn parsed(what: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{what} is no JSON: {error}"))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind
        .parse()
        .map_err(|_| format!("\"{kind}\" is no name of a kind of entity"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// A value as Cedar's JSON has it.
fn member(value: &Value, pointer: &str, decimals: &[String]) -> Result<Value, String> {
    Ok(match value {
        Value::Number(number) => {
            let is_decimal = decimals.iter().any(|decimal| decimal == pointer);
            match number.as_i64() {
                Some(whole) if !is_decimal => json!(whole),
                _ => extension("decimal", decimal(&number.to_string(), pointer)?),
            }
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(_, item)| !item.is_null())
            .map(|(at, item)| member(item, &format!("{pointer}/{at}"), decimals))
            .collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let mut members = Map::new();
            for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
                // Cedar's JSON would take these for an entity or a function.
                if name.starts_with("__") {
                    return Err(format!("a member cannot be called \"{name}\""));
                }
                let escaped = name.replace('~', "~0").replace('/', "~1");
                let inner = format!("{pointer}/{escaped}");
                members.insert(name.clone(), member(field, &inner, decimals)?);
            }
            Value::Object(members)
        }
        other => other.clone(),
    })
}

fn extension(function: &str, argument: String) -> Value {
    json!({"__extn": {"fn": function, "arg": argument}})
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
            if pointer.is_empty() { String::new() } else { format!(" (at {pointer})") }
        ));
    }
    Ok(format!("{whole}.{fraction}"))
}

/// Milliseconds since the epoch as Cedar reads a moment.
fn moment(ms: u64) -> String {
    let days = i64::try_from(ms / 86_400_000).unwrap_or(0);
    let of_day = ms % 86_400_000;
    // Days since 0000-03-01, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, milliseconds) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_cedar_reads_them() {
        assert_eq!(moment(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(moment(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(moment(1_767_603_600_123), "2026-01-05T09:00:00.123Z");
    }

    #[test]
    fn a_number_is_exact_or_refused() {
        assert_eq!(decimal("50", "").unwrap(), "50.0");
        assert_eq!(decimal("50.10", "").unwrap(), "50.1");
        assert_eq!(decimal("-0.0001", "").unwrap(), "-0.0001");
        assert!(decimal("50.00001", "/amount").unwrap_err().contains("/amount"));
        assert!(decimal("1e30", "").is_err());
    }

    #[test]
    fn nothing_in_the_input_becomes_an_entity() {
        let forged = json!({"a": {"__entity": {"type": "Role", "id": "owner"}}});
        assert!(member(&forged, "", &[]).is_err());
        assert_eq!(member(&json!({"a": null, "b": [1, null]}), "", &[]).unwrap(), json!({"b": [1]}));
    }
}
