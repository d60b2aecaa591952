//! The whole story of a decision, for people.

mod about;
mod line;
mod words;

use polity_ledger::ReadError;
use serde::Serialize;
use uuid::Uuid;

use crate::record::subject;
use crate::{Decision, Kernel};

/// Everything that is known of a decision. Its [`Display`](std::fmt::Display) tells it in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// The decision itself.
    pub decision: Decision,
    /// The name of whoever asked, where the charter knows one.
    pub actor_name: Option<String>,
    /// The currency that amounts are millionths of.
    pub currency: String,
    /// What the handbook says, by the name of the binding that puts it into practice; of the bindings in force now.
    pub policies: Vec<(String, String)>,
    /// Everything that the ledger has on it, in order.
    pub events: Vec<StoryEvent>,
}

/// One event of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoryEvent {
    /// Its number.
    pub seq: u64,
    /// What happened.
    pub kind: String,
    /// When.
    pub time_ms: u64,
    /// Its hash.
    pub hash: polity_ledger::Hash,
}

impl Kernel {
    /// The story of a decision; none where there is no such decision.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn story(&self, id: Uuid) -> Result<Option<Story>, ReadError> {
        let Some(decision) = self.decision(id)? else {
            return Ok(None);
        };
        let constitution = self.constitution();
        let charter = constitution.charter();
        let mut events = self.inner.ledger.events_of(&subject(id), 0, 100)?;
        for item in &decision.inbox_items {
            events.extend(self.item_events(*item)?);
        }
        events.sort_by_key(|event| event.seq);
        events.dedup_by_key(|event| event.seq);
        let policies = decision
            .findings
            .iter()
            .filter(|finding| finding.round == 1)
            .filter_map(|finding| {
                let binding = constitution.binding(&finding.finding.binding)?;
                Some((binding.name.clone(), binding.policy.clone()?))
            });
        Ok(Some(Story {
            actor_name: charter
                .actor(&decision.actor)
                .map(|actor| actor.name.clone()),
            currency: charter.company().currency.clone(),
            policies: policies.collect(),
            events: events
                .into_iter()
                .map(|event| StoryEvent {
                    seq: event.seq,
                    kind: event.kind,
                    time_ms: event.time_ms,
                    hash: event.hash,
                })
                .collect(),
            decision,
        }))
    }
}
