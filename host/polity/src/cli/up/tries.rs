//! What to try first, made of what this company really has: a suggestion that fails is worse than none.

use std::sync::Arc;

use polity_constitution::{Actor, ActorKind, Binding, Constitution, KindPattern, Mode, Permission};
use polity_kernel::Kernel;
use polity_runtime::plugin::Plugin;
use polity_runtime::registry::Generation;
use serde_json::{Value, json};

use crate::cli::invocation::quoted;

/// One unit of money.
const UNIT: u64 = 1_000_000;

/// At least three command lines. `polity` makes one of a command's words.
pub(super) fn of(kernel: &Kernel, polity: impl Fn(&str) -> String) -> Vec<String> {
    let generation = kernel.runtime().current();
    let constitution = kernel.constitution();
    let mut lines = Vec::new();
    if let Some(model) = model(&generation) {
        let question = quoted("I was charged twice, please refund one of them");
        lines.push(polity(&format!(
            "chat --model {} {question}",
            quoted(&model)
        )));
    }
    let guarded = generation.plugin(SPENDING_LIMIT).is_some();
    if let Some(Escalating { actor, kind, input }) =
        guarded.then(|| escalating(&constitution)).flatten()
    {
        let act = polity(&format!(
            "act {kind} --input {}",
            quoted(&input.to_string())
        ));
        let token = polity(&format!("token create {actor}"));
        lines.push(format!("POLITY_TOKEN=$({token}) {act}"));
        lines.push(polity("inbox list"));
    }
    lines.push(polity(if lines.is_empty() {
        "plugin list"
    } else {
        "explain"
    }));
    for other in ["status", "doctor"] {
        if lines.len() < 3 {
            lines.push(polity(other));
        }
    }
    lines
}

/// A model that answers without asking anybody: its adapter runs, knows its models by itself and wants nothing.
fn model(generation: &Generation) -> Option<String> {
    let alone = |adapter: &&Arc<Plugin>| {
        adapter
            .identity()
            .manifest
            .as_ref()
            .is_some_and(|manifest| manifest.wants.is_empty())
    };
    generation
        .adapters()
        .iter()
        .filter(alone)
        .find_map(|adapter| Some(adapter.description().models.first()?.id.clone()))
}

const SPENDING_LIMIT: &str = "spending-limit";

/// Something that an agent may ask for and a person has to decide.
#[derive(Debug, PartialEq)]
struct Escalating {
    /// Not the owner, who would then be the one person who must not decide it.
    actor: String,
    kind: String,
    input: Value,
}

/// Read off the settings of a binding that puts the spending limit in force.
fn escalating(constitution: &Constitution) -> Option<Escalating> {
    let charter = constitution.charter();
    let actor = charter.actors().find(|actor| {
        actor.kind != ActorKind::Person && charter.permits(&actor.id, Permission::ActionsSubmit)
    })?;
    let bindings = constitution.bindings().iter();
    bindings
        .filter(|binding| binding.rule == SPENDING_LIMIT && binding.mode == Mode::Enforce)
        .find_map(|binding| above_soft_limit(binding, actor))
}

fn above_soft_limit(binding: &Binding, actor: &Actor) -> Option<Escalating> {
    let kind = match binding.guards.first()? {
        KindPattern::Exact(kind) => kind.as_str().to_owned(),
        KindPattern::Under(stem) => format!("{}.approve", stem.as_str()),
        KindPattern::All => return None,
    };
    let config = &binding.config;
    let limits = config["limits"].as_array()?;
    let soft = limits
        .iter()
        .filter(|limit| limit["per"] == "action" && applies(limit, actor))
        .filter_map(|limit| limit["soft_micro"].as_u64())
        .min()?;
    // Whatever limits there are for others or for a day: below the lowest hard one nothing is denied.
    let hard = limits
        .iter()
        .filter_map(|limit| limit["hard_micro"].as_u64())
        .min()
        .unwrap_or(u64::MAX);
    let micro = (soft / UNIT + 1) * UNIT;
    if micro > hard {
        return None;
    }
    let amount = match config["amount"]["unit"].as_str()? {
        "unit" => micro / UNIT,
        "cent" => micro / (UNIT / 100),
        _ => micro,
    };
    let mut input = json!({});
    put(
        &mut input,
        config["amount"]["pointer"].as_str()?,
        json!(amount),
    )?;
    if let Some(pointer) = config["amount"]["currency_pointer"].as_str() {
        put(&mut input, pointer, config["currency"].clone())?;
    }
    Some(Escalating {
        actor: actor.id.clone(),
        kind,
        input,
    })
}

/// Whether a limit is surely for this actor; one for kinds of action is not looked into.
fn applies(limit: &Value, actor: &Actor) -> bool {
    let for_actor = limit["actor"]
        .as_str()
        .is_none_or(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => actor.id.starts_with(prefix),
            None => actor.id == pattern,
        });
    for_actor
        && limit["role"].as_str().is_none_or(|role| actor.holds(role))
        && limit["kinds"].is_null()
}

/// Sets a member at the top; deeper ones are not guessed.
fn put(input: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let name = pointer
        .strip_prefix('/')
        .filter(|name| !name.contains(['/', '~']))?;
    input[name] = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use polity_constitution::Sources;

    use super::*;

    fn constitution(rule: &Value) -> Constitution {
        let charter = json!({
            "company": {"name": "Example", "currency": "EUR"},
            "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
            "agents": [{"id": "assistant", "name": "Assistant", "roles": ["agent"]}],
            "defaults": {"unmatched": "allow"}
        });
        let sources = Sources::new()
            .with("charter.json", charter.to_string())
            .with("rules/refunds.json", rule.to_string());
        Constitution::from_sources(&sources).unwrap()
    }

    #[test]
    fn an_action_just_above_the_soft_limit_is_read_off_the_binding() {
        let rule = json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
            "currency": "EUR",
            "amount": {"pointer": "/amount", "unit": "unit", "currency_pointer": "/currency"},
            "limits": [
                {"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000},
                {"per": "action", "actor": "service:*", "soft_micro": 0},
                {"per": "action", "actor": "agent:*", "soft_micro": 20_000_000}
            ]
        }});
        let expected = Escalating {
            actor: "agent:assistant".to_owned(),
            kind: "refund.approve".to_owned(),
            input: json!({"amount": 21, "currency": "EUR"}),
        };
        assert_eq!(escalating(&constitution(&rule)), Some(expected));
    }

    #[test]
    fn nothing_is_suggested_that_would_be_denied_or_is_not_understood() {
        let limits = |limits: Value| {
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "amount": {"pointer": "/amount", "unit": "cent"}, "limits": limits
            }})
        };
        let nothing = [
            limits(json!([{"per": "action", "soft_micro": 1_000_000, "hard_micro": 1_000_000}])),
            limits(json!([{"per": "action", "hard_micro": 5}])),
            limits(json!([{"per": "action", "role": "owner", "soft_micro": 5}])),
            json!({"rule": "spending-limit", "guards": ["*"], "config": {}}),
            json!({"rule": "business-hours", "guards": ["refund.*"]}),
        ];
        for rule in nothing {
            assert_eq!(escalating(&constitution(&rule)), None, "{rule}");
        }
    }
}
