//! Access to records as actions.

use polity_constitution::{ActionKind, OutcomeKind};
use polity_database::StatementKind;
use serde_json::{Value, json};

use super::RecordError;
use crate::act::Wait;
use crate::{ActionRequest, Actor, Decision, Kernel};

/// The kind of action that a statement is.
pub(super) fn kind(of: StatementKind) -> ActionKind {
    let kind = match of {
        StatementKind::Query => "records.query",
        StatementKind::Insert => "records.insert",
        StatementKind::Update => "records.update",
        StatementKind::Delete => "records.delete",
    };
    kind.parse().expect("it is written as a kind")
}

impl Kernel {
    /// Has an access judged. Returns the decision only where it may happen, amended or not.
    pub(super) async fn judge_access(
        &self,
        actor: &Actor,
        kind: StatementKind,
        input: Value,
    ) -> Result<Decision, RecordError> {
        let request = ActionRequest {
            kind: self::kind(kind),
            input,
            context: json!({}),
        };
        let wait = match kind {
            StatementKind::Query => Wait::ForQuestions,
            _ => Wait::Always,
        };
        let decision = self.judge_action(actor, request, wait).await?;
        match decision.outcome {
            OutcomeKind::Allow | OutcomeKind::Amend => Ok(decision),
            OutcomeKind::Deny => Err(RecordError::Denied(Box::new(decision))),
            OutcomeKind::Escalate => Err(RecordError::Escalated(Box::new(decision))),
        }
    }
}
