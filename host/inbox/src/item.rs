//! An item: the question, the proposal, and what became of it.

use std::collections::BTreeSet;

use polity_ledger::{Hash, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::answer::{Answer, AnswerKind};

const MAX_KIND: usize = 64;
/// Kind and subject together are one state key of the ledger, which has 512 bytes.
const MAX_SUBJECT: usize = 400;
const MAX_TITLE: usize = 300;
const MAX_QUESTION: usize = 8_000;
const MAX_NAME: usize = 200;
/// Proposal and evidence together. Nobody reads more before deciding.
const MAX_CONTENT: usize = 1 << 20;
/// The ledger's limit, less what an item and its event are wrapped in.
const MAX_DEPTH: usize = canonical::MAX_DEPTH - 8;

/// Something to put to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewItem {
    /// An open set: `exception`, `approval`, `amendment`, `budget`, `schema`, `plugin-grant`, `direction`, ….
    pub kind: String,
    /// What it is about: `refund/4711`. While an item of the same kind and subject is open, no second one is made.
    pub subject: String,
    /// One line.
    pub title: String,
    /// What the person is asked, and why. Markdown.
    pub question: String,
    /// What will happen if the person accepts.
    pub proposal: Value,
    /// The clause of the constitution that asks for a person.
    pub clause: Option<String>,
    /// What speaks for and against.
    pub evidence: Value,
    /// The role that decides.
    pub role: String,
    /// Who wants it: `agent:support`. This actor can never decide the item.
    pub requested_by: String,
    /// What it costs if the decision is wrong, in micro-units.
    pub cost_at_stake: Option<u64>,
    /// When it expires. `None` waits for ever.
    pub due_at_ms: Option<u64>,
    /// What then.
    pub on_expiry: OnExpiry,
    /// The answers that make sense. One of them must be able to say no.
    pub allowed: BTreeSet<AnswerKind>,
}

/// What happens when nobody has answered in time. There is no way to say "approve".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExpiry {
    /// It is off.
    Reject,
    /// Another role is asked, with as much time as the first had. If that runs out too, it is off.
    Escalate {
        /// The role to ask.
        to_role: String,
    },
}

/// Something that was put to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// UUIDv7, so items sort by when they were raised.
    pub id: Uuid,
    /// See [`NewItem::kind`].
    pub kind: String,
    /// See [`NewItem::subject`].
    pub subject: String,
    /// See [`NewItem::title`].
    pub title: String,
    /// See [`NewItem::question`].
    pub question: String,
    /// See [`NewItem::proposal`]. Never changes; an edit is in the decision.
    pub proposal: Value,
    /// The SHA-256 of the proposal's canonical JSON.
    pub proposal_digest: Hash,
    /// See [`NewItem::clause`].
    pub clause: Option<String>,
    /// See [`NewItem::evidence`].
    pub evidence: Value,
    /// The role that decides now.
    pub role: String,
    /// See [`NewItem::requested_by`].
    pub requested_by: String,
    /// See [`NewItem::cost_at_stake`].
    pub cost_at_stake: Option<u64>,
    /// When it was raised.
    pub raised_at_ms: u64,
    /// When it expires for the present role.
    pub due_at_ms: Option<u64>,
    /// What then.
    pub on_expiry: OnExpiry,
    /// See [`NewItem::allowed`].
    pub allowed: BTreeSet<AnswerKind>,
    /// The roles that let it expire before the present one, oldest first.
    pub escalations: Vec<Escalation>,
    /// What became of it.
    pub state: State,
}

/// A role that did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The role that was asked.
    pub from_role: String,
    /// The role that was asked then.
    pub to_role: String,
    /// When the first one's time was over.
    pub at_ms: u64,
}

/// `Open => Open (another role) | Decided | Expired | Withdrawn`. The last three are final.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits.
    Open,
    /// A person has answered.
    Decided(Decision),
    /// Nobody has answered in time; it is off.
    Expired {
        /// When its time was over.
        at_ms: u64,
    },
    /// Whoever asked does not need an answer any more; it is off.
    Withdrawn {
        /// When.
        at_ms: u64,
        /// Why, in words.
        why: String,
    },
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// The role it was decided in.
    pub role: String,
    /// What.
    pub answer: Answer,
    /// Why, in the person's words.
    pub note: String,
    /// The digest of what is approved: that of the proposal, or of the edit. `None` when nothing is.
    pub approved_digest: Option<Hash>,
    /// When.
    pub at_ms: u64,
}

