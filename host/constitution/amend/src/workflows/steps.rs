//! Steps that came, went, or do something else.

use polity_lint::Direction;
use polity_workflow::{EffectClass, Graph, Node, Trigger, Workflow};
use serde_json::Value;

use super::nodes::{acts, asks, by_name, next_of};
use super::{Part, StepChange};

/// The longest value that is told.
const MAX_VALUE: usize = 80;

/// When the workflow begins, and how long it may take.
pub(super) fn of_the_whole(old: &Graph, new: &Graph) -> Vec<StepChange> {
    let mut found = Vec::new();
    let whole = |part, pointer: &str, words: String, direction| StepChange {
        step: String::new(),
        pointer: pointer.to_owned(),
        part,
        words,
        direction,
        witness: None,
    };
    let words = |trigger: &Trigger| trigger.words.clone();
    for gone in old.triggers.iter().filter(|trigger| {
        !new.triggers
            .iter()
            .any(|other| other.words == trigger.words)
    }) {
        let told = format!("does not begin {} any more", words(gone));
        found.push(whole(
            Part::Trigger,
            &gone.place.pointer,
            told,
            Direction::Less,
        ));
    }
    for come in new.triggers.iter().filter(|trigger| {
        !old.triggers
            .iter()
            .any(|other| other.words == trigger.words)
    }) {
        let told = format!("begins {} now", words(come));
        found.push(whole(
            Part::Trigger,
            &come.place.pointer,
            told,
            Direction::More,
        ));
    }
    if old.timeout_ms != new.timeout_ms {
        let told = format!(
            "may take {} now and might take {}",
            span(new.timeout_ms),
            span(old.timeout_ms)
        );
        found.push(whole(Part::Limit, "/timeout", told, Direction::Same));
    }
    if old.input_schema != new.input_schema {
        let told = "takes another input".to_owned();
        found.push(whole(Part::Data, "/input/schema", told, Direction::Other));
    }
    found
}

/// Step by step.
pub(super) fn compare(
    before: &Workflow,
    old: &Graph,
    after: &Workflow,
    new: &Graph,
) -> Vec<StepChange> {
    let (was, is) = (by_name(old), by_name(new));
    let mut found = Vec::new();
    for (key, at) in &was {
        let node = &old.nodes[*at];
        match is.get(key) {
            None => found.push(gone(node)),
            Some(now) => {
                let next = &new.nodes[*now];
                found.extend(changed(node, next));
                found.extend(data(before, node, after, next));
                let (led, leads) = (next_of(old, *at), next_of(new, *now));
                // Where what followed has gone, that is told as such.
                let is_new_way = led != leads && !follows_from_steps(old, new, *at, *now);
                if is_new_way && node.kind != "switch" {
                    let told = format!("leads to {} now and led to {}", list(&leads), list(&led));
                    found.push(change(next, Part::Way, told, Direction::Other));
                }
            }
        }
    }
    let come = is.iter().filter(|(key, _)| !was.contains_key(*key));
    found.extend(come.map(|(_, at)| added(&new.nodes[*at])));
    found
}

/// Whether a way differs only because a step between came or went.
fn follows_from_steps(old: &Graph, new: &Graph, at: usize, now: usize) -> bool {
    let (was, is) = (by_name(old), by_name(new));
    let names = |graph: &Graph, keys: &mut dyn Iterator<Item = usize>| -> Vec<String> {
        keys.map(|at| format!("\"{}\"", graph.nodes[at].name))
            .collect()
    };
    let come = names(
        new,
        &mut is
            .iter()
            .filter(|(key, _)| !was.contains_key(*key))
            .map(|(_, at)| *at),
    );
    let gone = names(
        old,
        &mut was
            .iter()
            .filter(|(key, _)| !is.contains_key(*key))
            .map(|(_, at)| *at),
    );
    next_of(new, now).iter().all(|name| come.contains(name))
        || next_of(old, at).iter().all(|name| gone.contains(name))
}

fn gone(node: &Node) -> StepChange {
    let (part, words, direction) = if asks(node) {
        (
            Part::Gate,
            format!("{} is not asked any more", role(node)),
            Direction::More,
        )
    } else if acts(node) {
        (
            Part::Effect,
            format!("{} does not happen any more", call(node)),
            Direction::Less,
        )
    } else {
        (
            Part::Step,
            format!("has gone ({})", node.kind),
            Direction::Same,
        )
    };
    change(node, part, words, direction)
}

