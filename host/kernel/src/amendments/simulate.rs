//! Recorded decisions, judged again by two constitutions with the plugins of now: what was asked then, at the time and in
//! the situation of then.

use polity_amend::{Simulated, Simulation, amount_of};
use polity_constitution::{Constitution, OutcomeKind};
use polity_ledger::{StoredEvent, new_id};
use serde_json::Value;

use super::AmendmentError;
use crate::Kernel;
use crate::record::{COMPLETION, DECISION, Record};
use crate::rules::{Book, Question, rule};

/// The most decisions that are judged at once.
const MOST: usize = 20_000;

/// The kind of event of a table's answer.
const EVALUATED: &str = "decision.evaluated";

impl Kernel {
    /// Judges the newest recorded decisions by both constitutions.
    pub(super) async fn simulate(
        &self,
        before: &Constitution,
        after: &Constitution,
        decisions: usize,
    ) -> Result<Simulation, AmendmentError> {
        let most = decisions.min(MOST);
        let ledger = &self.inner.ledger;
        let mut events = Vec::new();
        for kind in [DECISION, COMPLETION, EVALUATED] {
            events.extend(ledger.last_of_kind(kind, most)?);
        }
        // The newest first: of those that change, the newest are told.
        events.sort_by_key(|event| std::cmp::Reverse(event.seq));
        events.truncate(most);
        let (old, new) = (self.book_of(before), self.book_of(after));
        let mut simulation = Simulation::default();
        for (at, event) in events.iter().enumerate() {
            if event.kind == EVALUATED {
                table(&mut simulation, before, after, event);
            } else {
                action(&mut simulation, &old, &new, event).await;
            }
            if at % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        simulation.shifts.sort();
        Ok(simulation)
    }
}

async fn action(simulation: &mut Simulation, old: &Book, new: &Book, event: &StoredEvent) {
    let Some(record) = Record::read(event) else {
        return;
    };
    let (Some(input), Some(context), Ok(_)) = (
        record.input.whole(),
        record.context.whole(),
        record.kind.parse::<polity_constitution::ActionKind>(),
    ) else {
        simulation.left_out += 1;
        return;
    };
    let (Some(before), Some(after)) = (
        judge(old, &record, input, context).await,
        judge(new, &record, input, context).await,
    ) else {
        simulation.left_out += 1;
        return;
    };
    let parsed: Value = serde_json::from_str(input).unwrap_or_default();
    let situation: Value = serde_json::from_str(context).unwrap_or_default();
    let micro = amount_of(&old.law.constitution, &record.kind, &parsed, &situation)
        .or_else(|| amount_of(&new.law.constitution, &record.kind, &parsed, &situation));
    let then = Simulated::word(record.details.resolution.kind());
    let simulated = Simulated {
        id: event.id.to_string(),
        kind: record.kind.clone(),
        actor: record.actor.clone(),
        at_ms: record.at_ms,
        input: parsed,
        before: Simulated::word(before).to_owned(),
        after: Simulated::word(after).to_owned(),
        micro,
    };
    simulation.judged(simulated, then);
}

async fn judge(book: &Book, record: &Record, input: &str, context: &str) -> Option<OutcomeKind> {
    let question = Question {
        kind: record.kind.parse().ok()?,
        actor: record.actor.clone(),
        at_ms: record.at_ms,
        input: input.to_owned(),
        context: context.to_owned(),
    };
    Some(
        rule(book, new_id(record.at_ms), question)
            .await
            .resolution
            .kind(),
    )
}

/// A table that was asked is asked again.
fn table(
    simulation: &mut Simulation,
    before: &Constitution,
    after: &Constitution,
    event: &StoredEvent,
) {
    let data = &event.data;
    let Some(name) = data["table"].as_str() else {
        return;
    };
    let input = &data["input"];
    if input.get("sha256").is_some_and(Value::is_string)
        && input.as_object().is_some_and(|all| all.len() == 1)
    {
        simulation.left_out += 1;
        return;
    }
    let answer = |constitution: &Constitution| match constitution.table(name) {
        None => "no such table".to_owned(),
        Some(table) => match table.decide(input) {
            Ok(decision) => decision.value.to_json().to_string(),
            Err(error) => error.to_string(),
        },
    };
    let (was, is) = (answer(before), answer(after));
    let then = data["value"].to_string();
    let simulated = Simulated {
        id: event.id.to_string(),
        kind: format!("table {name}"),
        actor: data["actor"].as_str().unwrap_or_default().to_owned(),
        at_ms: event.time_ms,
        input: input.clone(),
        before: was,
        after: is,
        micro: None,
    };
    simulation.judged(simulated, &then);
}
