//! Asking a decision table on record. A table changes nothing, so where no rule guards the question its answer is noted
//! and given; where rules do, they judge it like any other action, and their word counts.

use polity_constitution::{ActionKind, KindError, OutcomeKind, Version};
use polity_ledger::{Commit, CommitError, Event};
use polity_tables::{DecideError, Explanation};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::act::{ActError, ActionRequest};
use crate::decision::Decision;
use crate::digest::sha256;
use crate::drain::Draining;
use crate::near::near;
use crate::{Actor, Kernel};

/// What asking a table is to rules.
const KIND: &str = "decision.evaluate";

/// A longer input is noted by its digest.
const MAX_INPUT: usize = 64 << 10;

/// What a table answered.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The table.
    pub table: String,
    /// Its answer.
    pub value: Value,
    /// The rows that answered, and why.
    pub trace: Explanation,
    /// The constitution that the table belongs to.
    pub version: Version,
    /// The rules' decision on the question, where rules guard it.
    pub decision: Option<Uuid>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// There is no such table.
    #[error("there is no table `{asked}`{}", proposal(near))]
    UnknownTable {
        /// The name that was asked for.
        asked: String,
        /// Names that look like it.
        near: Vec<String>,
    },
    /// The table does not answer this input.
    #[error(transparent)]
    Table(#[from] DecideError),
    /// The rules do not let it be asked now.
    #[error("{}", .0.reason)]
    Judged(Box<Decision>),
    /// The question could not be judged.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The answer could not be recorded, so it is not given.
    #[error("the answer could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
    /// The kind of action is no kind.
    #[error(transparent)]
    Kind(#[from] KindError),
}

fn proposal(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

impl Kernel {
    /// Asks a table of the constitution in force. When this returns, the answer is on record.
    ///
    /// # Errors
    /// See [`EvaluateError`]; in no case is there an answer to act on.
    pub async fn evaluate(
        &self,
        actor: &Actor,
        name: &str,
        input: Value,
    ) -> Result<Evaluation, EvaluateError> {
        let constitution = self.constitution();
        let table = constitution.table(name).ok_or_else(|| {
            let known = constitution.tables().iter();
            EvaluateError::UnknownTable {
                asked: name.to_owned(),
                near: near(name, known.map(|table| table.table().name.as_str())),
            }
        })?;
        let kind: ActionKind = KIND.parse()?;
        let (mut input, mut judged) = (input, None);
        if constitution.bindings_for(&kind).next().is_some() {
            let request = ActionRequest {
                kind,
                input: json!({ "table": name, "input": input }),
                context: json!({}),
            };
            let mut decision = self.act(actor, request).await?;
            match decision.outcome {
                OutcomeKind::Allow => {}
                OutcomeKind::Amend => {
                    input = decision
                        .amended_input
                        .as_mut()
                        .map_or(Value::Null, |amended| amended["input"].take());
                }
                OutcomeKind::Deny | OutcomeKind::Escalate => {
                    return Err(EvaluateError::Judged(Box::new(decision)));
                }
            }
            judged = Some(decision.id);
        }
        let _visit = self.enter()?;
        let trace = table.explain(&input)?;
        let value = trace.decision.value.to_json();
        let text = input.to_string();
        let data = json!({
            "table": name,
            "actor": actor.id,
            "input": if text.len() <= MAX_INPUT { input } else { json!({ "sha256": sha256(&text) }) },
            "value": value,
            "matched": trace.decision.matched,
            "constitution": constitution.version(),
            "decision": judged,
        });
        let event = Event::new(
            "decision.evaluated",
            "/kernel",
            format!("table/{name}"),
            data,
        );
        self.ledger().commit(Commit::new().event(event)).await?;
        Ok(Evaluation {
            table: name.to_owned(),
            value,
            trace,
            version: constitution.version().clone(),
            decision: judged,
        })
    }
}
