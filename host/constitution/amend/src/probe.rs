//! Actions to ask the rules of both constitutions about. What a rule makes of its settings only its plugin knows, but the
//! settings say where to look: at the numbers in them and just beside, at the places that they name.
//!
//! A probe proves nothing by itself. Where the two constitutions make something different of one, it is a [`Witness`].

use std::collections::{BTreeMap, BTreeSet};

use polity_constitution::{ActorKind, Binding, Constitution, OutcomeKind};
use polity_lint::Direction;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::actions::example_of;

/// Probes of one amendment.
const MAX_PROBES: usize = 600;

/// An action to ask about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The kind of action.
    pub kind: String,
    /// Who asks, an actor that both charters know.
    pub actor: String,
    /// The input.
    pub input: Value,
}

/// An action that the amendment makes something else of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// The action.
    #[serde(flatten)]
    pub probe: Probe,
    /// What becomes of it now.
    pub before: OutcomeKind,
    /// What would become of it.
    pub after: OutcomeKind,
    /// Whether that is more.
    pub direction: Direction,
}

impl Witness {
    /// A probe that came out differently; none for one that did not.
    pub fn of(probe: Probe, before: OutcomeKind, after: OutcomeKind) -> Option<Self> {
        let direction = match before.cmp(&after) {
            std::cmp::Ordering::Equal => return None,
            // The order of outcomes is that of strictness.
            std::cmp::Ordering::Less => Direction::Less,
            std::cmp::Ordering::Greater => Direction::More,
        };
        Some(Self {
            probe,
            before,
            after,
            direction,
        })
    }
}

/// What to ask the rules about, for the bindings that differ.
pub fn probes(before: &Constitution, after: &Constitution) -> Vec<Probe> {
    let actors = actors(before, after);
    let names: BTreeSet<&str> = before
        .bindings()
        .iter()
        .chain(after.bindings())
        .map(|binding| binding.name.as_str())
        .collect();
    let mut probes = Vec::new();
    for name in names {
        let pair = (before.binding(name), after.binding(name));
        if pair.0 == pair.1 {
            continue;
        }
        let both: Vec<&Binding> = [pair.0, pair.1].into_iter().flatten().collect();
        let kinds: BTreeSet<_> = both
            .iter()
            .flat_map(|binding| &binding.guards)
            .filter_map(example_of)
            .collect();
        let inputs = inputs(&both);
        for kind in &kinds {
            for input in &inputs {
                for actor in &actors {
                    probes.push(Probe {
                        kind: kind.to_string(),
                        actor: actor.clone(),
                        input: input.clone(),
                    });
                }
            }
        }
    }
    // Spread over all of them where there are too many.
    let step = probes.len().div_ceil(MAX_PROBES).max(1);
    probes.into_iter().step_by(step).collect()
}

/// One of each kind of actor, with the roles that most have.
fn actors(before: &Constitution, after: &Constitution) -> Vec<String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for actor in before.charter().actors() {
        if after.charter().actor(&actor.id).is_some() {
            let family = match actor.kind {
                ActorKind::Person => format!("person {:?}", actor.roles),
                ActorKind::Agent => "agent".to_owned(),
                ActorKind::Service => "service".to_owned(),
            };
            found.entry(family).or_insert_with(|| actor.id.clone());
        }
    }
    found.into_values().take(6).collect()
}

fn inputs(bindings: &[&Binding]) -> Vec<Value> {
    let mut numbers = BTreeSet::new();
    let mut places = BTreeSet::new();
    let mut currency = None;
    for binding in bindings {
        gather(
            "",
            &binding.config,
            &mut numbers,
            &mut places,
            &mut currency,
        );
    }
    let values = beside(&numbers);
    if places.is_empty() {
        places.insert(("/amount".to_owned(), false));
    }
    let mut base = Value::Object(Map::new());
    for (pointer, _) in places.iter().filter(|(_, is_currency)| *is_currency) {
        put(
            &mut base,
            pointer,
            json!(currency.clone().unwrap_or_default()),
        );
    }
    let mut inputs = vec![base.clone()];
    for (pointer, _) in places.iter().filter(|(_, is_currency)| !is_currency) {
        for value in &values {
            let mut input = base.clone();
            put(&mut input, pointer, value.clone());
            inputs.push(input);
        }
    }
    inputs
}

