//! How many instances there are in each phase, and what they have done since the start; for metrics.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use polity_workflow::{Instance, Phase};
use serde::Serialize;
use uuid::Uuid;

/// Functions that are told apart. Those of a catalogue are the company's to name; metrics have to stay few.
const MAX_CALLS: usize = 64;

/// What functions beyond the limit are counted as.
const OTHER: &str = "other";

/// Counts of workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkflowCount {
    /// Instances that have not ended, by phase.
    pub open: BTreeMap<&'static str, u64>,
    /// Instances that ended since the start, by phase.
    pub ended: BTreeMap<&'static str, u64>,
    /// Steps that were taken and written since the start.
    pub transitions: u64,
    /// Effects outside since the start, by function and by whether they succeeded.
    pub effects: Vec<EffectCount>,
}

/// Effects of one function with one end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectCount {
    /// The function.
    pub call: String,
    /// `done` or `failed`.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    phases: HashMap<Uuid, Phase>,
    ended: BTreeMap<&'static str, u64>,
    transitions: u64,
    effects: BTreeMap<(String, &'static str), u64>,
}

impl Tally {
    /// An instance as it is on the disk, at the start.
    pub(super) fn found(&self, id: Uuid, instance: &Instance) {
        if instance.outcome().is_none() {
            self.0.lock().phases.insert(id, instance.phase());
        }
    }

    /// An instance that was just written.
    pub(super) fn kept(&self, id: Uuid, instance: &Instance) {
        let mut counts = self.0.lock();
        counts.transitions += 1;
        if instance.outcome().is_some() {
            counts.phases.remove(&id);
            *counts.ended.entry(word(instance.phase())).or_default() += 1;
        } else {
            counts.phases.insert(id, instance.phase());
        }
    }

    /// An effect that is over.
    pub(super) fn effect(&self, call: &str, is_done: bool) {
        let effects = &mut self.0.lock().effects;
        let outcome = if is_done { "done" } else { "failed" };
        let key = (call.to_owned(), outcome);
        let key = match effects.len() < 2 * MAX_CALLS || effects.contains_key(&key) {
            true => key,
            false => (OTHER.to_owned(), outcome),
        };
        *effects.entry(key).or_default() += 1;
    }

    pub(super) fn read(&self) -> WorkflowCount {
        let counts = self.0.lock();
        let mut open = BTreeMap::new();
        for phase in [
            Phase::Pending,
            Phase::Running,
            Phase::Waiting,
            Phase::Suspended,
        ] {
            open.insert(word(phase), 0);
        }
        for phase in counts.phases.values() {
            *open.entry(word(*phase)).or_default() += 1;
        }
        let effects = counts
            .effects
            .iter()
            .map(|((call, outcome), count)| EffectCount {
                call: call.clone(),
                outcome,
                count: *count,
            });
        WorkflowCount {
            open,
            ended: counts.ended.clone(),
            transitions: counts.transitions,
            effects: effects.collect(),
        }
    }
}

/// The specification's name of a phase.
fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Running => "running",
        Phase::Waiting => "waiting",
        Phase::Suspended => "suspended",
        Phase::Cancelled => "cancelled",
        Phase::Faulted => "faulted",
        Phase::Completed => "completed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_companies_name_do_not_grow_the_metrics_without_end() {
        let tally = Tally::default();
        for number in 0..1_000 {
            tally.effect(&format!("call{number}"), number % 2 == 0);
        }
        tally.effect("call0", true);
        let count = tally.read();
        assert!(count.effects.len() <= 2 * MAX_CALLS + 2);
        assert_eq!(
            count.effects.iter().map(|count| count.count).sum::<u64>(),
            1_001
        );
        assert_eq!(
            count.open["waiting"], 0,
            "what there is none of is said too"
        );
    }
}
