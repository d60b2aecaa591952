//! Decisions of the past, read from the ledger.

use polity_constitution::{KindPattern, OutcomeKind};
use polity_ledger::{ReadError, StoredEvent};
use uuid::Uuid;

use crate::record::{COMPLETION, DECISION, subject};
use crate::{Decision, Kernel};

/// Events looked at in a first attempt, and how much farther each next one goes.
const FIRST_LOOK: usize = 256;
const FARTHER: usize = 8;

/// Events looked at in the end. What is older can be found by its id, or in the export.
const LAST_LOOK: usize = 131_072;

/// Which decisions are wanted.
#[derive(Clone, Debug)]
pub struct DecisionFilter {
    /// Of these kinds of action.
    pub kind: Option<KindPattern>,
    /// Of this actor.
    pub actor: Option<String>,
    /// With this outcome.
    pub outcome: Option<OutcomeKind>,
    /// Older than this place in the ledger: the last of the page before.
    pub before_seq: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

impl Default for DecisionFilter {
    fn default() -> Self {
        Self {
            kind: None,
            actor: None,
            outcome: None,
            before_seq: None,
            limit: 50,
        }
    }
}

impl DecisionFilter {
    fn wants(&self, decision: &Decision) -> bool {
        let of_kind = self.kind.as_ref().is_none_or(|pattern| {
            decision
                .kind
                .parse()
                .is_ok_and(|kind| pattern.matches(&kind))
        });
        of_kind
            && self
                .actor
                .as_ref()
                .is_none_or(|actor| *actor == decision.actor)
            && self
                .outcome
                .is_none_or(|outcome| outcome == decision.outcome)
    }
}

impl Kernel {
    /// A decision, with how it stands with the people who were asked; none where there is no such decision.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn decision(&self, id: Uuid) -> Result<Option<Decision>, ReadError> {
        let events = self.inner.ledger.events_of(&subject(id), 0, 100)?;
        let Some(mut decision) = events
            .iter()
            .find(|event| event.id == id)
            .and_then(Decision::read)
        else {
            return Ok(None);
        };
        self.add_resolution(&mut decision)?;
        Ok(Some(decision))
    }

    /// The newest decisions that a filter wants, newest first, completions among them.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<Decision>, ReadError> {
        let mut look = FIRST_LOOK;
        loop {
            let mut events = self.inner.ledger.last_of_kind(DECISION, look)?;
            let completions = self.inner.ledger.last_of_kind(COMPLETION, look)?;
            let is_all = events.len() < look && completions.len() < look;
            // Where one index was not read to its end, what is older than what was read of it may be missing.
            let unseen_before = [&events, &completions]
                .into_iter()
                .filter(|read| read.len() == look)
                .filter_map(|read| oldest(read))
                .max();
            events.extend(completions);
            events.sort_by_key(|event| std::cmp::Reverse(event.seq));
            let found: Vec<Decision> = events
                .iter()
                .filter(|event| filter.before_seq.is_none_or(|before| event.seq < before))
                .filter(|event| unseen_before.is_none_or(|seq| event.seq >= seq))
                .filter_map(Decision::read)
                .filter(|decision| filter.wants(decision))
                .take(filter.limit)
                .collect();
            if found.len() >= filter.limit || is_all || look >= LAST_LOOK {
                return found
                    .into_iter()
                    .map(|mut decision| self.add_resolution(&mut decision).map(|()| decision))
                    .collect();
            }
            look *= FARTHER;
        }
    }
}

fn oldest(events: &[StoredEvent]) -> Option<u64> {
    events.first().map(|event| event.seq)
}
