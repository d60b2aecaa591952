//! Actions: judged, recorded, and put before people where the rules say so. What the action does is the caller's; here is
//! only decided whether it may.

use polity_constitution::ActionKind;
use polity_ledger::{Commit, CommitError, ReadError, new_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::{Decision, Place};
use crate::drain::Draining;
use crate::escalation::{EscalateError, RaiseError};
use crate::record::Record;
use crate::rules::{Facts, Question, rule};
use crate::{Actor, Kernel};

/// The longest action.
const MAX_BYTES: usize = 8 << 20;

/// Something that is about to happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActionRequest {
    /// Dotted, general to special: `refund.approve`.
    pub kind: ActionKind,
    /// The action's own data, a JSON object.
    #[serde(default = "empty")]
    pub input: Value,
    /// What the caller says of the situation, a JSON object. Rules see it as `context.request`; everything else in their
    /// context is the kernel's word.
    #[serde(default = "empty")]
    pub context: Value,
}

/// Why an action was not judged. It must not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The action is not as it should be.
    #[error("{0}")]
    Invalid(String),
    /// The ledger could not take the record, and nothing happens here without one.
    #[error("the decision could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// The ledger does not read.
    #[error("what was spent today cannot be read: {0}")]
    Read(#[from] ReadError),
    /// What a person has to decide could not be put before one.
    #[error("the action waits for a person, but it could not be put into the inbox: {0}")]
    Inbox(#[from] RaiseError),
    /// The host is going.
    #[error(transparent)]
    Draining(#[from] Draining),
}

impl ActError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Record(_) | Self::Read(_) => "record",
            Self::Inbox(_) => "inbox",
            Self::Draining(_) => "draining",
        }
    }
}

/// Whether a decision is waited for until it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Yes.
    Always,
    /// Where it puts something before people. Otherwise a power failure may take the record of the last half second, and
    /// with it nothing that was changed.
    ForQuestions,
}

impl Kernel {
    /// Judges an action by the rules, and records the decision. When this returns, the record is on the disk, and what a
    /// person has to decide is in the inbox.
    ///
    /// # Errors
    /// See [`ActError`]; in every case the action must not happen.
    pub async fn act(&self, actor: &Actor, request: ActionRequest) -> Result<Decision, ActError> {
        self.judge_action(actor, request, Wait::Always).await
    }

    pub(crate) async fn judge_action(
        &self,
        actor: &Actor,
        request: ActionRequest,
        wait: Wait,
    ) -> Result<Decision, ActError> {
        let _visit = self.enter()?;
        let inner = &*self.inner;
        let ActionRequest {
            kind,
            input,
            context,
        } = request;
        let text = object("input", &input)?;
        let context = object("context", &context)?;
        let at_ms = inner.clock.now_ms();
        let book = inner.books.current(&inner.runtime);
        let facts = Facts {
            law: &book.law,
            actor,
            spent: inner.spending.today(&actor.id, at_ms)?,
            model: None,
            request: Some(&context),
        };
        let question = Question {
            context: facts.text(),
            kind: kind.clone(),
            actor: actor.id.clone(),
            at_ms,
            input: text,
        };
        let id = new_id(at_ms);
        let mut ruling = rule(&book, id, question).await;
        inner.workflows.halts.stop(&mut ruling);

        let outcome = ruling.resolution.kind();
        let questions = self.questions(&ruling, &input);
        let (record, amended) = Record::new(ruling);
        let (record, receipt) = if wait == Wait::ForQuestions && questions.is_empty() {
            let commit = Commit::new().event(record.clone().event(id));
            (record, inner.ledger.commit_relaxed(commit)?)
        } else {
            self.record_with(id, record, questions).await?
        };
        inner.counting.decision(&kind, outcome);
        let place = match receipt.last_seq {
            Some(seq) => inner.ledger.event(seq)?.map(|event| Place {
                seq,
                hash: event.hash,
            }),
            None => None,
        };
        let mut decision = Decision::of(id, record);
        // The caller has the whole input and gets the whole amendment, however long.
        (decision.input, decision.omitted_input) = (input, None);
        if amended.is_some() {
            (decision.amended_input, decision.omitted_amended_input) = (amended, None);
        }
        decision.ledger = place;
        self.add_resolution(&mut decision)?;
        Ok(decision)
    }
}

impl From<EscalateError> for ActError {
    fn from(error: EscalateError) -> Self {
        match error {
            EscalateError::Inbox(error) => Self::Inbox(error),
            EscalateError::Record(error) => Self::Record(error),
        }
    }
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

/// The text of a JSON object; null stands for an empty one.
fn object(name: &str, value: &Value) -> Result<String, ActError> {
    let text = match value {
        Value::Object(_) => value.to_string(),
        Value::Null => "{}".to_owned(),
        _ => {
            return Err(ActError::Invalid(format!(
                "`{name}` is not an object; send for example {{\"amount\": 5}}"
            )));
        }
    };
    if text.len() > MAX_BYTES {
        return Err(ActError::Invalid(format!(
            "`{name}` has {} bytes; at most {MAX_BYTES} are judged",
            text.len()
        )));
    }
    Ok(text)
}