impl NewItem {
    /// The item, or what is wrong with it.
    pub(crate) fn into_item(self, now_ms: u64, id: Uuid) -> Result<Item, String> {
        if let Some(fault) = self.fault(now_ms) {
            return Err(fault);
        }
        Ok(Item {
            id,
            kind: self.kind,
            subject: self.subject,
            title: self.title,
            question: self.question,
            proposal_digest: canonical::digest(&self.proposal),
            proposal: self.proposal,
            clause: self.clause,
            evidence: self.evidence,
            role: self.role,
            requested_by: self.requested_by,
            cost_at_stake: self.cost_at_stake,
            raised_at_ms: now_ms,
            due_at_ms: self.due_at_ms,
            on_expiry: self.on_expiry,
            allowed: self.allowed,
            escalations: Vec::new(),
            state: State::Open,
        })
    }

    fn fault(&self, now_ms: u64) -> Option<String> {
        let is_kind = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if self.kind.is_empty() || self.kind.len() > MAX_KIND || !self.kind.bytes().all(is_kind) {
            return Some(format!(
                "the kind {:?} is not 1 to {MAX_KIND} of a-z, 0-9 and '-'",
                self.kind
            ));
        }
        let texts = [
            ("subject", &self.subject, MAX_SUBJECT),
            ("title", &self.title, MAX_TITLE),
            ("role", &self.role, MAX_NAME),
            ("requester", &self.requested_by, MAX_NAME),
        ];
        for (name, text, most) in texts {
            if text.trim().is_empty() || text.len() > most || text.chars().any(char::is_control) {
                return Some(format!(
                    "the {name} is empty, longer than {most} bytes or has control characters"
                ));
            }
        }
        if self.question.trim().is_empty() || self.question.len() > MAX_QUESTION {
            return Some(format!(
                "the question is empty or longer than {MAX_QUESTION} bytes"
            ));
        }
        if !self
            .requested_by
            .split_once(':')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
        {
            return Some(format!(
                "the requester {:?} is not written like \"agent:support\"",
                self.requested_by
            ));
        }
        if !self.allowed.contains(&AnswerKind::Reject)
            && !self.allowed.contains(&AnswerKind::Respond)
        {
            return Some(
                "its answers can only approve: allow \"reject\" or \"respond\" as well".to_owned(),
            );
        }
        if self.due_at_ms.is_some_and(|due| due <= now_ms) {
            return Some(
                "it is due already: give the person time, or leave the due time out".to_owned(),
            );
        }
        match &self.on_expiry {
            OnExpiry::Escalate { to_role }
                if to_role.trim().is_empty() || *to_role == self.role =>
            {
                return Some(format!(
                    "it escalates from the role {:?} to {to_role:?}: name another role",
                    self.role
                ));
            }
            _ => {}
        }
        content_fault(&[("proposal", &self.proposal), ("evidence", &self.evidence)])
    }
}

/// Whether a person could read it, and the ledger could hold it.
pub(crate) fn content_fault(parts: &[(&str, &Value)]) -> Option<String> {
    for (name, value) in parts {
        if !canonical::is_within_depth(value, MAX_DEPTH) {
            return Some(format!(
                "the {name} is nested deeper than {MAX_DEPTH} levels"
            ));
        }
    }
    let size: usize = parts
        .iter()
        .map(|(_, value)| canonical::to_string(value).len())
        .sum();
    (size > MAX_CONTENT).then(|| {
        format!("its content has {size} bytes, {MAX_CONTENT} are allowed: store it elsewhere and refer to it")
    })
}