fn added(node: &Node) -> StepChange {
    let (part, words, direction) = if asks(node) {
        (
            Part::Gate,
            format!("{} is asked now", role(node)),
            Direction::Less,
        )
    } else if acts(node) {
        (
            Part::Effect,
            format!("{} happens now", call(node)),
            Direction::More,
        )
    } else {
        (
            Part::Step,
            format!("is new ({})", node.kind),
            Direction::Same,
        )
    };
    change(node, part, words, direction)
}

/// What one step does otherwise.
fn changed(old: &Node, new: &Node) -> Vec<StepChange> {
    let mut found = Vec::new();
    let mut tell = |part, words: String, direction| found.push(change(new, part, words, direction));
    match (asks(old), asks(new)) {
        (true, false) => tell(
            Part::Gate,
            format!("{} is not asked any more", role(old)),
            Direction::More,
        ),
        (false, true) => tell(
            Part::Gate,
            format!("{} is asked now", role(new)),
            Direction::Less,
        ),
        (true, true) => {
            if role(old) != role(new) {
                tell(
                    Part::Gate,
                    format!("{} is asked now and {} was", role(new), role(old)),
                    Direction::Other,
                );
            }
            let has = |node: &Node, part: fn(&polity_workflow::Gate) -> bool| {
                gate(node).is_some_and(part)
            };
            match (
                has(old, |gate| gate.has_escalation),
                has(new, |gate| gate.has_escalation),
            ) {
                (true, false) => tell(
                    Part::Gate,
                    "nobody else is asked when no answer comes any more".to_owned(),
                    Direction::Other,
                ),
                (false, true) => tell(
                    Part::Gate,
                    "somebody else is asked when no answer comes now".to_owned(),
                    Direction::Same,
                ),
                _ => {}
            }
            for (name, what) in [
                ("deadline", "the deadline"),
                ("votes", "the votes needed"),
                ("quorum", "the quorum"),
            ] {
                let (was, is) = (argument(old, name), argument(new, name));
                if was != is {
                    tell(
                        Part::Gate,
                        format!("{what} is {} now and was {}", short(is), short(was)),
                        Direction::Other,
                    );
                }
            }
        }
        (false, false) => {}
    }
    match (acts(old), acts(new)) {
        (true, false) if !asks(new) => tell(
            Part::Effect,
            format!("{} does not happen any more", call(old)),
            Direction::Less,
        ),
        (false, true) if !asks(old) => tell(
            Part::Effect,
            format!("{} happens now", call(new)),
            Direction::More,
        ),
        _ => {}
    }
    if let (Some(was), Some(is)) = (&old.effect, &new.effect) {
        if was.call != is.call {
            tell(
                Part::Effect,
                format!("calls {} now and called {}", is.call, was.call),
                Direction::Other,
            );
        } else if was.arguments != is.arguments && !asks(new) {
            let differs = differing(&was.arguments, &is.arguments);
            tell(
                Part::Effect,
                format!("calls {} with other arguments: {differs}", is.call),
                Direction::Other,
            );
        }
        if was.class != is.class {
            let told = format!(
                "a crash may have it happen {} now, and {} before",
                class(is.class),
                class(was.class)
            );
            tell(Part::Effect, told, Direction::Other);
        }
    }
    if old.kind != new.kind && old.effect.is_none() && new.effect.is_none() {
        tell(
            Part::Step,
            format!("is a {} now and was a {}", new.kind, old.kind),
            Direction::Other,
        );
    }
    if old.condition != new.condition {
        let (told, direction) = match (&old.condition, &new.condition) {
            (None, Some(is)) => (
                format!("happens only if {is} now"),
                if asks(new) {
                    Direction::More
                } else {
                    Direction::Less
                },
            ),
            (Some(was), None) => (
                format!("happens always now, and only if {was} before"),
                if asks(new) {
                    Direction::Less
                } else {
                    Direction::More
                },
            ),
            (Some(was), Some(is)) => (
                format!("happens only if {is} now, and only if {was} before"),
                Direction::Other,
            ),
            (None, None) => (String::new(), Direction::Same),
        };
        tell(Part::Branch, told, direction);
    }
    if old.timeout_ms != new.timeout_ms {
        tell(
            Part::Limit,
            format!(
                "may take {} now and might take {}",
                span(new.timeout_ms),
                span(old.timeout_ms)
            ),
            Direction::Same,
        );
    }
    let words = |node: &Node| {
        node.wait
            .as_ref()
            .filter(|_| !asks(node))
            .map(|wait| wait.words.clone())
    };
    if words(old) != words(new) {
        let told = |words: Option<String>| words.unwrap_or_else(|| "nothing".to_owned());
        tell(
            Part::Limit,
            format!(
                "waits for {} now and waited for {}",
                told(words(new)),
                told(words(old))
            ),
            Direction::Other,
        );
    }
    found
}

