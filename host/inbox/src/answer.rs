//! What a person can say to an item.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer. All of them close the item and go back to whoever asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "args", rename_all = "kebab-case")]
pub enum Answer {
    /// Yes, as proposed.
    Accept,
    /// Yes, but in this form.
    Edit(Value),
    /// Neither yes nor no: words for whoever asked, who may ask again.
    Respond(String),
    /// No.
    Reject,
}

/// An answer without its content: what an item allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// [`Answer::Accept`].
    Accept,
    /// [`Answer::Edit`].
    Edit,
    /// [`Answer::Respond`].
    Respond,
    /// [`Answer::Reject`].
    Reject,
}

impl Answer {
    /// Which kind of answer it is.
    pub fn kind(&self) -> AnswerKind {
        match self {
            Self::Accept => AnswerKind::Accept,
            Self::Edit(_) => AnswerKind::Edit,
            Self::Respond(_) => AnswerKind::Respond,
            Self::Reject => AnswerKind::Reject,
        }
    }
}

impl AnswerKind {
    /// All four.
    pub fn all() -> BTreeSet<Self> {
        BTreeSet::from([Self::Accept, Self::Edit, Self::Respond, Self::Reject])
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Edit => "edit",
            Self::Respond => "respond",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_have_the_shape_of_human_interrupts() {
        for (answer, shape) in [
            (Answer::Accept, json!({"type": "accept"})),
            (
                Answer::Edit(json!({"limit": 5})),
                json!({"type": "edit", "args": {"limit": 5}}),
            ),
            (
                Answer::Respond("why?".to_owned()),
                json!({"type": "respond", "args": "why?"}),
            ),
            (Answer::Reject, json!({"type": "reject"})),
        ] {
            assert_eq!(serde_json::to_value(&answer).unwrap(), shape);
            assert_eq!(
                serde_json::to_value(answer.kind()).unwrap(),
                json!(answer.kind().as_str())
            );
            assert_eq!(serde_json::from_value::<Answer>(shape).unwrap(), answer);
        }
    }
}
