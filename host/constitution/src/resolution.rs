//! What becomes of an action, and why: the record that is kept in the ledger and read again by `explain`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Finding, Mode};

/// What becomes of an action. The order is the lattice's: what is greater outranks what is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// It happens as asked.
    Allow,
    /// It happens in another form.
    Amend,
    /// It waits for a person.
    Escalate,
    /// It does not happen.
    Deny,
}

/// What becomes of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It happens as asked.
    Allow,
    /// It happens with [`Resolution::amended`] as its input.
    Amend,
    /// It waits until every one of these has been accepted.
    Escalate {
        /// One for each role that has to decide, by the role's name; never empty.
        asks: Vec<Ask>,
    },
    /// It does not happen.
    Deny {
        /// Why, without a full stop.
        reason: String,
    },
}

/// What a role is asked to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The role. At least one person holds it and may decide.
    pub role: String,
    /// Milliseconds to decide: the shortest time that a rule gave, or the charter's.
    pub due_ms: u64,
    /// Why this role is asked; never empty.
    pub reasons: Vec<AskReason>,
}

/// Why a role is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskReason {
    /// The binding that asks; absent where the charter's defaults or a conflict do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<Decider>,
    /// One sentence, without a full stop.
    pub reason: String,
}

/// A binding, and the rule it puts in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decider {
    /// The binding's name.
    pub binding: String,
    /// The rule plugin's name.
    pub rule: String,
}

/// Amendments that cannot both be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The part of the input that they set to different values.
    pub pointer: String,
    /// Who amends it.
    pub between: Vec<Decider>,
}

/// What would have become of the action, had the shadow bindings counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypothetical {
    /// The outcome.
    pub outcome: OutcomeKind,
    /// The sentence.
    pub sentence: String,
}

/// The joined judgement of all rules on one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// What becomes of the action.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Which rules decided and why, in one sentence for a person.
    pub sentence: String,
    /// The bindings that decided; empty where the charter's defaults did.
    pub decided_by: Vec<Decider>,
    /// Everything that was found, enforced and shadow, by binding. A patch that did not apply stands here as a failure.
    pub findings: Vec<Finding>,
    /// What was found when the amended input was judged again, where it was.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub second_round: Vec<Finding>,
    /// The parts of the input that were amended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed: Vec<String>,
    /// Amendments that cannot both be made. Where there are any, none has been made, and accepting the action as it
    /// stands is not enough: a person has to edit it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conflicts: Vec<Conflict>,
    /// The input as the rules want it, where they changed it. An escalated action is put before a person, and happens
    /// after acceptance, in this form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amended: Option<Value>,
    /// What the shadow bindings would have made of it, where there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_shadow_counted: Option<Hypothetical>,
}

impl Outcome {
    /// The outcome without its details.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Allow => OutcomeKind::Allow,
            Self::Amend => OutcomeKind::Amend,
            Self::Escalate { .. } => OutcomeKind::Escalate,
            Self::Deny { .. } => OutcomeKind::Deny,
        }
    }
}

impl Ask {
    /// All reasons in one sentence, without a full stop.
    pub fn reason(&self) -> String {
        let reasons: Vec<_> = self
            .reasons
            .iter()
            .map(|reason| reason.reason.as_str())
            .collect();
        reasons.join("; ")
    }
}

impl Resolution {
    /// The outcome without its details.
    pub fn kind(&self) -> OutcomeKind {
        self.outcome.kind()
    }

    /// True where the action may happen now.
    pub fn permits(&self) -> bool {
        self.kind() <= OutcomeKind::Amend
    }

    /// The input to go on with: the amended one, or the original.
    pub fn input<'a>(&'a self, original: &'a Value) -> &'a Value {
        self.amended.as_ref().unwrap_or(original)
    }

    /// What the shadow bindings found, in both rounds.
    pub fn shadow(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .chain(&self.second_round)
            .filter(|finding| finding.mode == Mode::Shadow)
    }
}
