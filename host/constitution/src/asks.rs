//! Escalations by several rules become one question for each role that has to decide.

use std::collections::BTreeMap;

use crate::Charter;
use crate::resolution::{Ask, AskReason, Decider, Outcome};
use crate::sentence::plain;

/// Escalations, gathered by the role that decides.
#[derive(Default)]
pub(crate) struct Asks(BTreeMap<String, Ask>);

impl Asks {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn ask(
        &mut self,
        charter: &Charter,
        by: Option<Decider>,
        role: Option<&String>,
        due_ms: Option<u64>,
        reason: &str,
    ) {
        let defaults = charter.defaults();
        let mut reason = plain(reason);
        let role = match role {
            Some(role) if charter.can_decide(role) => role,
            Some(nobodys) => {
                reason = format!(
                    "{reason} (addressed to \"{}\", for whom nobody can decide)",
                    plain(nobodys)
                );
                &defaults.escalation_role
            }
            None => &defaults.escalation_role,
        };
        let due_ms = due_ms.unwrap_or(defaults.due_ms);
        self.extend([Ask {
            role: role.clone(),
            due_ms,
            reasons: vec![AskReason { by, reason }],
        }]);
    }

    pub(crate) fn extend(&mut self, asks: impl IntoIterator<Item = Ask>) {
        for ask in asks {
            match self.0.get_mut(&ask.role) {
                Some(present) => {
                    present.due_ms = present.due_ms.min(ask.due_ms);
                    for reason in ask.reasons {
                        if !present.reasons.contains(&reason) {
                            present.reasons.push(reason);
                        }
                    }
                }
                None => {
                    self.0.insert(ask.role.clone(), ask);
                }
            }
        }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        Outcome::Escalate {
            asks: self.0.into_values().collect(),
        }
    }
}
