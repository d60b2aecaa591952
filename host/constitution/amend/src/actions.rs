//! Which kinds of action are guarded otherwise. A guard more permits less; what a guard with other settings permits, only
//! its plugin knows, and [`probes`](crate::probes) find out.

use std::collections::{BTreeMap, BTreeSet};

use polity_constitution::{ActionKind, Binding, Constitution, KindPattern, Mode, Unmatched};
use polity_lint::Direction;
use serde::{Deserialize, Serialize};

/// A kind of action, or a family of them, that is guarded otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionChange {
    /// `refund.*`; `*` for all that nothing else is said of.
    pub kinds: String,
    /// Whether more of it happens without a question.
    pub direction: Direction,
    /// Why, in sentences.
    pub why: Vec<String>,
}

pub(crate) fn compare(before: &Constitution, after: &Constitution) -> Vec<ActionChange> {
    let patterns: BTreeSet<&KindPattern> = before
        .bindings()
        .iter()
        .chain(after.bindings())
        .flat_map(|binding| &binding.guards)
        .collect();
    let mut changes: Vec<ActionChange> = patterns
        .into_iter()
        .filter_map(|pattern| {
            let kind = example_of(pattern)?;
            let (direction, why) = compare_kind(before, after, &kind);
            (!why.is_empty()).then(|| ActionChange {
                kinds: pattern.to_string(),
                direction,
                why,
            })
        })
        .collect();
    let (old, new) = (before.charter().defaults(), after.charter().defaults());
    if old.unmatched != new.unmatched {
        changes.push(ActionChange {
            kinds: "whatever no rule guards".to_owned(),
            direction: of_levels(level(old.unmatched), level(new.unmatched)),
            why: vec![format!(
                "the charter's defaults.unmatched was {} and is {}",
                word(old.unmatched),
                word(new.unmatched)
            )],
        });
    }
    if old.on_failure != new.on_failure {
        changes.push(ActionChange {
            kinds: "whatever a failing rule guards".to_owned(),
            direction: Direction::Other,
            why: vec!["the charter's defaults.on_failure is another".to_owned()],
        });
    }
    changes
}

/// A kind that a pattern covers, and as few other patterns as possible.
pub(crate) fn example_of(pattern: &KindPattern) -> Option<ActionKind> {
    match pattern {
        KindPattern::All => "any.kind".parse().ok(),
        KindPattern::Under(stem) => format!("{stem}.any")
            .parse()
            .or_else(|_| stem.as_str().parse())
            .ok(),
        KindPattern::Exact(kind) => Some(kind.clone()),
    }
}

fn compare_kind(
    before: &Constitution,
    after: &Constitution,
    kind: &ActionKind,
) -> (Direction, Vec<String>) {
    let guards = |constitution: &Constitution| -> BTreeMap<String, Binding> {
        constitution
            .bindings_for(kind)
            .map(|binding| (binding.name.clone(), binding.clone()))
            .collect()
    };
    let (old, new) = (guards(before), guards(after));
    let (mut stricter, mut looser, mut other) = (false, false, false);
    let mut why = Vec::new();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (None, Some(added)) => {
                let counts = added.mode == Mode::Enforce;
                stricter |= counts;
                why.push(format!(
                    "rules/{name}.json ({}) {}",
                    added.rule,
                    if counts {
                        "guards it now"
                    } else {
                        "watches it now"
                    }
                ));
            }
            (Some(gone), None) => {
                let counted = gone.mode == Mode::Enforce;
                looser |= counted;
                why.push(format!(
                    "rules/{name}.json ({}) does not {} it any more",
                    gone.rule,
                    if counted { "guard" } else { "watch" }
                ));
            }
            (Some(was), Some(is)) => {
                match (was.mode, is.mode) {
                    (Mode::Shadow, Mode::Enforce) => {
                        stricter = true;
                        why.push(format!("rules/{name}.json was in shadow and counts now"));
                    }
                    (Mode::Enforce, Mode::Shadow) => {
                        looser = true;
                        why.push(format!("rules/{name}.json counted and is in shadow now"));
                    }
                    _ => {}
                }
                if was.rule != is.rule {
                    other |= is.mode == Mode::Enforce;
                    why.push(format!(
                        "rules/{name}.json asked {} and asks {} now",
                        was.rule, is.rule
                    ));
                }
                if was.config != is.config {
                    other |= is.mode == Mode::Enforce;
                    why.push(format!("rules/{name}.json has other settings"));
                }
            }
            (None, None) => {}
        }
    }
    // The first guard of a kind takes the place of the default, and the last one gives it back.
    let counts = |guards: &BTreeMap<String, Binding>| {
        guards.values().any(|binding| binding.mode == Mode::Enforce)
    };
    let first_or_last = counts(&old) != counts(&new);
    let default = level(before.charter().defaults().unmatched);
    if first_or_last && default != level(Unmatched::Allow) {
        return (Direction::Other, why);
    }
    let direction = match (stricter, looser, other) {
        (_, _, true) | (true, true, _) => Direction::Other,
        (true, false, _) => Direction::Less,
        (false, true, _) => Direction::More,
        (false, false, _) => Direction::Same,
    };
    (direction, why)
}

fn level(unmatched: Unmatched) -> u8 {
    match unmatched {
        Unmatched::Deny => 0,
        Unmatched::Escalate => 1,
        Unmatched::Allow => 2,
    }
}

fn word(unmatched: Unmatched) -> &'static str {
    match unmatched {
        Unmatched::Deny => "deny",
        Unmatched::Escalate => "escalate",
        Unmatched::Allow => "allow",
    }
}

fn of_levels(before: u8, after: u8) -> Direction {
    match before.cmp(&after) {
        std::cmp::Ordering::Less => Direction::More,
        std::cmp::Ordering::Equal => Direction::Same,
        std::cmp::Ordering::Greater => Direction::Less,
    }
}
