//! A decision judged again: the same action, at the same time, by the same plugins, under the same constitution.
//!
//! A rule has no clock, no memory and no network, so what it said once it says again, down to the fuel it burns. What a
//! replay finds different was altered.

use std::collections::BTreeSet;
use std::sync::Arc;

use polity_constitution::{Constitution, Finding, OutcomeKind, Resolution, Verdict, resolve};
use polity_ledger::ReadError;
use polity_runtime::digest::Digest;
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Action, Plugin};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::Kernel;
use crate::constitution_store as store;
use crate::escalation::ask_a_person;
use crate::record::{Record, subject};
use crate::rules::{Measure, accept, failure_of, verdict_of};

/// What came of judging a decision again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The decision.
    pub id: Uuid,
    /// Whether everything came out as it is on record. False also where something that it takes is missing.
    pub same: bool,
    /// The outcome on record.
    pub then: OutcomeKind,
    /// The outcome now; none where something that it takes is missing.
    pub now: Option<OutcomeKind>,
    /// What came out differently, in sentences.
    pub differences: Vec<String>,
    /// What is not there any more and would be needed, in sentences.
    pub missing: Vec<String>,
}

/// Everything that one round of judging needs.
struct Bench<'a> {
    record: &'a Record,
    constitution: &'a Constitution,
    plugins: Vec<(Digest, Arc<Plugin>)>,
}

impl Kernel {
    /// Judges a decision again; none where there is no such decision. Changes nothing and records nothing.
    ///
    /// # Errors
    /// The ledger does not read.
    pub async fn replay(&self, id: Uuid) -> Result<Option<Replay>, ReadError> {
        let events = self.inner.ledger.events_of(&subject(id), 0, 100)?;
        let record = events
            .iter()
            .find(|event| event.id == id)
            .and_then(Record::read);
        let Some(record) = record else {
            return Ok(None);
        };
        let then = record.details.resolution.kind();
        let mut replay = Replay {
            id,
            same: false,
            then,
            now: None,
            differences: Vec::new(),
            missing: Vec::new(),
        };

        let current = self.constitution();
        let constitution = if current.version().digest == record.details.constitution.digest {
            Some(current)
        } else {
            store::past(&self.inner.ledger, &record.details.constitution)?.map(Arc::new)
        };
        if constitution.is_none() {
            let version = &record.details.constitution;
            replay
                .missing
                .push(format!("the constitution {version} is not on record"));
        }
        if record.input.whole().is_none() || record.context.whole().is_none() {
            replay
                .missing
                .push("the input was too long to be kept, only its digest is on record".to_owned());
        }
        let generation = self.inner.runtime.current();
        let serving: Vec<_> = generation
            .entries()
            .filter_map(|entry| entry.serving.clone())
            .map(|plugin| (plugin.identity().digest, plugin))
            .collect();
        let needed: BTreeSet<_> = record
            .details
            .measures
            .iter()
            .filter_map(|measure| Some((measure.digest?, measure.rule.clone())))
            .collect();
        for (digest, rule) in needed {
            if !serving.iter().any(|(known, _)| *known == digest) {
                replay.missing.push(format!(
                    "the version {digest} of {rule} is not loaded; roll back to it"
                ));
            }
        }
        let Some(constitution) = constitution.filter(|_| replay.missing.is_empty()) else {
            return Ok(Some(replay));
        };

        // Rules compute; whoever serves requests on this thread has to go on.
        let judged = tokio::task::spawn_blocking(move || {
            let bench = Bench {
                record: &record,
                constitution: &constitution,
                plugins: serving,
            };
            bench.judge()
        });
        match judged.await {
            Ok((now, differences)) => {
                replay.now = Some(now);
                replay.differences = differences;
                replay.same = replay.differences.is_empty();
            }
            Err(error) => replay
                .differences
                .push(format!("judging again failed: {error}")),
        }
        Ok(Some(replay))
    }
}

