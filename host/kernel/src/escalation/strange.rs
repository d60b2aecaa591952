//! Requests of which nothing like them is known: a person decides, whatever the rules allow.

use polity_constitution::{Ask, AskReason, Charter, Outcome, Resolution};

use crate::models::Routing;

/// Makes of a ruling what it is where the router does not know the like of the request: at least a question to the
/// charter's escalation role. What is denied stays denied.
pub(crate) fn ask_a_person(resolution: &mut Resolution, routing: &Routing, charter: &Charter) {
    let defaults = charter.defaults();
    let reason = AskReason {
        by: None,
        reason: routing.why.clone(),
    };
    let ask = |reason| Ask {
        role: defaults.escalation_role.clone(),
        due_ms: defaults.due_ms,
        reasons: vec![reason],
    };
    match &mut resolution.outcome {
        Outcome::Deny { .. } => {}
        Outcome::Escalate { asks } => {
            let same = asks
                .iter_mut()
                .find(|ask| ask.role == defaults.escalation_role);
            match same {
                Some(known) => known.reasons.push(reason),
                None => {
                    asks.push(ask(reason));
                    asks.sort_by(|a, b| a.role.cmp(&b.role));
                }
            }
        }
        Outcome::Allow | Outcome::Amend => {
            resolution.sentence = format!("No rule objects, but {}.", routing.why);
            resolution.decided_by.clear();
            resolution.outcome = Outcome::Escalate {
                asks: vec![ask(reason)],
            };
        }
    }
}
