//! A decision as callers and people see it.

use polity_constitution::{
    Ask, Conflict, Decider, Finding, Hypothetical, Outcome, OutcomeKind, Version,
};
use polity_ledger::{Hash, StoredEvent};
use polity_runtime::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::completion::CompletionRecord;
use crate::escalation::HumanAnswer;
use crate::kept::Omitted;
use crate::record::Record;
use crate::rules::Measure;

/// What became of one action, why, and how that can be checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The decision's own id, also that of its event in the ledger.
    pub id: Uuid,
    /// The kind of action.
    pub kind: String,
    /// Who wanted it.
    pub actor: String,
    /// When it was asked for.
    pub at_ms: u64,
    /// What became of it when the rules had spoken. An escalated action goes on: see [`Decision::resolution`].
    pub outcome: OutcomeKind,
    /// Which rules decided and why, in one sentence.
    pub reason: String,
    /// The bindings that decided; empty where the charter's defaults did.
    pub decided_by: Vec<Decider>,
    /// The action's input; null where it is too long for a record.
    pub input: Value,
    /// What is known of an input that is too long for a record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub omitted_input: Option<Omitted>,
    /// The input as the rules want it, where they changed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amended_input: Option<Value>,
    /// What is known of an amended input that is too long for a record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub omitted_amended_input: Option<Omitted>,
    /// The parts of the input that the rules changed, as JSON pointers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed: Vec<String>,
    /// Amendments that cannot both be made.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conflicts: Vec<Conflict>,
    /// What the rules were told of the situation.
    pub context: Value,
    /// What each rule said, in the order of the bindings; the second round after the first.
    pub findings: Vec<RuleFinding>,
    /// What the rules in shadow mode would have made of it, where there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_shadow_counted: Option<Hypothetical>,
    /// For an escalated action: which roles are asked, and what.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub asks: Vec<Ask>,
    /// For an escalated action: the inbox items, one for each role that is asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub inbox_items: Vec<Uuid>,
    /// For an escalated action: how it stands with the people who were asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolution: Option<HumanAnswer>,
    /// The constitution that was in force.
    pub constitution: Version,
    /// Time that judging took.
    pub took_us: u64,
    /// For a completion: model, tokens, cost and times.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub completion: Option<CompletionRecord>,
    /// Where it stands in the ledger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ledger: Option<Place>,
}

/// What one rule said, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleFinding {
    /// The binding, the rule, its mode, and its verdict or failure.
    #[serde(flatten)]
    pub finding: Finding,
    /// 1, or 2 where the amended input was judged.
    pub round: u8,
    /// The plugin's version, where it says one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// The plugin's bytes; absent where there was no plugin to ask.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// Fuel burnt.
    pub fuel: u64,
    /// Time taken.
    pub took_us: u64,
}

/// A place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The event's number.
    pub seq: u64,
    /// The event's hash.
    pub hash: Hash,
}

impl Decision {
    /// Whether the rules let the action happen at once, amended or not.
    pub fn permits(&self) -> bool {
        matches!(self.outcome, OutcomeKind::Allow | OutcomeKind::Amend)
    }

    /// Reads the event of a decision or a completion; none for any other event.
    pub(crate) fn read(event: &StoredEvent) -> Option<Self> {
        let record = Record::read(event)?;
        let place = Place {
            seq: event.seq,
            hash: event.hash,
        };
        Some(Self {
            ledger: Some(place),
            ..Self::of(event.id, record)
        })
    }

    pub(crate) fn of(id: Uuid, record: Record) -> Self {
        let details = record.details;
        let resolution = details.resolution;
        let findings = with_measures(resolution.findings, &details.measures, 1)
            .chain(with_measures(resolution.second_round, &details.measures, 2))
            .collect();
        let (input, omitted_input) = record.input.read();
        let (amended_input, omitted_amended_input) =
            match details.amended.map(crate::kept::Kept::read) {
                Some((_, Some(omitted))) => (None, Some(omitted)),
                Some((value, None)) => (Some(value), None),
                None => (None, None),
            };
        Self {
            id,
            kind: record.kind,
            actor: record.actor,
            at_ms: record.at_ms,
            outcome: resolution.outcome.kind(),
            reason: resolution.sentence,
            decided_by: resolution.decided_by,
            input,
            omitted_input,
            amended_input,
            omitted_amended_input,
            changed: resolution.changed,
            conflicts: resolution.conflicts,
            context: record.context.read().0,
            findings,
            if_shadow_counted: resolution.if_shadow_counted,
            asks: match resolution.outcome {
                Outcome::Escalate { asks } => asks,
                _ => Vec::new(),
            },
            inbox_items: details.inbox_items,
            resolution: None,
            constitution: Version::clone(&details.constitution),
            took_us: details.took_us,
            completion: details.completion,
            ledger: None,
        }
    }
}

fn with_measures(
    findings: Vec<Finding>,
    measures: &[Measure],
    round: u8,
) -> impl Iterator<Item = RuleFinding> {
    findings.into_iter().map(move |finding| {
        let measure = measures
            .iter()
            .find(|measure| measure.is_of(&finding, round));
        RuleFinding {
            round,
            version: measure.and_then(|measure| Some(measure.version.as_ref()?.to_string())),
            digest: measure.and_then(|measure| measure.digest),
            fuel: measure.map_or(0, |measure| measure.fuel),
            took_us: measure.map_or(0, |measure| measure.took_us),
            finding,
        }
    })
}