/// What a step is given and hands on, where that is not what it does.
fn data(before: &Workflow, old: &Node, after: &Workflow, new: &Node) -> Vec<StepChange> {
    let body =
        |workflow: &Workflow, node: &Node| workflow.source().pointer(&node.place.pointer).cloned();
    let (Some(was), Some(is)) = (body(before, old), body(after, new)) else {
        return Vec::new();
    };
    ["set", "input", "output", "export", "for", "retry", "catch"]
        .into_iter()
        // What a block holds is told step by step.
        .filter(|member| *member != "catch" || !was[*member]["do"].is_array())
        .filter(|member| was[*member] != is[*member])
        .map(|member| {
            let told = match (&was[member], &is[member]) {
                (Value::Null, value) => format!("has `{member}` {} now", short(value)),
                (value, Value::Null) => {
                    format!("has no `{member}` any more; it was {}", short(value))
                }
                (was, is) => format!("`{member}` differs: {}", differing(was, is)),
            };
            // Data decide nothing by themselves, but what is decided by them nobody can tell from here.
            change(new, Part::Data, told, Direction::Other)
        })
        .collect()
}

fn change(node: &Node, part: Part, words: String, direction: Direction) -> StepChange {
    StepChange {
        step: node.name.clone(),
        pointer: node.place.pointer.clone(),
        part,
        words,
        direction,
        witness: None,
    }
}

fn gate(node: &Node) -> Option<&polity_workflow::Gate> {
    node.effect.as_ref()?.gate.as_ref()
}

fn role(node: &Node) -> String {
    gate(node)
        .and_then(|gate| gate.role.clone())
        .map_or_else(|| "a person".to_owned(), |role| format!("the role {role}"))
}

fn call(node: &Node) -> String {
    node.effect
        .as_ref()
        .map_or_else(|| node.kind.to_owned(), |effect| effect.call.clone())
}

fn argument<'n>(node: &'n Node, name: &str) -> &'n Value {
    node.effect
        .as_ref()
        .map_or(&Value::Null, |effect| &effect.arguments[name])
}

/// The first member that differs, with what it was and is.
fn differing(was: &Value, is: &Value) -> String {
    if let (Value::Object(old), Value::Object(new)) = (was, is) {
        let names = old
            .keys()
            .chain(new.keys().filter(|name| !old.contains_key(*name)));
        let mut differing = names.filter(|name| old.get(*name) != new.get(*name));
        if let Some(name) = differing.next() {
            let inner = differing_value(old.get(name), new.get(name));
            let more = differing.count();
            return match more {
                0 => format!("{name} {inner}"),
                more => format!("{name} {inner}, and {more} more"),
            };
        }
    }
    format!("{} -> {}", short(was), short(is))
}

fn differing_value(was: Option<&Value>, is: Option<&Value>) -> String {
    match (was, is) {
        (Some(was @ Value::Object(_)), Some(is @ Value::Object(_))) => differing(was, is),
        (was, is) => format!(
            "{} -> {}",
            short(was.unwrap_or(&Value::Null)),
            short(is.unwrap_or(&Value::Null))
        ),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match text.len() {
        0..=MAX_VALUE => text,
        _ => format!("{}…", &text[..text.floor_char_boundary(MAX_VALUE)]),
    }
}

fn class(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Own => "exactly once",
        EffectClass::Idempotent => "once by its key",
        EffectClass::AtMostOnce => "at most once",
        EffectClass::AtLeastOnce => "more than once",
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(" or "),
    }
}

/// A time limit in its largest unit.
fn span(ms: Option<u64>) -> String {
    match ms {
        None => "any time".to_owned(),
        Some(ms) if ms % 86_400_000 == 0 => format!("{} days", ms / 86_400_000),
        Some(ms) if ms % 3_600_000 == 0 => format!("{} hours", ms / 3_600_000),
        Some(ms) if ms % 60_000 == 0 => format!("{} minutes", ms / 60_000),
        Some(ms) if ms % 1_000 == 0 => format!("{} seconds", ms / 1_000),
        Some(ms) => format!("{ms} ms"),
    }
}
