//! One sentence that says what becomes of an action, who decided, and why.
//!
//! Reasons come from plugins. Whatever control characters they hold would reach somebody's terminal, so they are taken
//! out, and nobody reads a sentence of a megabyte, so it is cut.

use crate::resolution::{Ask, Conflict, Decider, Outcome};

/// Characters of a plugin's reason that are kept.
const MAX_REASON: usize = 400;

/// A plugin's text as part of a sentence: one line, no control or direction characters, no full stop, bounded.
pub(crate) fn plain(text: &str) -> String {
    let visible = |c: char| !c.is_control() && !is_direction_mark(c);
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.chars().filter(|c| visible(*c)).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let mut kept: String = line
        .trim_end_matches('.')
        .chars()
        .take(MAX_REASON)
        .collect();
    if kept.chars().count() < line.trim_end_matches('.').chars().count() {
        kept.push('…');
    }
    if kept.is_empty() {
        "it gave no reason".to_owned()
    } else {
        kept
    }
}

/// The sentence of a resolution.
pub(crate) fn of(
    outcome: &Outcome,
    decided_by: &[Decider],
    changed: &[String],
    conflicts: &[Conflict],
) -> String {
    let who = names(decided_by);
    ended(match outcome {
        Outcome::Deny { reason } if decided_by.is_empty() => {
            format!("Denied by the charter: {reason}")
        }
        Outcome::Deny { reason } => format!("Denied by {who}: {reason}"),
        Outcome::Escalate { asks } => waits(asks, conflicts),
        Outcome::Amend => format!("Allowed after {who} amended {}", pointers(changed)),
        Outcome::Allow if decided_by.is_empty() => {
            "Allowed by the charter: no enforced rule guards this kind of action".to_owned()
        }
        Outcome::Allow => format!("Allowed: {who} had no objection"),
    })
}

/// With a full stop, unless a plugin's reason was a question.
fn ended(mut sentence: String) -> String {
    if !sentence.ends_with(['?', '!', '…']) {
        sentence.push('.');
    }
    sentence
}

/// `refunds (spending-limit) and privacy (pii-guard)`, with the rule left out where it is called like its binding.
pub(crate) fn names(deciders: &[Decider]) -> String {
    let name = |decider: &Decider| match decider {
        Decider { binding, rule } if binding == rule => rule.clone(),
        Decider { binding, rule } => format!("{binding} ({rule})"),
    };
    and(&deciders.iter().map(name).collect::<Vec<_>>())
}

fn waits(asks: &[Ask], conflicts: &[Conflict]) -> String {
    let roles: Vec<_> = asks.iter().map(|ask| ask.role.clone()).collect();
    let reasons: Vec<_> = asks
        .iter()
        .flat_map(|ask| &ask.reasons)
        .map(|reason| match &reason.by {
            Some(decider) => format!(
                "{} asks: {}",
                names(std::slice::from_ref(decider)),
                reason.reason
            ),
            None => reason.reason.clone(),
        })
        .collect();
    let edit = if conflicts.is_empty() {
        ""
    } else {
        ", who has to edit it"
    };
    format!("Waits for {}{edit}: {}", and(&roles), reasons.join("; "))
}

/// Names at most three places; an amendment may have hundreds.
fn pointers(changed: &[String]) -> String {
    let whole = |pointer: &String| {
        if pointer.is_empty() {
            "the whole input".to_owned()
        } else {
            plain(pointer)
        }
    };
    let mut named: Vec<_> = changed.iter().take(3).map(whole).collect();
    match changed.len().saturating_sub(3) {
        0 => {}
        1 => named.push("1 other place".to_owned()),
        more => named.push(format!("{more} other places")),
    }
    and(&named)
}

fn and(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// Marks that reorder or hide what stands next to them.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_text_cannot_reach_the_terminal_as_more_than_words() {
        assert_eq!(
            plain("too\x1b[31m much\r\n\tmoney.\u{202e}"),
            "too[31m much money"
        );
        assert_eq!(plain("\u{7}\u{200f}"), "it gave no reason");
        assert_eq!(plain(&"x".repeat(5_000)).chars().count(), MAX_REASON + 1);
    }

    #[test]
    fn a_question_keeps_its_mark_and_gets_no_full_stop() {
        let outcome = |reason: &str| Outcome::Deny {
            reason: plain(reason),
        };
        assert_eq!(
            of(&outcome("why not?"), &[], &[], &[]),
            "Denied by the charter: why not?"
        );
        assert_eq!(
            of(&outcome("so be it."), &[], &[], &[]),
            "Denied by the charter: so be it."
        );
    }

    #[test]
    fn many_changes_are_counted_instead_of_listed() {
        let changed: Vec<_> = (0..5).map(|i| format!("/m/{i}")).collect();
        assert_eq!(pointers(&changed), "/m/0, /m/1, /m/2 and 2 other places");
    }

    #[test]
    fn a_binding_that_is_called_like_its_rule_is_named_once() {
        let decider = |binding: &str, rule: &str| Decider {
            binding: binding.into(),
            rule: rule.into(),
        };
        assert_eq!(
            names(&[
                decider("pii-guard", "pii-guard"),
                decider("refunds", "spending-limit")
            ]),
            "pii-guard and refunds (spending-limit)"
        );
    }
}