/// Numbers in hundredths, pointers into the input, and the currency that settings speak of.
fn gather(
    name: &str,
    value: &Value,
    numbers: &mut BTreeSet<i64>,
    places: &mut BTreeSet<(String, bool)>,
    currency: &mut Option<String>,
) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                gather(name, value, numbers, places, currency);
            }
        }
        Value::Array(items) => {
            for item in items {
                gather(name, item, numbers, places, currency);
            }
        }
        Value::String(text) if text.starts_with('/') && text.len() < 200 => {
            places.insert((text.clone(), name.contains("currency")));
        }
        Value::String(text) if name == "currency" => *currency = Some(text.clone()),
        Value::Number(number) => {
            let Some(number) = number.as_f64().filter(|number| number.abs() < 1e15) else {
                return;
            };
            let units = if name.ends_with("_micro") {
                number / 1e6
            } else {
                number
            };
            numbers.insert((units * 100.0).round() as i64);
        }
        _ => {}
    }
}

/// Each number, what is just below and above it, and what lies between two of them.
fn beside(hundredths: &BTreeSet<i64>) -> Vec<Value> {
    let mut all: BTreeSet<i64> = BTreeSet::from([0]);
    let mut last = 0;
    for number in hundredths {
        all.extend([number - 1, *number, number + 1, last + (number - last) / 2]);
        last = *number;
    }
    all.insert(last.saturating_mul(2).saturating_add(100));
    let number = |hundredths: i64| {
        if hundredths % 100 == 0 {
            json!(hundredths / 100)
        } else {
            json!(hundredths as f64 / 100.0)
        }
    };
    all.into_iter()
        .filter(|value| *value >= 0)
        .map(number)
        .collect()
}

/// Sets a member, with the objects on the way to it.
fn put(input: &mut Value, pointer: &str, value: Value) {
    let mut at = input;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(part).or_insert(Value::Null);
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_both_settings_and_their_neighbours_are_asked_about() {
        let mut numbers = BTreeSet::new();
        let (mut places, mut currency) = (BTreeSet::new(), None);
        let config = json!({
            "currency": "EUR",
            "amount": {"pointer": "/order/amount", "currency_pointer": "/order/currency"},
            "limits": [{"soft_micro": 50_000_000}, {"soft_micro": 90_000_000}],
        });
        gather("", &config, &mut numbers, &mut places, &mut currency);
        let values = beside(&numbers);
        for value in [
            json!(50),
            json!(50.01),
            json!(49.99),
            json!(70),
            json!(90.01),
        ] {
            assert!(values.contains(&value), "{value} in {values:?}");
        }
        let mut input = json!({});
        put(&mut input, "/order/currency", json!(currency));
        put(&mut input, "/order/amount", json!(70));
        assert_eq!(input, json!({"order": {"currency": "EUR", "amount": 70}}));
    }

    #[test]
    fn what_comes_out_the_same_is_no_witness() {
        let probe = || Probe {
            kind: "a".into(),
            actor: "person:ada".into(),
            input: json!({}),
        };
        use OutcomeKind::{Allow, Deny, Escalate};
        assert_eq!(Witness::of(probe(), Allow, Allow), None);
        assert_eq!(
            Witness::of(probe(), Escalate, Allow).unwrap().direction,
            Direction::More
        );
        assert_eq!(
            Witness::of(probe(), Allow, Deny).unwrap().direction,
            Direction::Less
        );
    }
}
