//! The judgement of one action: at most two rounds of hearing, joined by the constitution's lattice.

use std::sync::Arc;
use std::time::Instant;

use polity_constitution::{ActionKind, Finding, Outcome, Resolution, Verdict, resolve};
use polity_runtime::digest::Digest;
use polity_runtime::plugin::Action;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::book::Book;
use super::{Hearing, hear};
use crate::digest::text;
use crate::law::Law;
use crate::workflows::Halt;

/// What is to be judged.
pub(crate) struct Question {
    pub(crate) kind: ActionKind,
    pub(crate) actor: String,
    pub(crate) at_ms: u64,
    /// The action's input, a JSON object as text. The rules read this text and no other.
    pub(crate) input: String,
    /// See [`super::Facts`].
    pub(crate) context: String,
}

/// What one rule did in one round, beside what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Measure {
    /// The binding.
    pub(crate) binding: Arc<str>,
    /// The rule plugin.
    pub(crate) rule: Arc<str>,
    /// 1, or 2 where the amended input was judged.
    pub(crate) round: u8,
    /// The plugin's version, where it says one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) version: Option<Arc<str>>,
    /// The plugin's bytes; absent where there was no plugin to ask.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        serialize_with = "text::some"
    )]
    pub(crate) digest: Option<Digest>,
    /// Fuel burnt: the same for the same action on every machine. 0 where the rule failed.
    pub(crate) fuel: u64,
    /// Whether it had read its policies before it was asked, so that the fuel does not count the reading.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) primed: bool,
    /// Time taken.
    pub(crate) took_us: u64,
}

impl Measure {
    /// Whether it is what this finding of this round took.
    pub(crate) fn is_of(&self, finding: &Finding, round: u8) -> bool {
        self.round == round && *self.binding == *finding.binding && *self.rule == *finding.rule
    }
}

/// The judgement of one action, before it is written down.
pub(crate) struct Ruling {
    pub(crate) id: Uuid,
    pub(crate) kind: ActionKind,
    pub(crate) actor: String,
    pub(crate) at_ms: u64,
    pub(crate) input: String,
    pub(crate) context: String,
    pub(crate) resolution: Resolution,
    /// The amended input as the second round judged it.
    pub(crate) amended: Option<String>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) law: Arc<Law>,
    pub(crate) took_us: u64,
    /// Who has stopped actions of this kind, whatever the rules say.
    pub(crate) halted: Option<Halt>,
    /// The decision that left the same to people, where they have accepted it.
    pub(crate) accepted: Option<Uuid>,
}

impl Ruling {
    /// What the rules leave to people is what people have accepted.
    pub(crate) fn accept(&mut self, decision: Uuid) {
        accept(&mut self.resolution, decision);
        self.accepted = Some(decision);
    }
}

/// Makes of an escalated resolution what it is where people have accepted it.
pub(crate) fn accept(resolution: &mut Resolution, decision: Uuid) {
    if let Outcome::Escalate { .. } = resolution.outcome {
        resolution.outcome = match resolution.amended {
            Some(_) => Outcome::Amend,
            None => Outcome::Allow,
        };
        resolution.sentence = format!("Accepted by those whom decision {decision} asked.");
        resolution.decided_by.clear();
    }
}

/// Judges an action by the rules of a book.
pub(crate) async fn rule(book: &Book, id: Uuid, question: Question) -> Ruling {
    let started = Instant::now();
    let docket = book.docket(&question.kind);
    let law = book.law.clone();
    let charter = law.charter();
    let Question {
        kind,
        actor,
        at_ms,
        input,
        context,
    } = question;
    let action = Arc::new(Action {
        kind: kind.as_str().to_owned(),
        actor,
        at_ms,
        input,
        context,
    });

    let Hearing {
        findings,
        mut measures,
    } = hear(&docket, &action, 1).await;
    // The lattice reads the input only to amend it, and it is text so far.
    let amends = findings
        .iter()
        .any(|finding| matches!(finding.result, Ok(Verdict::Amend { .. })));
    let input = if amends {
        serde_json::from_str(&action.input).unwrap_or_default()
    } else {
        Value::Null
    };
    let mut resolution = resolve(&input, findings, charter);
    let mut amended = None;
    if let Some(form) = &resolution.amended
        && !matches!(resolution.outcome, Outcome::Deny { .. })
    {
        let text = form.to_string();
        let again = Arc::new(Action {
            kind: action.kind.clone(),
            actor: action.actor.clone(),
            at_ms,
            input: text.clone(),
            context: action.context.clone(),
        });
        let Hearing {
            findings,
            measures: more,
        } = hear(&docket, &again, 2).await;
        measures.extend(more);
        let second = resolve(form, findings, charter);
        resolution = resolution.settle(second, charter);
        amended = Some(text);
    }

    let Action {
        actor,
        input,
        context,
        ..
    } = Arc::unwrap_or_clone(action);
    Ruling {
        id,
        kind,
        actor,
        at_ms,
        input,
        context,
        resolution,
        amended,
        measures,
        law,
        took_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        halted: None,
        accepted: None,
    }
}