impl Bench<'_> {
    fn judge(&self) -> (OutcomeKind, Vec<String>) {
        let mut differences = Vec::new();
        let record = self.record;
        let charter = self.constitution.charter();
        let input = record.input.whole().unwrap_or_default();
        let then = &record.details.resolution;

        let findings = self.hear(input, 1, &then.findings, &mut differences);
        let value: Value = serde_json::from_str(input).unwrap_or_default();
        let mut now = resolve(&value, findings, charter);
        if let Some(form) = now.amended.clone()
            && now.kind() != OutcomeKind::Deny
        {
            let findings = self.hear(&form.to_string(), 2, &then.second_round, &mut differences);
            now = now.settle(resolve(&form, findings, charter), charter);
        }
        let routing = record.details.completion.as_ref();
        let routing = routing.and_then(|completion| completion.routing.as_ref());
        if let Some(routing) = routing.filter(|routing| routing.is_strange()) {
            ask_a_person(&mut now, routing, charter);
        }
        if let Some(accepted) = record.details.accepted {
            accept(&mut now, accepted);
        }
        if let Some(halt) = &record.details.halted {
            halt.stop(&mut now);
        }
        compare(then, &now, &mut differences);
        (now.kind(), differences)
    }

    /// Asks every rule of a round again, and notes what it says or burns that it did not then.
    fn hear(
        &self,
        input: &str,
        round: u8,
        then: &[Finding],
        differences: &mut Vec<String>,
    ) -> Vec<Finding> {
        let record = self.record;
        let action = Action {
            kind: record.kind.clone(),
            actor: record.actor.clone(),
            at_ms: record.at_ms,
            input: input.to_owned(),
            context: record.context.whole().unwrap_or_default().to_owned(),
        };
        then.iter()
            .map(|finding| self.ask(finding, &action, round, differences))
            .collect()
    }

    fn ask(
        &self,
        then: &Finding,
        action: &Action,
        round: u8,
        differences: &mut Vec<String>,
    ) -> Finding {
        let Some((measure, plugin)) = self.plugin(then, round) else {
            // Nobody was asked then, so nobody is now.
            return then.clone();
        };
        let config = self
            .constitution
            .binding(&then.binding)
            .filter(|binding| {
                binding
                    .config
                    .as_object()
                    .is_some_and(|settings| !settings.is_empty())
            })
            .map(|binding| Arc::from(binding.config.to_string()));
        let (fuel, result) = match plugin.evaluate(action, config.as_ref()) {
            Ok(evaluation) => (Some(evaluation.fuel), verdict_of(evaluation.verdict)),
            Err(CallError::Busy(_)) => {
                differences.push(format!(
                    "{} is too busy to be asked now; try again",
                    then.rule
                ));
                return then.clone();
            }
            Err(error) => (None, Err(failure_of(error))),
        };
        // A rule that had read its policies before burnt fuel for the rest alone.
        if let Some(fuel) =
            fuel.filter(|fuel| measure.fuel != *fuel && then.result.is_ok() && !measure.primed)
        {
            differences.push(format!(
                "{} burns {fuel} units of fuel, and burnt {} then",
                then.rule, measure.fuel
            ));
        }
        Finding {
            result,
            ..then.clone()
        }
    }

    fn plugin(&self, finding: &Finding, round: u8) -> Option<(&Measure, &Arc<Plugin>)> {
        let measure = self
            .record
            .details
            .measures
            .iter()
            .find(|measure| measure.is_of(finding, round))?;
        let digest = measure.digest?;
        let (_, plugin) = self.plugins.iter().find(|(known, _)| *known == digest)?;
        Some((measure, plugin))
    }
}

fn compare(then: &Resolution, now: &Resolution, differences: &mut Vec<String>) {
    for (round, then, now) in [
        (1, &then.findings, &now.findings),
        (2, &then.second_round, &now.second_round),
    ] {
        if then.len() != now.len() {
            differences.push(format!(
                "round {round} had {} findings and has {} now",
                then.len(),
                now.len()
            ));
        }
        for (then, now) in then.iter().zip(now) {
            if !is_same(then, now) {
                differences.push(format!(
                    "{} says something else now: {}",
                    then.rule,
                    said(now)
                ));
            }
        }
    }
    if then.sentence != now.sentence {
        differences.push(format!("then: {} Now: {}", then.sentence, now.sentence));
    } else if then.outcome != now.outcome || !now.changed.starts_with(&then.changed) {
        differences.push("the rules say the same, and the outcome has other details".to_owned());
    }
}

/// A long patch is on record by its digest alone; that it changes the same places is compared with the outcome.
fn is_same(then: &Finding, now: &Finding) -> bool {
    match (&then.result, &now.result) {
        (
            Ok(Verdict::Amend {
                patch: Value::String(_),
            }),
            Ok(Verdict::Amend { .. }),
        ) => true,
        (then, now) => then == now,
    }
}

fn said(finding: &Finding) -> String {
    match &finding.result {
        Ok(verdict) => serde_json::to_string(verdict).unwrap_or_default(),
        Err(failure) => failure.to_string(),
    }
}
