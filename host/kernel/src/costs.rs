//! What completions have cost, and what was saved, from their records.
//!
//! Councils and cascades have records of their own that cost nothing: their calls are completions, and it is those that
//! are counted.

use std::collections::BTreeMap;

use polity_ledger::ReadError;
use serde::{Deserialize, Serialize};

use crate::Kernel;
use crate::completion::{CompletionRecord, CompletionStatus, PARTY};
use crate::record::{COMPLETION, Record};

/// Records looked at in a first attempt, and how much farther each next one goes.
const FIRST_LOOK: usize = 1_024;
const FARTHER: usize = 8;

/// Records looked at in the end. Who wants to know more exports the ledger.
const LAST_LOOK: usize = 131_072;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Sums over some completions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostSum {
    /// What they have in common: a day, a model, an actor, a task.
    pub name: String,
    /// Completions.
    pub requests: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that the cache answered.
    pub cached: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What they cost.
    pub cost_micro: u64,
    /// What they would have cost had the dearest model that might have answered always been asked; a guess from what was
    /// expected of each.
    pub dearest_micro: u64,
}

/// What completions have cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// What the amounts are millionths of.
    pub currency: String,
    /// The first day that is counted, in milliseconds since the epoch.
    pub since_ms: u64,
    /// False where there are more records than were looked at, so that the oldest are missing.
    pub is_complete: bool,
    /// Everything together.
    pub total: CostSum,
    /// By UTC day, the newest first.
    pub by_day: Vec<CostSum>,
    /// By model, behind its plugin's name, the dearest first.
    pub by_model: Vec<CostSum>,
    /// By actor, the dearest first.
    pub by_actor: Vec<CostSum>,
    /// By task, the dearest first; completions whose model was named have none.
    pub by_task: Vec<CostSum>,
}

impl Kernel {
    /// What completions have cost in the last so many UTC days, today among them.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn costs(&self, days: u64) -> Result<Costs, ReadError> {
        let inner = &*self.inner;
        let today = inner.clock.now_ms() / DAY_MS;
        let since_ms = (today + 1).saturating_sub(days.max(1)) * DAY_MS;
        let mut look = FIRST_LOOK;
        let (events, is_complete) = loop {
            let events = inner.ledger.last_of_kind(COMPLETION, look)?;
            let reaches =
                events.len() < look || events.first().is_some_and(|event| event.time_ms < since_ms);
            if reaches || look >= LAST_LOOK {
                break (events, reaches);
            }
            look *= FARTHER;
        };
        let mut tally = Tally::default();
        let records = events.iter().filter_map(Record::read);
        for record in records.filter(|record| record.at_ms >= since_ms) {
            if let Some(completion) = &record.details.completion
                && *completion.plugin != *PARTY
            {
                tally.add(record.at_ms, &record.actor, completion);
            }
        }
        let currency = inner.books.law().charter().company().currency.clone();
        Ok(tally.into_costs(currency, since_ms, is_complete))
    }
}

#[derive(Default)]
struct Tally {
    total: CostSum,
    days: BTreeMap<u64, CostSum>,
    models: BTreeMap<String, CostSum>,
    actors: BTreeMap<String, CostSum>,
    tasks: BTreeMap<String, CostSum>,
}

impl Tally {
    fn add(&mut self, at_ms: u64, actor: &str, completion: &CompletionRecord) {
        let sum = CostSum::of(completion);
        self.total.add(&sum);
        self.days.entry(at_ms / DAY_MS).or_default().add(&sum);
        let model = format!("{}/{}", completion.plugin, completion.model);
        self.models.entry(model).or_default().add(&sum);
        self.actors.entry(actor.to_owned()).or_default().add(&sum);
        let task = completion
            .routing
            .as_ref()
            .map(|routing| routing.decision.requirements.task.to_string());
        self.tasks
            .entry(task.unwrap_or_default())
            .or_default()
            .add(&sum);
    }

    fn into_costs(self, currency: String, since_ms: u64, is_complete: bool) -> Costs {
        let by_day = self.days.into_iter().rev().map(|(day, sum)| CostSum {
            name: day_name(day),
            ..sum
        });
        Costs {
            currency,
            since_ms,
            is_complete,
            total: self.total,
            by_day: by_day.collect(),
            by_model: dearest_first(self.models),
            by_actor: dearest_first(self.actors),
            by_task: dearest_first(self.tasks),
        }
    }
}

impl CostSum {
    fn of(completion: &CompletionRecord) -> Self {
        let about = completion.about.as_deref();
        let cached = about.and_then(|about| about.cached);
        Self {
            name: String::new(),
            requests: 1,
            answered: u64::from(completion.status == CompletionStatus::Answered),
            cached: u64::from(cached.is_some()),
            input_tokens: completion.input_tokens,
            output_tokens: completion.output_tokens,
            cost_micro: completion.cost_micro,
            dearest_micro: match cached {
                Some(cached) => cached.avoided_micro,
                None => dearest(completion),
            },
        }
    }

    fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, part: u64| *sum = sum.saturating_add(part);
        add(&mut self.requests, other.requests);
        add(&mut self.answered, other.answered);
        add(&mut self.cached, other.cached);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cost_micro, other.cost_micro);
        add(&mut self.dearest_micro, other.dearest_micro);
    }
}

/// What the dearest model that might have answered would have cost: as much more than this one as was expected.
fn dearest(completion: &CompletionRecord) -> u64 {
    let cost = completion.cost_micro;
    let Some(routing) = &completion.routing else {
        return cost;
    };
    let key = format!("{}/{}", completion.plugin, completion.model);
    let may = || routing.decision.eligible();
    let own = may()
        .find(|candidate| *candidate.model == *key)
        .map_or(0, |candidate| candidate.cost);
    let most = may().map(|candidate| candidate.cost).max().unwrap_or(0);
    if own == 0 || completion.status != CompletionStatus::Answered {
        return if cost == 0 { most } else { cost };
    }
    let scaled = u128::from(cost) * u128::from(most) / u128::from(own);
    u64::try_from(scaled).unwrap_or(u64::MAX).max(cost)
}

fn dearest_first(sums: BTreeMap<String, CostSum>) -> Vec<CostSum> {
    let named = sums.into_iter().map(|(name, sum)| CostSum { name, ..sum });
    let mut sums: Vec<CostSum> = named.collect();
    sums.sort_by(|a, b| b.cost_micro.cmp(&a.cost_micro).then(a.name.cmp(&b.name)));
    sums
}

fn day_name(day: u64) -> String {
    let time = i64::try_from(day * DAY_MS)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(
        || day.to_string(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_as_people_write_it() {
        assert_eq!(day_name(0), "1970-01-01");
        assert_eq!(day_name(20_000), "2024-10-04");
    }

    #[test]
    fn what_cost_most_comes_first() {
        let sum = |cost| CostSum {
            cost_micro: cost,
            ..CostSum::default()
        };
        let sums = BTreeMap::from([
            ("a".to_owned(), sum(1)),
            ("b".to_owned(), sum(7)),
            ("c".to_owned(), sum(7)),
        ]);
        let names: Vec<String> = dearest_first(sums)
            .into_iter()
            .map(|sum| sum.name)
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
    }
}