impl Item {
    /// Whether it waits for an answer.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The answer, if a person gave one.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.state {
            State::Decided(decision) => Some(decision),
            State::Open | State::Expired { .. } | State::Withdrawn { .. } => None,
        }
    }

    /// What may happen now: the proposal if it was accepted, the edit if it was edited, otherwise nothing. Whoever
    /// asked acts on this and on nothing else.
    pub fn approved(&self) -> Option<&Value> {
        match &self.decision()?.answer {
            Answer::Accept => Some(&self.proposal),
            Answer::Edit(proposal) => Some(proposal),
            Answer::Respond(_) | Answer::Reject => None,
        }
    }

    /// Whether its time is over.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.is_open() && self.due_at_ms.is_some_and(|due| due <= now_ms)
    }

    /// How it was closed, in words.
    pub fn closing(&self) -> String {
        match &self.state {
            State::Open => "it is open".to_owned(),
            State::Expired { .. } => "nobody answered in time, so it was rejected".to_owned(),
            State::Withdrawn { why, .. } => format!("it was withdrawn: {why}"),
            State::Decided(Decision {
                by, answer, note, ..
            }) => match answer {
                Answer::Accept => format!("{by} accepted it ({note})"),
                Answer::Edit(_) => format!("{by} accepted it with changes ({note})"),
                Answer::Respond(_) => format!("{by} answered it with words ({note})"),
                Answer::Reject => format!("{by} rejected it ({note})"),
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn new_item(role: &str, requested_by: &str) -> NewItem {
        NewItem {
            kind: "approval".to_owned(),
            subject: "refund/1".to_owned(),
            title: "A refund".to_owned(),
            question: "Shall we?".to_owned(),
            proposal: json!({"amount": 5}),
            clause: None,
            evidence: json!([]),
            role: role.to_owned(),
            requested_by: requested_by.to_owned(),
            cost_at_stake: None,
            due_at_ms: Some(2_000),
            on_expiry: OnExpiry::Reject,
            allowed: AnswerKind::all(),
        }
    }

    pub(crate) fn item(role: &str, requested_by: &str) -> Item {
        new_item(role, requested_by)
            .into_item(1_000, Uuid::nil())
            .unwrap()
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_proposal() {
        let mut other = new_item("owner", "agent:a");
        other.proposal = serde_json::from_str(" { \"amount\" : 5.0 } ").unwrap();
        let other = other.into_item(1_000, Uuid::nil()).unwrap();
        assert_eq!(
            item("owner", "agent:a").proposal_digest,
            other.proposal_digest
        );
        assert_eq!(other.proposal_digest, Hash::of(b"{\"amount\":5}"));
    }

    #[test]
    fn an_item_that_no_person_could_decide_well_is_refused() {
        type Spoil = fn(&mut NewItem);
        let ways: [(Spoil, &str); 11] = [
            (|new| new.kind = "Approval!".to_owned(), "kind"),
            (|new| new.subject = String::new(), "subject"),
            (|new| new.subject = "x".repeat(MAX_SUBJECT + 1), "subject"),
            (|new| new.title = "two\nlines".to_owned(), "title"),
            (|new| new.question = "  ".to_owned(), "question"),
            (|new| new.requested_by = "ada".to_owned(), "agent:support"),
            (|new| new.role = String::new(), "role"),
            (
                |new| new.allowed = BTreeSet::from([AnswerKind::Accept, AnswerKind::Edit]),
                "only approve",
            ),
            (|new| new.due_at_ms = Some(1_000), "due already"),
            (
                |new| {
                    new.on_expiry = OnExpiry::Escalate {
                        to_role: "owner".to_owned(),
                    }
                },
                "another role",
            ),
            (
                |new| new.evidence = json!("x".repeat(MAX_CONTENT)),
                "refer to it",
            ),
        ];
        for (spoil, words) in ways {
            let mut new = new_item("owner", "agent:a");
            spoil(&mut new);
            let fault = new.into_item(1_000, Uuid::nil()).unwrap_err();
            assert!(fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn expiry_has_no_spelling_for_approval() {
        for text in [r#""approve""#, r#""accept""#, r#"{"approve":{}}"#] {
            assert!(serde_json::from_str::<OnExpiry>(text).is_err());
        }
        assert_eq!(
            serde_json::from_str::<OnExpiry>(r#""reject""#).unwrap(),
            OnExpiry::Reject
        );
        let escalate = OnExpiry::Escalate {
            to_role: "owner".to_owned(),
        };
        assert_eq!(
            serde_json::to_value(escalate).unwrap(),
            json!({"escalate": {"to_role": "owner"}})
        );
    }
}
